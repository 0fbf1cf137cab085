#include "cli/commands.hpp"

namespace elver::cli {

void add_predict(CLI::App& /*program*/) {}

}  // namespace elver::cli
