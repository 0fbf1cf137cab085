#include <array>
#include <string>

#include "elver/background.hpp"
#include "elver/error.hpp"

namespace elver {
namespace {

constexpr std::array<std::string_view, 3> kMethods{"poisson-ml", "log-lsq", "two-area"};
constexpr std::array<std::string_view, status_count> kStatuses{
    "ok", "masked", "not_finite", "non_positive_window", "too_few_counts", "r_out_of_range", "edge_absent"};

}  // namespace

BackgroundMethod background_method(std::string_view name) {
  for (std::size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i] == name) return static_cast<BackgroundMethod>(i);
  }
  throw Error(ErrorKind::usage, "background method \"" + std::string(name) + "\"", "not one that elver knows",
              "Write poisson-ml, log-lsq or two-area");
}

std::string_view name_of(BackgroundMethod method) { return kMethods[static_cast<std::size_t>(method)]; }
std::string_view name_of(PixelStatus status) { return kStatuses[static_cast<std::size_t>(status)]; }

}  // namespace elver
