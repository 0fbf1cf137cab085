#include "cli/commands.hpp"

namespace elver::cli {

void add_phantom(CLI::App& /*program*/) {}

}  // namespace elver::cli
