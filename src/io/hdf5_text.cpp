#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "elver/error.hpp"
#include "io/hdf5.hpp"

// Texts of any length lie in "global heaps", and what the file holds in their place is a length, an address and a
// number. HDF5 1.10 believes all three, whatever a damaged file says: it allocates gigabytes, hangs, or writes beyond
// its buffer. So they are read here, from the file's own bytes (HDF5 File Format Specification 3.0, III.E).
namespace elver::hdf5 {
namespace {

/// Where a text lies.
struct Place {
  std::uint64_t length = 0, heap = 0, index = 0;
};

std::uint64_t little_endian(const std::byte* at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(at[i]);
  return value;
}

/// Hands a text's place out as it lies in the file.
herr_t keep_bytes(hid_t from, hid_t to, H5T_cdata_t* conversion, std::size_t, std::size_t, std::size_t, void*, void*,
                  hid_t) {
  if (conversion->command != H5T_CONV_INIT) return 0;
  conversion->need_bkg = H5T_BKG_NO;
  return H5Tget_class(to) == H5T_OPAQUE && H5Tis_variable_str(from) > 0 ? 0 : -1;
}

/// The bytes of an open file.
class Source {
 public:
  explicit Source(hid_t file) {
    const Handle creation(H5Fget_create_plist(file));
    const Handle access(H5Fget_access_plist(file));
    void* handle = nullptr;
    hsize_t size = 0, before = 0;
    if (!creation || !access || H5Fget_vfd_handle(file, access.get(), &handle) < 0 || handle == nullptr ||
        H5Fget_filesize(file, &size) < 0 || H5Pget_userblock(creation.get(), &before) < 0 ||
        H5Pget_sizes(creation.get(), &address_bytes_, &size_bytes_) < 0) {
      return;
    }
    size_ = size;
    base_ = before;
    if (H5Pget_driver(access.get()) == H5FD_CORE) {
      memory_ = *static_cast<const std::byte* const*>(handle);
    } else {
      descriptor_ = *static_cast<const int*>(handle);
    }
  }
  std::size_t address_bytes() const { return address_bytes_; }
  std::size_t size_bytes() const { return size_bytes_; }
  std::uint64_t size() const { return size_; }
  /// The bytes at an address; false if they are not all there.
  bool read(std::uint64_t address, std::span<std::byte> out) const {
    if (address > size_ || base_ > size_ - address || out.size() > size_ - address - base_) return false;
    const std::uint64_t at = base_ + address;
    if (memory_ != nullptr) {
      std::memcpy(out.data(), memory_ + at, out.size());
      return true;
    }
    for (std::size_t done = 0; done < out.size();) {
      const ssize_t n = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }

 private:
  const std::byte* memory_ = nullptr;
  int descriptor_ = -1;
  std::uint64_t size_ = 0, base_ = 0;
  std::size_t address_bytes_ = 8, size_bytes_ = 8;
};

/// One global heap, kept for the texts that follow.
class Heap {
 public:
  explicit Heap(const Source& source) : source_(source) {}

  std::optional<std::string> text(const Place& place) {
    if (place.length == 0) return std::string();
    if (place.heap != address_ && !load(place.heap)) return std::nullopt;
    const std::size_t header = 8 + source_.size_bytes();
    for (std::size_t at = padded(header); at + header <= bytes_.size();) {
      const std::uint64_t index = little_endian(&bytes_[at], 2);
      const std::uint64_t size = little_endian(&bytes_[at + 8], source_.size_bytes());
      const std::size_t start = padded(at + header);
      if (index == 0 || start > bytes_.size() || size > bytes_.size() - start) return std::nullopt;
      if (index == place.index) {
        if (place.length > size) return std::nullopt;
        const char* const first = reinterpret_cast<const char*>(&bytes_[start]);
        return std::string(first, strnlen(first, place.length));
      }
      at = padded(start + size);
    }
    return std::nullopt;
  }

 private:
  static std::size_t padded(std::uint64_t offset) { return static_cast<std::size_t>((offset + 7) / 8 * 8); }

  bool load(std::uint64_t address) {
    address_ = std::numeric_limits<std::uint64_t>::max();
    std::byte head[16];
    const std::span start(head, 8 + source_.size_bytes());
    if (source_.size_bytes() > 8 || !source_.read(address, start) || std::memcmp(head, "GCOL\1", 5) != 0) return false;
    const std::uint64_t size = little_endian(head + 8, source_.size_bytes());
    if (size < start.size() || size > source_.size()) return false;
    bytes_.resize(size);
    if (!source_.read(address, bytes_)) return false;
    address_ = address;
    return true;
  }

  const Source& source_;
  std::uint64_t address_ = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::byte> bytes_;
};

/// In a file that is being written the heaps may not lie in the file yet; but then HDF5 knows what it wrote.
template <class Read>
std::vector<std::string> read_trusted(hid_t object, std::uint64_t count, const Read& read) {
  const Handle utf8 = text_type(H5T_CSET_UTF8), ascii = text_type(H5T_CSET_ASCII);
  std::vector<char*> pointers(count, nullptr);
  if (read(utf8.get(), pointers.data()) < 0 && read(ascii.get(), pointers.data()) < 0) fail_read(object, "");
  std::vector<std::string> out;
  for (char* pointer : pointers) {
    out.emplace_back(pointer != nullptr ? pointer : "");
    H5free_memory(pointer);
  }
  return out;
}

template <class Read>
std::vector<std::string> read_texts(hid_t object, std::uint64_t count, const Read& read) {
  const auto held = lock();
  const Handle file(H5Iget_file_id(object));
  unsigned intent = 0;
  if (H5Fget_intent(file.get(), &intent) < 0) fail_read(object, "");
  if ((intent & H5F_ACC_RDWR) != 0) return read_trusted(object, count, read);

  static const bool registered = [] {
    const Handle place(H5Tcreate(H5T_OPAQUE, 16));
    return H5Tregister(H5T_PERS_SOFT, "elver text", text_type().get(), place.get(), keep_bytes) >= 0;
  }();
  const Source source(file.get());
  const std::size_t size = 4 + source.address_bytes() + 4;
  const Handle type(H5Tcreate(H5T_OPAQUE, size));
  std::vector<std::byte> places(count * size);
  if (!registered || source.address_bytes() > 8 || read(type.get(), places.data()) < 0) fail_read(object, "");

  Heap heap(source);
  std::vector<std::string> out;
  std::uint64_t left = source.size();  // texts that all lie in the same place must not grow beyond the file
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::byte* const at = &places[i * size];
    const Place place{little_endian(at, 4), little_endian(at + 4, source.address_bytes()),
                      little_endian(at + 4 + source.address_bytes(), 4)};
    std::optional<std::string> text = heap.text(place);
    if (!text || text->size() > left) fail_read(object, "a text in it is damaged", "The file is damaged or incomplete");
    left -= text->size();
    out.push_back(std::move(*text));
  }
  return out;
}

}  // namespace

std::vector<std::string> read_attribute_texts(hid_t attribute, std::uint64_t count) {
  return read_texts(attribute, count, [&](hid_t type, void* out) { return H5Aread(attribute, type, out); });
}

std::vector<std::string> read_dataset_texts(hid_t dataset, std::uint64_t count) {
  if (count == 0) return {};
  return read_texts(dataset, count,
                    [&](hid_t type, void* out) { return H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out); });
}

}  // namespace elver::hdf5
