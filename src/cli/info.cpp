#include "cli/commands.hpp"

namespace elver::cli {

void add_info(CLI::App& /*program*/) {}

}  // namespace elver::cli
