#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elver/io.hpp"

/// What the format readers share: the table of readers, the bytes of a file, and the one rule that finds the energy
/// axis.
namespace elver {

struct Mapping;  ///< of a file, in mapped_file.cpp

/// The bytes of a file, and who keeps them alive: a mapping, or memory.
struct Bytes {
  std::span<const std::byte> span;
  std::shared_ptr<const void> owner;
  int file = -1;  ///< of a whole mapped file: its descriptor, open as long as `owner` lives
  const Mapping* mapping = nullptr;
};

/// One format. Adding one: a file of its own in src/io, a declaration below (of one in HDF5: in hdf5_reader.hpp), a
/// line in the table in open.cpp.
struct Reader {
  FormatInfo about;
  /// By content: `head` is the first few kB of the file (all of it, if it is shorter).
  bool (*recognises)(const std::filesystem::path& path, std::span<const std::byte> head);
  /// Lists the images with their axes arranged (arrange_axes). Picks none: open_file does. Throws std::runtime_error that
  /// says what is wrong with a malformed file.
  File (*read)(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options);
  const char* todo;  ///< what to do about a malformed file
};
extern const Reader dm_reader;
extern const Reader msa_reader;
extern const Reader npy_reader;
extern const Reader ripple_reader;
extern const Reader swift_reader;

/// Maps a whole file, read-only. Throws Error{input} when it is missing, a folder, empty or not readable. Where the file
/// becomes shorter, or its disk fails, while it is read, zeros are read and check_whole throws.
Bytes map_file(const std::filesystem::path& path);
/// The same file mapped once more: pages read through it are this program's memory as long as it is there. The same bytes
/// where there is no room for another mapping.
Bytes map_again(const Bytes& bytes);
/// Throws Error{input} where bytes of a mapped file were read that are no longer there.
void check_whole(const Bytes& bytes);
/// Copies bytes of a mapped file past the mapping. Throws Error{input} when they cannot be read, Error{interrupted} as fetch.
void copy_from_file(const Bytes& bytes, std::size_t offset, std::span<std::byte> out);
/// The pages of a mapped file that were read so far no longer count as this program's memory.
void give_back_pages(const Bytes& bytes) noexcept;
/// Tells the system that some bytes of a mapped file are read next; hardly waits for them. Throws Error{interrupted} as fetch.
void will_need(const Bytes& bytes, std::span<const std::byte> part);
/// Waits until they are there, so that reading them costs hardly a page fault. Throws Error{input} where the file has none
/// any more, and Error{interrupted} between pieces (reads_for.hpp).
void fetch(const Bytes& bytes, std::span<const std::byte> part);
/// Throws as map_file does, and maps nothing.
void check_file(const std::filesystem::path& path);

/// Reads from bytes wherever they are; `path` is for names, messages and what lies beside. Throws Error{input} for a
/// malformed file.
File read_with(const Reader& reader, const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options);
/// (HDF5 of any format. This one copies the bytes; opened by path, values stay in the file.)
File read_hdf5(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options);

/// Finds the energy axis of an image and puts it last; sets roles and `kind`; turns keV and meV into eV.
/// In: `info` with id, title, signal type and axes in the C order of the file. Out: for each axis of `info` its place
/// in that order. The energy axis is, in this order: what --energy-axis says; the axis with a unit that holds "eV"; the
/// axis named as an energy; the axis `by_order`, where the format is known to hold spectra.
/// Without one, an image of three or more axes is a stack. `only_image`: the file holds no other image.
/// Throws Error{usage} when --energy-axis names no axis of this image.
std::vector<std::size_t> arrange_axes(ImageInfo& info, std::optional<std::size_t> by_order, const OpenOptions& options,
                                      bool only_image);

/// Checks the axes, picks the image that commands use, and puts --offset-ev and --dispersion-ev in place there.
/// Throws Error{input} when no image has usable axes, Error{usage} when --dataset fits none or several.
void finish_file(File& file, const OpenOptions& options);

/// True for "eV", "keV" and any other unit that holds "eV".
bool is_energy_unit(std::string_view unit);

/// Beam energies above 1000 are volts, whatever the format says. Nothing for 0 and for what is no number.
std::optional<double> kilovolts(double number);

/// The product of the sizes, or nothing if one of them is 0 or the product does not fit.
std::optional<std::uint64_t> checked_product(std::span<const std::uint64_t> sizes);

}  // namespace elver
