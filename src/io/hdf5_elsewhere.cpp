#include <filesystem>

#include "io/hdf5.hpp"
#include "types/text.hpp"

/// Values that lie in other files: what of it HDF5 would pass over in silence is checked here.
namespace elver::hdf5 {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(hid_t dataset) {
  std::string name(4096, '\0');
  const ssize_t size = H5Fget_name(dataset, name.data(), name.size());
  name.resize(size > 0 && static_cast<std::size_t>(size) < name.size() ? static_cast<std::size_t>(size) : 0);
  return fs::path(name).parent_path();
}

/// The size of a file that a data set names. Throws Error{input} where there is none.
std::uint64_t size_of(hid_t dataset, const fs::path& folder, const std::string& name) {
  std::error_code error;
  const fs::path path = fs::path(name).is_absolute() ? fs::path(name) : folder / name;
  const std::uint64_t size = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
  if (error || size == 0) fail_read(dataset, "its values lie in " + path.string() + ", which is not there", "Put it back beside the file");
  return size;
}

template <class Name>
std::string name_from(const Name& get) {
  const ssize_t size = get(nullptr, 0);
  std::string name(size > 0 ? static_cast<std::size_t>(size) + 1 : 0, '\0');
  if (size > 0) get(name.data(), name.size());
  return name.substr(0, name.find('\0'));
}

}  // namespace

std::uint64_t bytes_elsewhere(hid_t dataset, hid_t creation) {
  const fs::path folder = folder_of(dataset);
  std::uint64_t sum = 0;
  for (int i = 0; i < H5Pget_external_count(creation); ++i) {
    std::string name(4096, '\0');
    off_t offset = 0;
    hsize_t size = 0;
    if (H5Pget_external(creation, static_cast<unsigned>(i), name.size() - 1, name.data(), &offset, &size) < 0) fail_read(dataset, "");
    name.resize(name.find('\0'));
    const std::uint64_t there = size_of(dataset, folder, name), start = static_cast<std::uint64_t>(offset);
    if (size != H5F_UNLIMITED && (start > there || size > there - start)) {
      fail_read(dataset, text("%s has %llu bytes and should hold %llu from byte %llu on", name.c_str(), static_cast<unsigned long long>(there),
                              static_cast<unsigned long long>(size), static_cast<unsigned long long>(start)));
    }
    sum += there;
  }
  std::size_t sources = 0;
  if (H5Pget_layout(creation) != H5D_VIRTUAL) return sum;
  if (H5Pget_virtual_count(creation, &sources) < 0) fail_read(dataset, "");
  for (std::size_t i = 0; i < sources; ++i) {
    const std::string name = name_from([&](char* out, std::size_t size) { return H5Pget_virtual_filename(creation, i, out, size); });
    if (name.find('%') != name.npos) fail_read(dataset, "its values lie in a series of files, \"" + name + "\"", "Copy them into one file");
    hsize_t own = 0;
    const Handle file(H5Iget_file_id(dataset));
    if (name == ".") {
      H5Fget_filesize(file.get(), &own);
      sum += own;
    } else {
      sum += size_of(dataset, folder, name);
    }
  }
  return sum;
}

}  // namespace elver::hdf5
