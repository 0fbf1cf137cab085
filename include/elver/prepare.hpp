#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elver/energy.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How many rows and columns of the acquisition are summed into one pixel.
struct Binning {
  std::uint64_t rows = 1, columns = 1;
  bool operator==(const Binning&) const = default;
};
/// "2x3": rows x columns. Throws Error{usage} for anything else.
Binning parse_binning(const std::string& text);

/// What every pixel's energy axis is put right by.
enum class AlignBy : std::uint8_t { nothing, edge, zero_loss };
struct AlignRequest {
  AlignBy by = AlignBy::nothing;
  std::vector<std::string> edges;   ///< followed together
  std::filesystem::path zero_loss;  ///< an image of the same shape (before binning) with the zero-loss peak
  std::string zero_loss_dataset;    ///< where the file holds several
};
/// "edge" and "O_K" or "Mn_L3,Ni_L3"; "zlp" and a file. Throws Error{usage} for anything else.
AlignRequest parse_align(const std::string& kind, const std::string& what);

/// What is done about values that are X-rays' or cosmic rays' and not the electrons'.
enum class Spikes : std::uint8_t { keep, replace };
/// How the counts of an image are looked at for what they are; see look_at_counts.
enum class Counts : std::uint8_t { trust, look };

/// What is done to an image before anything is computed from it, in this order: a pedestal is taken off, pixels are
/// summed, spikes replaced, each pixel's energy axis is put right, then that of all.
struct Preparation {
  double pedestal = 0;  ///< counts in every channel that are no electrons
  Binning bin;
  Spikes spikes = Spikes::keep;
  Counts counts = Counts::trust;
  AlignRequest align = {};
  /// A file that elver wrote, of the same spectrometer setting: what its axis was moved by at its first channel, and its
  /// gain, are this axis's too. Marks then correct what is left (one mark: the offset alone).
  std::filesystem::path axis_from = {};
  std::vector<Mark> marks = {};
  /// In place of marks: the energy axis is put right by these, a model's, by itself.
  std::optional<std::vector<ReferenceSpectrum>> references = {};
};

/// How many values were replaced, and in how many pixels.
struct SpikeCount {
  std::uint64_t values = 0, pixels = 0;
};

/// What was done, and found while doing it.
struct PreparationRecord {
  std::optional<double> pedestal;
  std::optional<Binning> bin;
  std::optional<SpikeCount> spikes;
  std::optional<AlignRequest> align;  ///< done now
  std::optional<Alignment> alignment;
  std::optional<Calibration> calibration;
  std::string axis_from;        ///< the file that it was carried over from, or ""
  std::vector<PixelMap> maps;      ///< what is known of each pixel
  std::vector<std::string> notes;  ///< what the user should know
  std::string earlier_json;        ///< the record in the file of what was done before ("" if none)
};

/// Replaces spikes: values more than eight standard deviations above what the pixel's own spectrum shows two channels
/// beside, down to less than half of their height there, and as far above what each of the up to 14 neighbours within a
/// row and two columns shows there and one channel beside. So sharp lines and the zero loss, which neighbours have too,
/// stay. A spike becomes the neighbours' median, brought to the pixel's level; values beside it that stand out go too.
/// `map`: how many values of each pixel were replaced. Throws Error{mismatch} where there are no neighbours.
std::unique_ptr<Image> despiked_image(std::unique_ptr<Image> image, SpikeCount& count, std::vector<float>& map,
                                      const RunContext& context);

/// The record as JSON, with what stood in the file already: goes into run.json and original_metadata/elver under
/// "preparation", where prepare() finds it again.
std::string preparation_json(const PreparationRecord& record);

struct Prepared {
  std::unique_ptr<Image> image;
  PreparationRecord record;
};
/// Does what is asked and was not done before: a file that elver wrote says what was, and the same request on it
/// changes nothing. Binning counts from the acquisition: 4x4 of a file that was binned 2x2 sums 2x2 of its pixels.
/// Throws Error{usage}, Error{mismatch} for what does not fit the image.
Prepared prepare(std::unique_ptr<Image> image, const Preparation& options, const RunContext& context);

/// What the counts are, if not sums of electrons, in words; nothing for electrons, or where there is too little to say.
/// Up to 2048 pixels are looked at: the variance of their channels (from second differences, the mean spectrum taken
/// off) over the mean gives the counts of one electron by its slope, and a pedestal (as Velox adds to each frame) or
/// read-out noise by its intercept; values that are whole multiples of k, or of 1/n, are scaled, or averages.
std::vector<std::string> look_at_counts(const Image& image, const RunContext& context);

/// As it is written: `image` itself, or, where it is aligned, on_one_axis of it, which `storage` then holds.
const Image& as_written(const Image& image, std::unique_ptr<Image>& storage);

/// The image less so many counts in every channel; whole counts stay whole, and may be negative. Throws Error{usage}
/// where the counts are whole and the pedestal is not.
std::unique_ptr<Image> off_pedestal(std::unique_ptr<Image> image, double counts);

/// Sums `bin.rows` x `bin.columns` pixels into one; rows and columns left over at the end are dropped. Axes follow: a
/// pixel lies in the middle of those that it is made of. Whole numbers stay whole in a type wide enough for the sum.
/// Throws Error{mismatch} for more rows or columns than there are.
std::unique_ptr<Image> binned_image(std::unique_ptr<Image> image, Binning bin);

}  // namespace elver
