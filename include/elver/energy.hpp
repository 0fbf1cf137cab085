#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elver/energy_axis.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// "Mn_L3=642.0": the energy (eV) at which a feature of the mean spectrum is wanted.
struct Mark {
  std::string feature;
  double energy_ev = 0.0;
};
/// Throws Error{usage} for anything but NAME=ENERGY.
Mark parse_mark(const std::string& text);

struct MarkResidual {
  std::string feature;
  double wanted_ev = 0.0;
  double found_ev = 0.0;     ///< on the axis as it was
  double residual_ev = 0.0;  ///< corrected minus wanted
};

/// A simulated mean spectrum of one edge, for calibration and comparison.
struct ReferenceSpectrum {
  std::string edge;
  std::vector<float> energy_ev, intensity;
};

enum class CalibrationMethod : std::uint8_t { marks, automatic, carried };
/// "marks", "automatic", "carried" (over from another file).
std::string_view name_of(CalibrationMethod method);

struct Calibration {
  EnergyAxis before, after;
  std::vector<MarkResidual> marks;  ///< automatic: the model's edges that were found, by the maximum of their reference
  CalibrationMethod method = CalibrationMethod::marks;
  double score = 0.0, second_score = 0.0;  ///< automatic: ln of the likelihood ratio to no edge; of the next best axis
};

/// Finds the marked features in the mean spectrum and puts offset and gain right by least squares (one mark: the
/// offset alone). `mean_spectrum`: one finite value a channel, counts or proportional to counts.
///
/// What the energy of a mark means:
///  * L3, L2, M5, M4 (3d metals' L, 4d metals' L, lanthanides' M edges): the maximum of the white line, the smooth
///    background taken away;
///  * O_K, F_K: the onset of the main rise, past the pre-peak that empty metal d states make below it. The onset is
///    where the tangent at the steepest ascent meets the lowest level before it;
///  * other K and L edges (C_K, N_K, Si_L ...): the onset, so defined, of the first rise over the power law before it.
///
/// All marks are found together: every place within 40 eV that looks like a feature is a candidate, judged by how much
/// of the spectrum an edge of that shape explains; the choice of candidates wins that has the most evidence, less the
/// price of an unusual shift and gain and of residuals. Found again on the corrected axis until nothing moves, so a
/// calibrated spectrum is left as it is.
///
/// Throws Error{usage} for a feature that elver does not know (the message lists all) or that is given twice;
/// Error{mismatch}, with the numbers, when a feature is not found, two choices are as likely, a mark lies more than
/// 20 eV from the nominal energy, the gain leaves 0.8 to 1.25, or a residual exceeds 3 eV.
Calibration calibrate(const EnergyAxis& axis, std::span<const double> mean_spectrum, std::span<const Mark> marks);

/// Puts offset and gain right by the model's reference edges, without a mark: every edge is looked for in the mean
/// spectrum wherever an axis wrong by up to 26 eV (at its first channel, or as a whole) and 7 % in gain would show it,
/// and the axis wins on which the edges together explain the most. Each edge is then placed by its whole shape, blurred
/// as the spectrum is, and offset and gain are least squares through the places. A corrected axis is left as it is.
///
/// Throws Error{mismatch}, with the numbers, for what it cannot tell: fewer than two edges found, one missing that
/// the axis should show (it may be another material), another axis nearly as good, edges that no straight axis puts
/// right, an axis that noise leaves uncertain by more than 0.6 eV at an edge, or that is not found again from itself
/// within 0.1 eV. The specimen's chemistry remains: an
/// axis is as good as the specimen's edges lie where the references do, 0.4 eV (standard deviation) in our library.
Calibration auto_calibrate(const EnergyAxis& axis, std::span<const double> mean_spectrum,
                           std::span<const ReferenceSpectrum> references);

/// By how much each pixel's features lie too high on the energy axis.
struct Alignment {
  std::vector<double> offset_ev;  ///< one a pixel
  std::vector<double> error_ev;   ///< its standard error, from the counts of the pixel and of its neighbours
  std::uint64_t measured = 0;     ///< pixels whose own counts say something
  double own_error_ev = 0;        ///< median standard error of these, each by its own counts
};

/// Follows edges from pixel to pixel: a weighted least-squares fit of background and edge, as the mean spectrum shows
/// them, to each pixel at every shift within 10 eV of the mean; the mean is made again from the shifted pixels until
/// nothing moves. Where the counts of a pixel say little, its neighbours' offsets say the rest (kriging). The median
/// offset is 0: alignment moves pixels to each other, calibration moves them all.
/// `edges` as in a mark (O_K, Mn_L3; Mn_L too); several are followed together. A chemical shift of the edge is taken
/// for an offset: choose one that does not have any.
/// Throws Error{usage} for an edge that elver does not know, Error{mismatch} for one that is not found.
Alignment align_edges(const Image& image, std::span<const std::string> edges, const RunContext& context);

/// Follows the zero-loss peak; offsets count from 0 eV, where its top belongs.
/// Throws Error{mismatch} where the axis does not hold 0 eV, or no peak is there.
Alignment align_zero_loss(const Image& zero_loss, const RunContext& context);

/// Puts the pixels of an image on one axis: `offsets_ev` (one a pixel, finite) says by how much each pixel's features
/// lie too high. The axis moves by their median; each pixel is shifted by whole channels, exactly; what is left of its
/// offset, up to half a channel, stands in Image::eighths, to the next eighth of a channel, for those that compute
/// energies: no count is interpolated. Channels that not every pixel has fall away at both ends.
/// Throws Error{mismatch} where fewer than two channels are left.
std::unique_ptr<Image> aligned_image(std::unique_ptr<Image> image, std::span<const double> offsets_ev);

/// An aligned image as it is written, every pixel on energy(): counts between two channels are dealt out to both, their
/// sum kept, and one channel falls away at both ends. Whole numbers stay whole: each electron goes to one of the two
/// by chance (a fixed one for every pixel and channel), so that the counts stay Poisson's and independent; other values
/// are split in proportion. Where nothing is to be dealt out, the values of `image`. `image` must outlive it.
std::unique_ptr<Image> on_one_axis(const Image& image);

struct MaskOptions {
  bool automatic = false;        ///< leave out vacuum, if the pixels' total counts fall in two
  double minimum_counts = -1.0;  ///< leave out pixels with fewer counts in all channels; < 0: off
};
/// One byte a pixel, 1 where it is to be left out. Vacuum: pixels below the threshold that best parts the logarithms of
/// the total counts in two (Otsu, IEEE Trans. SMC 9 (1979) 62), if it parts them well: the two classes make up at least
/// 82 % of the variance (a normal distribution cut in two has 64 %, a uniform one 75 %), the lower one has less than a
/// fifth of the upper one's counts, and they lie more than five standard deviations of the noise apart. Otherwise
/// nothing is vacuum. A pixel whose counts are not finite is not masked: its status says what it is.
std::vector<std::uint8_t> make_mask(const Image& image, const MaskOptions& options, const RunContext& context);

}  // namespace elver
