#pragma once
#include <Eigen/Dense>
#include <string>
#include <vector>

#include "elver/calibrate_library.hpp"
#include "elver/library.hpp"
#include "library/broadening.hpp"

namespace elver::train {

/// Families of like structures (composition, defect, Li to a tenth), each the mean of its structures' averages.
struct Families {
  std::vector<std::string> names;
  std::vector<Specimen> means;
};
Families families_of(const Library& library);

/// An edge of one element as a spectrometer shows it, from a library's families: the forward model of a calibration.
class EdgeModel {
 public:
  /// `channels_ev`: uniform, from below the onset.
  EdgeModel(const Library& library, const Families& families, const std::string& element, std::vector<double> channels_ev);

  bool has_l2() const { return !second_.empty(); }
  /// [subshell][energy][family]: with the calibration's lifetimes, and nothing else of it. The dear part of curves.
  std::vector<Eigen::MatrixXd> lifetimes(const EdgeCalibration& calibration) const;
  /// [channel][family]: loss intensity, up to a factor that all edges share; `broadened` is what lifetimes gives.
  Eigen::MatrixXd curves(const EdgeCalibration& calibration, const std::vector<Eigen::MatrixXd>& broadened, double thickness,
                         double continuum_power) const;

 private:
  std::vector<double> channels_;
  std::vector<std::size_t> subshells_;
  std::vector<std::size_t> second_;      ///< indices into subshells_ of those that are an L2
  const Library& library_;
  std::vector<WideGrid> grids_;
  std::vector<Eigen::MatrixXd> values_; ///< [subshell] of families
  std::vector<Eigen::RowVectorXd> jumps_;
  Eigen::MatrixXd plasmon_once_, plasmon_twice_;  ///< [channel][channel]: moved up by one loss, and by two
};

/// Least squares with weights that are not negative, Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23),
/// of normal equations `gram` x = `right`.
Eigen::VectorXd nonnegative(const Eigen::MatrixXd& gram, const Eigen::VectorXd& right);

}  // namespace elver::train
