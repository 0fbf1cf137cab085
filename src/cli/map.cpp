#include "cli/commands.hpp"

namespace elver::cli {

void add_map(CLI::App& /*program*/) {}

}  // namespace elver::cli
