#include "cli/commands.hpp"

namespace elver::cli {

void add_train(CLI::App& /*program*/) {}

}  // namespace elver::cli
