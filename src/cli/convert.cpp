#include "cli/commands.hpp"

namespace elver::cli {

void add_convert(CLI::App& /*program*/) {}

}  // namespace elver::cli
