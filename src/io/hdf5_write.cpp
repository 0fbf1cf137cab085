#include <algorithm>

#include "elver/error.hpp"
#include "io/hdf5.hpp"
#include "types/text.hpp"

namespace elver::hdf5 {
namespace {

Handle create(hid_t location, const std::string& path, hid_t type, const std::vector<hsize_t>& dims, hid_t creation) {
  const Handle space(dims.empty() ? H5Screate(H5S_SCALAR)
                                  : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const Handle link(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(link.get(), 1);
  H5Pset_char_encoding(link.get(), H5T_CSET_UTF8);
  Handle dataset(H5Dcreate2(location, path.c_str(), type, space.get(), link.get(), creation, H5P_DEFAULT));
  if (!dataset) fail_write(location);
  return dataset;
}

/// Whole data set, down to the file: closing it could not say that the disk is full.
void put(hid_t dataset, hid_t type, const void* values, std::size_t count) {
  if (count > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) fail_write(dataset);
  if (H5Dflush(dataset) < 0) fail_write(dataset);
}

}  // namespace

template <class Number>
void write(hid_t location, const std::string& path, std::span<const Number> values, const std::vector<hsize_t>& dims,
           bool compress) {
  const auto held = lock();
  std::uint64_t count = 1;
  for (const hsize_t n : dims) count *= n;
  if (count != values.size()) {
    throw Error(ErrorKind::output, "cannot write " + path,
                text("%zu values for a shape of %llu", values.size(), static_cast<unsigned long long>(count)));
  }
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(creation.get(), false);  // the same content gives the same bytes
  if (compress && !dims.empty() && values.size_bytes() > 4096) {
    // About 1 MB a chunk, whole rows of the last axes.
    std::vector<hsize_t> chunk = dims;
    std::uint64_t bytes = values.size_bytes();
    for (std::size_t i = 0; i < chunk.size() && bytes > 1'000'000; ++i) {
      bytes /= chunk[i];
      chunk[i] = std::clamp<hsize_t>(1'000'000 / std::max<std::uint64_t>(bytes, 1), 1, dims[i]);
      bytes *= chunk[i];
    }
    H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(creation.get());
    H5Pset_deflate(creation.get(), 4);
  }
  const Handle dataset = create(location, path, native_type<Number>(), dims, creation.get());
  put(dataset.get(), native_type<Number>(), values.data(), values.size());
}

void write_strings(hid_t location, const std::string& path, const std::vector<std::string>& values) {
  const auto held = lock();
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  const Handle type = text_type();
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(creation.get(), false);
  const Handle dataset = create(location, path, type.get(), {pointers.size()}, creation.get());
  put(dataset.get(), type.get(), pointers.data(), pointers.size());
}

#define ELVER_HDF5_NUMBER(Number) \
  template void write<Number>(hid_t, const std::string&, std::span<const Number>, const std::vector<hsize_t>&, bool);
ELVER_HDF5_NUMBER(char)
ELVER_HDF5_NUMBER(signed char)
ELVER_HDF5_NUMBER(unsigned char)
ELVER_HDF5_NUMBER(short)
ELVER_HDF5_NUMBER(unsigned short)
ELVER_HDF5_NUMBER(int)
ELVER_HDF5_NUMBER(unsigned)
ELVER_HDF5_NUMBER(long)
ELVER_HDF5_NUMBER(unsigned long)
ELVER_HDF5_NUMBER(long long)
ELVER_HDF5_NUMBER(unsigned long long)
ELVER_HDF5_NUMBER(float)
ELVER_HDF5_NUMBER(double)
ELVER_HDF5_NUMBER(std::byte)
#undef ELVER_HDF5_NUMBER

}  // namespace elver::hdf5
