#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How to read what a file leaves open.
struct OpenOptions {
  std::string dataset;                  ///< id or title of one image; "" picks the one EELS spectrum image
  std::string energy_axis;              ///< name or C-order index of the energy axis, where the file does not say
  std::optional<double> offset_ev;      ///< in place of the file's
  std::optional<double> dispersion_ev;  ///< in place of the file's
  bool follow_links = false;            ///< an HDF5 file may take values from other files that it names
};

/// A format that elver reads or writes: what `elver formats` prints.
struct FormatInfo {
  std::string_view name, title, extensions, carries;
};

struct File {
  std::filesystem::path path;
  std::string format;  ///< a FormatInfo's name; "dm3" or "dm4" for Gatan's
  std::vector<std::unique_ptr<Image>> images;
};

/// Opens a file of any format (found by content, not by name) and lists every image in it.
/// Throws Error{input} for a malformed file.
File open_file(const std::filesystem::path& path, const OpenOptions& options = {});

/// Every format, in the order in which they are tried.
std::vector<FormatInfo> formats_read();

/// The selected image of a file, with values that elver can read and, where `need_energy`, an energy axis.
std::unique_ptr<Image> open_image(const std::filesystem::path& path, const OpenOptions& options = {});

/// The description of a file as `elver info --json` prints it, with what is to be said of its selected image.
std::string info_json(const File& file, const std::vector<std::string>& notes = {});

/// What a HyperSpy signal says of itself.
struct SignalHeader {
  std::string title;
  std::vector<Axis> axes;  ///< C order. Role `energy`: signal axis of a spectrum
  NumberType type = NumberType::f32;
  bool map = false;         ///< true: the last two are signal axes (Signal2D); false: navigation before the energy axis
  std::string signal_type;  ///< "EELS" or ""
  std::string quantity;     ///< with its unit, for example "Li per formula unit"
  std::optional<double> beam_energy_kev, convergence_mrad, collection_mrad, dwell_s;
  std::string record_json = "{}";  ///< what was done; goes into original_metadata/elver
};
/// The header that keeps everything an image says of itself.
SignalHeader header_of(const Image& image);
/// The header of a map of its pixels: its navigation axes, two or more.
SignalHeader map_header(const Image& image, const PixelMap& map);

/// Writes signals into a file beside its place; commit() renames it there, and only then does it exist. Without commit
/// nothing is left behind. All throw Error{output}; Error{mismatch} for what the format cannot hold: complex and RGB
/// values, a second signal where it holds one, spectra where it holds maps.
class SignalWriter {
 public:
  SignalWriter() = default;
  SignalWriter(const SignalWriter&) = delete;
  SignalWriter& operator=(const SignalWriter&) = delete;
  virtual ~SignalWriter() = default;
  /// `values` in C order of the axes, native byte order.
  void add(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context = {});
  /// Streams an image through without holding it in memory.
  void add(const SignalHeader& header, const Image& image, const RunContext& context = {});
  virtual void commit() = 0;

 protected:
  /// The values of these pixels, in C order, valid until it is called again.
  using Block = std::function<const std::byte*(PixelRange)>;
  virtual void put(const SignalHeader& header, const Block& block, const RunContext& context) = 0;
};

/// HyperSpy's .hspy, format 3.3: any number of signals.
class HspyWriter : public SignalWriter {
 public:
  explicit HspyWriter(const std::filesystem::path& path);
  ~HspyWriter() override;
  void commit() override;

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Every format that elver writes.
std::vector<FormatInfo> formats_written();
/// The format that a file's extension names. Throws Error{usage} where there is none that holds spectrum images.
FormatInfo format_to_write(const std::filesystem::path& path);
/// Writes an image in the format that the extension names, whole or not at all; `record_json` (what was done) and `maps`
/// (of its pixels) go where the format can hold them. Returns what it cannot hold, a sentence each.
/// Throws as SignalWriter, and Error{usage} as format_to_write.
std::vector<std::string> write_image(const std::filesystem::path& path, const Image& image,
                                     const std::string& record_json, std::span<const PixelMap> maps,
                                     const RunContext& context);

/// Files that appear together or not at all: each is written into a hidden folder beside, commit() renames them
/// into `directory` (made if absent). The destructor removes what was not committed, and the directory if it was made
/// for nothing. What a killed run left in `directory` is taken away, and an older result that it had put aside is put
/// back. Throws Error{output}.
class OutputSet {
 public:
  explicit OutputSet(std::filesystem::path directory);
  ~OutputSet();
  OutputSet(const OutputSet&) = delete;
  OutputSet& operator=(const OutputSet&) = delete;
  const std::filesystem::path& directory() const { return directory_; }
  /// Where to write the file that will be `directory/name`.
  std::filesystem::path stage(const std::string& name);
  void write_text(const std::string& name, std::string_view text);
  /// A file of an earlier result that commit() takes away; nothing happens where there is none.
  void supersede(const std::string& name);
  const std::vector<std::string>& names() const { return names_; }
  void commit();

 private:
  std::filesystem::path directory_, staging_;
  int lock_ = -1;  ///< on the staging folder, as long as the process lives
  std::vector<std::filesystem::path> made_;  ///< directories that were not there before, innermost first
  std::vector<std::string> names_, superseded_;
};

class PartialFile;

/// One file written beside and renamed. Throws Error{output}.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
/// A float32 matrix as NumPy .npy, C order, filled in any order by any threads; written beside and, by commit(),
/// renamed. Without commit nothing is left behind. Throws Error{output}.
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t columns);
  /// `shape` as NumPy writes a tuple's inside: "5," or "5, 3".
  NpyWriter(const std::filesystem::path& path, const std::string& shape);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;
  /// `values` from element `first` on, counted in C order.
  void write(std::uint64_t first, std::span<const float> values);
  void commit();

 private:
  std::unique_ptr<PartialFile> file_;
  std::uint64_t data_start_ = 0;
};

/// float32 vector as NumPy .npy. Written beside and renamed.
void write_npy(const std::filesystem::path& path, std::span<const float> values);
/// float32 matrix as NumPy .npy (rows, columns), C order. Written beside and renamed.
void write_npy(const std::filesystem::path& path, std::span<const float> values, std::uint64_t rows,
               std::uint64_t columns);

}  // namespace elver
