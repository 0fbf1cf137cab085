#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "elver/core/host_device.hpp"
#include "elver/energy_axis.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How A*E^-r is fitted before an edge.
enum class BackgroundMethod : std::uint8_t {
  poisson_ml,  ///< Poisson maximum likelihood in closed form, bias-corrected (default)
  log_lsq,     ///< least-squares line of ln(counts) on ln(E), as DigitalMicrograph
  two_area     ///< HyperSpy's formula and window rule
};
/// "poisson-ml", "log-lsq", "two-area"; throws Error{usage} for another name.
BackgroundMethod background_method(std::string_view name);
std::string_view name_of(BackgroundMethod method);

/// What became of a pixel, or of one edge in it. The numbers are written into files.
enum class PixelStatus : std::uint8_t {
  ok = 0,
  masked = 1,
  not_finite = 2,
  non_positive_window = 3,
  too_few_counts = 4,
  r_out_of_range = 5,
  edge_absent = 6  ///< no signal above 3 standard errors: predicted all the same, with the absent-edge rule
};
inline constexpr std::size_t status_count = 7;
/// "ok", "masked", "not_finite", "non_positive_window", "too_few_counts", "r_out_of_range", "edge_absent".
std::string_view name_of(PixelStatus status);
/// True for the codes that leave no value: 1 to 5.
ELVER_HD constexpr bool failed(PixelStatus s) { return s != PixelStatus::ok && s != PixelStatus::edge_absent; }

struct BackgroundOptions {
  BackgroundMethod method = BackgroundMethod::poisson_ml;
  double minimum_counts =
      10.0;  ///< sum over the fit window, in electrons (counts / phi), below which a fit is too_few_counts. Where many
             ///< pixels are near it, those that are left are the brighter ones: 3.5 % at 15 electrons
  /// An r beyond these limits by more than `r_standard_errors` of its own standard errors is r_out_of_range. Few counts
  /// scatter r widely around the truth: to cut off one tail of that scatter would bias the maps.
  double r_minimum = -2.0;
  double r_maximum = 12.0;
  double r_standard_errors = 4.0;  ///< 0: the limits hold as they are
  /// Variance of a count over its mean: 1 for electrons, the gain for counts that a camera scaled, 1/n for a mean of n.
  /// 0: each pixel decides, see EdgeFit::phi. A and r hardly depend on it; the errors, the bias correction and the
  /// limit of counts do.
  double phi = 0.0;
};

/// One edge of one pixel. NaN in every float where status says failed.
struct EdgeFit {
  float A = 0;  ///< counts per channel at 1 eV: background(E) = A * E^-r, E in eV. Saturates at the
                ///< largest float, which r beyond about 13 reaches at 500 eV
  float r = 0;
  float reduced_chi_square = 0;  ///< Pearson, over the fit window
  float background = 0;          ///< sum over the signal window, counts
  /// Its standard error from the fit, counts: within 10 % of the scatter from about 60 electrons in the fit window on.
  /// Below (15 to 45) the background scatters by more than half of itself and the error, which goes with it, as well.
  float background_error = 0;
  float signal = 0;  ///< counts minus background over the signal window; may be negative
  float snr = 0;     ///< signal / sqrt(phi * (signal + background) + background_error^2)
  /// Variance of a count over its mean, as used in the errors: 1 where the reduced chi-square is what electrons
  /// give (within five of its standard deviations), else the reduced chi-square itself; or what the options say.
  float phi = 1;
  PixelStatus status = PixelStatus::ok;
};

/// One edge to look at without a model: where its background is fitted and where its signal is summed.
struct BackgroundJob {
  EnergyWindow fit, signal;
  BackgroundOptions options;
  std::vector<std::uint8_t> mask;     ///< one byte a pixel, or empty
  std::string preparation_json = {};  ///< what was done to the image, for the record in the file
  std::vector<PixelMap> beside = {};  ///< maps of its pixels that go into the file too
};

struct BackgroundResult {
  std::vector<EdgeFit> fits;  ///< [pixel]
  std::array<std::uint64_t, status_count> status_counts{};
  /// Of the pixels that have a value; NaN if none has.
  double median_A = 0, median_r = 0, median_reduced_chi_square = 0, median_phi = 0;
};

/// Fits one edge in every pixel. The statuses are those of the fit alone: never edge_absent.
/// Throws Error{mismatch} when the windows do not fit the image's energy axis.
BackgroundResult fit_background(const Image& image, const BackgroundJob& job, const RunContext& context);

/// The image's whole spectra minus the background of one edge (float32, the image's own axes), made when they are read:
/// channels at and below 0 eV as they are, NaN where the fit failed. `image` must outlive it.
std::unique_ptr<Image> net_image(const Image& image, const BackgroundJob& job);

/// A file of maps with the image's own navigation axes: signal, background, A, r, reduced_chi_square,
/// background_error, snr (float32) and status (uint8); with `cube` also `net`, the spectra of net_image.
/// In the format that the extension names (.hspy, .nxs). Appears whole or not at all. Throws Error{output}, Error{usage}.
void write_background(const std::filesystem::path& path, const Image& image, const BackgroundJob& job,
                      const BackgroundResult& result, bool cube, const RunContext& context);

}  // namespace elver
