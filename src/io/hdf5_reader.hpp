#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "io/hdf5_image.hpp"
#include "io/reader.hpp"

/// What the readers of formats that lie in HDF5 share.
namespace elver {

/// The signature of HDF5: at 0, or at 512, 1024, 2048, ... after a user block.
bool is_hdf5(std::span<const std::byte> head);

/// One format that lies in HDF5.
struct Hdf5Reader {
  FormatInfo about;
  /// By the marks that its writers leave. May throw Error{input}, which is a no.
  bool (*recognises)(hid_t file);
  /// The images with their axes arranged. Throws Error{input} for a malformed file.
  std::vector<std::unique_ptr<Image>> (*read)(hid_t file, const OpenOptions& options);
};
extern const Hdf5Reader hspy_reader;
extern const Hdf5Reader ncem_reader;
extern const Hdf5Reader nexus_reader;
extern const Hdf5Reader nion_reader;
extern const Hdf5Reader velox_reader;
extern const Hdf5Reader any_hdf5_reader;  ///< takes what no other does

/// A group if it is there, and is one; so for a data set.
hdf5::Handle group_if(hid_t location, const std::string& path);
hdf5::Handle dataset_if(hid_t location, const std::string& path);

/// The groups below `location` (itself first, ""), outer ones first, as paths. Stops at 16 levels and 10,000 groups: a
/// file may hold itself.
std::vector<std::string> groups_below(hid_t location);
/// The data sets below, likewise.
std::vector<std::string> datasets_below(hid_t location);

/// The numbers of a table that goes with an axis of this size: none where it has other than `size` or `size` + 1, so that
/// no more is unpacked than the axis needs. Throws Error{input}.
std::vector<double> read_positions(hid_t location, const std::string& path, std::uint64_t size);
/// Offset and scale of positions that are evenly spaced, to a millionth of their span. Returns what is wrong, or "".
std::string put_positions(std::span<const double> positions, Axis& axis);

/// Text of one byte an element: all of a list, the first column of a table. Velox keeps its JSON so.
std::string text_of_bytes(hid_t dataset);
/// The number at a JSON pointer, as a number or as a text that holds one.
std::optional<double> number_at(const nlohmann::json& json, const std::string& pointer);
/// The text at a JSON pointer, or "".
std::string text_at(const nlohmann::json& json, const std::string& pointer);

/// The image whose values are the data set at `path`. In: `info` with id, title and axes; `places`: for each axis its
/// place in the data set, where they are not in its order. `by_order`: as arrange_axes. Throws Error{input} when the data
/// set cannot be read.
std::unique_ptr<Image> hdf5_image(ImageInfo info, hid_t file, const std::string& path,
                                  const std::vector<std::size_t>& places, std::optional<std::size_t> by_order,
                                  const OpenOptions& options, bool only_image);

}  // namespace elver
