#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "elver/error.hpp"
#include "io/hdf5.hpp"
#include "types/text.hpp"

namespace elver::hdf5 {
namespace {

std::string path_of(hid_t object) {
  std::string name(1024, '\0');
  const ssize_t size = H5Iget_name(object, name.data(), name.size());
  name.resize(size > 0 ? std::min<std::size_t>(static_cast<std::size_t>(size), name.size() - 1) : 0);
  return name;
}

/// Of the filters that HDF5 files are found with but that HDF5 itself does not bring.
std::string filter_name(H5Z_filter_t filter) {
  switch (filter) {
    case 305:
      return "LZO";
    case 307:
      return "BZIP2";
    case 32000:
      return "LZF";
    case 32001:
      return "Blosc";
    case 32004:
      return "LZ4";
    case 32008:
      return "Bitshuffle";
    case 32013:
      return "ZFP";
    case 32015:
      return "Zstandard";
    case 32026:
      return "Blosc2";
    case H5Z_FILTER_SZIP:
      return "SZIP";
    default:
      return text("number %d", static_cast<int>(filter));
  }
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {  // saturates
  return b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b ? std::numeric_limits<std::uint64_t>::max()
                                                                     : a * b;
}

/// Filter number `i` of a data set; negative if it cannot be read.
H5Z_filter_t filter_at(hid_t creation, int i) {
  unsigned flags = 0, config = 0;
  std::size_t values = 0;
  char name[64] = "";
  return H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, sizeof name, name, &config);
}

/// How far stored bytes can grow when read.
std::uint64_t expansion(hid_t creation) {
  std::uint64_t ratio = 1;
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    const H5Z_filter_t filter = filter_at(creation, i);
    if (filter == H5Z_FILTER_DEFLATE) {
      ratio = times(ratio, 1032);  // zlib's limit
    } else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
      ratio = times(ratio, 100);
    }
  }
  return ratio;
}

bool is_number(H5T_class_t kind, bool integer_wanted) {
  return kind == H5T_INTEGER || kind == H5T_ENUM || (kind == H5T_FLOAT && !integer_wanted);
}

}  // namespace

std::vector<hsize_t> shape(hid_t dataset) {
  const auto held = lock();
  const Handle space(H5Dget_space(dataset));
  const int rank = space ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (rank < 0 || H5Sget_simple_extent_type(space.get()) == H5S_NULL)
    fail_read(dataset, path_of(dataset) + " holds no array");
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  return dims;
}

std::string missing_filter(hid_t dataset) {
  const auto held = lock();
  const Handle creation(H5Dget_create_plist(dataset));
  const int count = creation ? H5Pget_nfilters(creation.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const H5Z_filter_t filter = filter_at(creation.get(), i);
    if (filter < 0 || H5Zfilter_avail(filter) <= 0) return filter_name(filter);
  }
  return "";
}

std::uint64_t most_unpacked(hid_t file) {
  constexpr std::uint64_t kAlways = 64 << 20;
  hsize_t size = 0;
  const auto held = lock();
  return H5Fget_filesize(file, &size) < 0 ? kAlways : std::max(kAlways, times(4, size));
}

std::uint64_t check_readable(hid_t dataset) {
  const auto held = lock();
  const Handle creation(H5Dget_create_plist(dataset));
  const Handle type(H5Dget_type(dataset));
  if (!creation || !type) fail_read(dataset, "");
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  const bool elsewhere = layout == H5D_VIRTUAL || H5Pget_external_count(creation.get()) > 0;
  if (elsewhere && !may_leave(dataset)) {
    fail_read(dataset, path_of(dataset) + " keeps its values in another file", kFollow);
  }
  if (const std::string filter = missing_filter(dataset); !filter.empty()) {
    fail_read(dataset, path_of(dataset) + " is compressed with the filter " + filter + ", which is not at hand",
              "Install HDF5's plug-in for it, or save the file with gzip (in HyperSpy: s.save(..., compression=\"gzip\"))");
  }
  std::uint64_t elements = 1;
  for (const hsize_t n : shape(dataset)) elements = times(elements, n);
  const std::uint64_t element = std::max<std::uint64_t>(1, H5Tget_size(type.get()));

  // What is read is bounded by what is stored, and that by the file's own size. A little is allowed on top for values
  // that were never written.
  constexpr std::uint64_t kNeverWritten = 1U << 16;
  hsize_t file_size = 0;
  const Handle file(H5Iget_file_id(dataset));
  if (!file || H5Fget_filesize(file.get(), &file_size) < 0) fail_read(dataset, "");
  const std::uint64_t stored = elsewhere ? bytes_elsewhere(dataset, creation.get())
                                         : std::min<std::uint64_t>(H5Dget_storage_size(dataset), file_size);
  const std::uint64_t growth = layout == H5D_VIRTUAL ? 1032 : expansion(creation.get());
  const std::uint64_t limit = std::max(kNeverWritten, times(stored, growth));
  std::uint64_t largest = times(elements, element);
  if (layout == H5D_CHUNKED && elements > 0) {
    hsize_t chunk[H5S_MAX_RANK];
    const int rank = H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk);
    std::uint64_t bytes = element;
    for (int i = 0; i < rank; ++i) bytes = times(bytes, chunk[i]);
    largest = std::max(largest, bytes);  // HDF5 unpacks whole chunks
    if (bytes > most_unpacked(file.get())) {
      fail_read(dataset, path_of(dataset) + text(" is stored in chunks of %llu bytes, far more than the file has", static_cast<unsigned long long>(bytes)),
                "Write it again with smaller chunks");
    }
  }
  if (largest > limit) {
    fail_read(
        dataset,
        path_of(dataset) + text(" declares %llu values of %llu bytes but stores %llu bytes",
                                static_cast<unsigned long long>(elements), static_cast<unsigned long long>(element),
                                static_cast<unsigned long long>(stored)),
        "The file is damaged or incomplete");
  }
  return elements;
}

