#pragma once
#include <hdf5.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// HDF5 with owners instead of handles, and exceptions instead of its error stack. What the format readers, the model
/// file and the spectral library share.
namespace elver::hdf5 {

/// Owns one HDF5 identifier of whatever class; closes it.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  ~Handle() { close(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      close();
      id_ = std::exchange(other.id_, H5I_INVALID_HID);
    }
    return *this;
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  void close() noexcept;
  hid_t id_ = H5I_INVALID_HID;
};

/// The file at `path`, read-only. Throws Error{input}.
Handle open_file(const std::string& path);
/// A new file at `path`. Throws Error{output}.
Handle create_file(const std::string& path);

bool exists(hid_t location, const std::string& path);  ///< every part of the path
Handle open_group(hid_t location, const std::string& path);
Handle open_dataset(hid_t location, const std::string& path);
Handle create_group(hid_t location, const std::string& path);  ///< with the groups above it
std::vector<std::string> children(hid_t group);
std::vector<hsize_t> shape(hid_t dataset);

/// The in-memory HDF5 type of a C++ number.
template <class Number>
hid_t native_type();

/// Whole data set as numbers of this kind, in C order. Throws Error{input} when it is absent, of another class, or
/// declares more bytes than the file could hold.
template <class Number>
std::vector<Number> read(hid_t location, const std::string& path);
std::vector<std::string> read_strings(hid_t location, const std::string& path);

/// A data set of these numbers, compressed (gzip 4, shuffle) when `compress` and larger than a few kB.
template <class Number>
void write(hid_t location, const std::string& path, std::span<const Number> values, const std::vector<hsize_t>& dims,
           bool compress = true);
void write_strings(hid_t location, const std::string& path, const std::vector<std::string>& values);

bool has_attribute(hid_t object, const std::string& name);
std::string string_attribute(hid_t object, const std::string& name, const std::string& otherwise = {});
double number_attribute(hid_t object, const std::string& name, double otherwise);
void set_attribute(hid_t object, const std::string& name, const std::string& value);
void set_attribute(hid_t object, const std::string& name, const char* value);
void set_attribute(hid_t object, const std::string& name, double value);
void set_attribute(hid_t object, const std::string& name, long long value);
/// As h5py writes a bool: an enumeration over int8 {FALSE = 0, TRUE = 1}.
void set_attribute(hid_t object, const std::string& name, bool value);

}  // namespace elver::hdf5
