#include "cli/commands.hpp"

namespace elver::cli {

void add_features(CLI::App& /*program*/) {}

}  // namespace elver::cli
