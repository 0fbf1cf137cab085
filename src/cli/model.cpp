#include "cli/commands.hpp"

namespace elver::cli {

void add_model(CLI::App& /*program*/) {}

}  // namespace elver::cli
