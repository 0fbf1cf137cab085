#include "cli/commands.hpp"

namespace elver::cli {

void add_calibrate(CLI::App& /*program*/) {}

}  // namespace elver::cli
