#include "cli/commands.hpp"

namespace elver::cli {

void add_check(CLI::App& /*program*/) {}

}  // namespace elver::cli