Handle text_type(H5T_cset_t set) {
  const auto held = lock();
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), set);
  return type;
}

Handle boolean_type() {
  const auto held = lock();
  constexpr std::int8_t kFalse = 0, kTrue = 1;
  Handle type(H5Tenum_create(H5T_NATIVE_INT8));
  H5Tenum_insert(type.get(), "FALSE", &kFalse);
  H5Tenum_insert(type.get(), "TRUE", &kTrue);
  return type;
}

template <>
hid_t native_type<char>() {
  return H5T_NATIVE_CHAR;
}
template <>
hid_t native_type<signed char>() {
  return H5T_NATIVE_SCHAR;
}
template <>
hid_t native_type<unsigned char>() {
  return H5T_NATIVE_UCHAR;
}
template <>
hid_t native_type<short>() {
  return H5T_NATIVE_SHORT;
}
template <>
hid_t native_type<unsigned short>() {
  return H5T_NATIVE_USHORT;
}
template <>
hid_t native_type<int>() {
  return H5T_NATIVE_INT;
}
template <>
hid_t native_type<unsigned>() {
  return H5T_NATIVE_UINT;
}
template <>
hid_t native_type<long>() {
  return H5T_NATIVE_LONG;
}
template <>
hid_t native_type<unsigned long>() {
  return H5T_NATIVE_ULONG;
}
template <>
hid_t native_type<long long>() {
  return H5T_NATIVE_LLONG;
}
template <>
hid_t native_type<unsigned long long>() {
  return H5T_NATIVE_ULLONG;
}
template <>
hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native_type<std::byte>() {
  return H5T_NATIVE_UCHAR;
}

template <class Number>
std::vector<Number> read(hid_t location, const std::string& path) {
  const auto held = lock();
  const Handle dataset = open_dataset(location, path);
  const Handle type(H5Dget_type(dataset.get()));
  if (!is_number(H5Tget_class(type.get()), !std::is_floating_point_v<Number>)) {
    fail_read(dataset.get(),
              path_of(dataset.get()) + (std::is_floating_point_v<Number> ? " holds no numbers" : " holds no integers"));
  }
  std::vector<Number> values(check_readable(dataset.get()));
  if (!values.empty() &&
      H5Dread(dataset.get(), native_type<Number>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    fail_read(dataset.get(), "");
  }
  return values;
}

std::vector<std::string> read_strings(hid_t location, const std::string& path) {
  const auto held = lock();
  const Handle dataset = open_dataset(location, path);
  const Handle type(H5Dget_type(dataset.get()));
  if (H5Tget_class(type.get()) != H5T_STRING) fail_read(dataset.get(), path_of(dataset.get()) + " holds no text");
  const std::uint64_t count = check_readable(dataset.get());
  const std::vector<hsize_t> dims = shape(dataset.get());
  if (dims.size() > 1) fail_read(dataset.get(), path_of(dataset.get()) + " is not a list of texts");
  std::vector<std::string> out;
  if (count == 0) return out;
  if (H5Tis_variable_str(type.get()) > 0) return read_dataset_texts(dataset.get(), count);
  const std::size_t size = H5Tget_size(type.get());
  std::vector<char> bytes(count * size);
  if (H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) fail_read(dataset.get(), "");
  for (std::uint64_t i = 0; i < count; ++i) out.emplace_back(&bytes[i * size], strnlen(&bytes[i * size], size));
  return out;
}

#define ELVER_HDF5_NUMBER(Number) template std::vector<Number> read<Number>(hid_t, const std::string&);
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
