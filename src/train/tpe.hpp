#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace elver::train {

/// One number to choose.
struct Parameter {
  std::string name;
  double low = 0.0, high = 1.0;
  double step = 0.0;            ///< 0: any number; else low, low + step, ... up to high
  bool logarithmic = false;     ///< searched on a logarithmic scale
  std::vector<double> choices;  ///< not empty: one of these, which are not near each other for being neighbours
};

/// Tree-structured Parzen estimator: the points tried so far are split into the best few and the rest, the density of
/// each is a mixture of windows, one a point and one as wide as the space, and of candidates drawn from the first density
/// the one is tried where it exceeds the second most. A window spans all parameters at once, so that what goes together
/// is found together. Source: Bergstra et al., NIPS 24 (2011) 2546, and ICML 28 (2013) 115; joint windows and their
/// width as in Falkner et al., ICML 35 (2018) 1437. The same seed and losses give the same points.
class Tpe {
 public:
  Tpe(std::vector<Parameter> space, std::uint64_t seed);
  /// The next point to try, one number a parameter.
  std::vector<double> ask();
  /// What became of the point; smaller is better. A loss that is no number counts as the worst.
  void tell(const std::vector<double>& point, double loss);
  std::size_t told() const { return history_.size(); }

 private:
  struct Trial {
    std::vector<double> place;  ///< in [0, 1], or the number of the choice
    double loss = 0.0;
  };
  struct Windows {
    std::vector<std::vector<double>> centres{{}};  ///< [window][parameter]; the first is the prior
    double width = 0.0;
  };

  double to_place(std::size_t k, double value) const;
  double to_value(std::size_t k, double place) const;
  void set_width(Windows& windows) const;
  std::vector<double> draw(const Windows& windows);
  double log_density(const Windows& windows, const std::vector<double>& place) const;

  std::vector<Parameter> space_;
  std::mt19937_64 random_;
  std::vector<Trial> history_;
};

}  // namespace elver::train
