#include "cli/commands.hpp"

namespace elver::cli {

void add_background(CLI::App& /*program*/) {}

}  // namespace elver::cli
