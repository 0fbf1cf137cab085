#pragma once
#include <vector>

#include "elver/energy.hpp"

namespace elver::energy {

/// What is followed: channels of the mean spectrum, and up to where they hold background alone (`first`: nowhere).
struct Followed {
  std::ptrdiff_t first = 0, last = 0, rise = 0;
};

struct FollowOptions {
  double first_range = 0, range = 0;  ///< channels that are searched on either side, at first and later
  double step = 1;                    ///< of the search, channels
  double smoothing = 0;               ///< of the mean spectrum, standard deviation in channels
  double tolerance = 0;               ///< when no pixel's channel moves by more (root mean square), it is done
};

struct Follow {
  std::vector<double> shift, error;       ///< channels, one a pixel
  std::vector<double> own_error;          ///< infinity where the pixel says nothing
  std::vector<std::vector<double>> mean;  ///< of what is followed, on the aligned axis
};

/// Shifts of all pixels against the mean spectrum, from `start` (channels, one a pixel) on.
Follow follow(const Image& image, const std::vector<Followed>& what, const FollowOptions& options,
              std::vector<double> start, const RunContext& context);

}  // namespace elver::energy
