#pragma once
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// HDF5 with owners instead of handles, and exceptions instead of its error stack. What the format readers, the model
/// file and the spectral library share.
namespace elver::hdf5 {

/// The one lock around HDF5, which is not built thread-safe everywhere. Everything below takes it by itself; who calls
/// HDF5 directly holds it meanwhile. Recursive. The first call silences HDF5's own error stack.
std::unique_lock<std::recursive_mutex> lock();

void register_lzf();  ///< lock() does it

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

/// Whether what a file holds may lie in other files that it names: external links, virtual data sets, external storage.
enum class Links : std::uint8_t { refused, followed };
/// The file at `path`, read-only. Throws Error{input}.
Handle open_file(const std::string& path, Links links = Links::refused);
/// The first link in it to another file, or "".
std::string link_out(hid_t file);
/// The same from memory (the bytes are copied); `name` is for error texts.
Handle open_bytes(std::span<const std::byte> bytes, const std::string& name);
/// A new file at `path`, which leaves its first `user_block` bytes (0, or 512 times a power of two) to the caller.
/// Throws Error{output}.
Handle create_file(const std::string& path, std::size_t user_block = 0);
/// Writes what is still buffered and closes. Throws Error{output}: the destructor of Handle could not say so.
void close_file(Handle file);
/// For a file that will not be completed. If the disk is full, HDF5 cannot close it, and would crash over it at the
/// program's end: it is left open, and what HDF5 still holds is sent nowhere. fail_write does it by itself.
void give_up(hid_t file) noexcept;

bool exists(hid_t location, const std::string& path);  ///< every part of the path
/// Links that lead out of the file are refused unless it was opened otherwise. Throw Error{input}.
Handle open_group(hid_t location, const std::string& path);
Handle open_dataset(hid_t location, const std::string& path);
/// The same with a chunk cache of this size, for a data set that is read piece by piece.
Handle open_dataset(hid_t location, const std::string& path, std::size_t cache_bytes, std::size_t cache_chunks);
Handle create_group(hid_t location, const std::string& path);  ///< with the groups above it
std::vector<std::string> children(hid_t group);                ///< names of the links in it, sorted
std::vector<hsize_t> shape(hid_t dataset);                     ///< empty for a scalar

/// What to do where a file names another.
inline constexpr const char* kFollow = "If you trust it, let elver follow it with --follow-links; or copy the data into one file";
/// True for an object in a file whose links are followed, or reached through one.
bool may_leave(hid_t object);
/// How a data set of such a file is opened: names of other files are taken from where it lies.
void look_beside(hid_t dataset_access);
/// The bytes of all files that an external or virtual data set names. Throws Error{input} where one is missing or too
/// short: HDF5 would make up its values.
std::uint64_t bytes_elsewhere(hid_t dataset, hid_t creation);

/// Throws Error{input} unless the values of the data set can be had: no external or virtual storage (unless links are
/// followed), no filter that is not at hand, and no more bytes declared than what is stored could hold (gzip: 1032 to 1 at best).
/// Returns the number of elements.
std::uint64_t check_readable(hid_t dataset);

/// What of a file may be held unpacked at a time: 64 MiB, or 4 times its size. A small file cannot ask for much memory.
std::uint64_t most_unpacked(hid_t file);

/// The filter that the data set needs and this HDF5 lacks, by name; "" if it lacks none.
std::string missing_filter(hid_t dataset);

/// Error{input} "cannot read FILE (why). todo" and Error{output} "cannot write FILE (why). todo", FILE that of
/// `object`. An empty `why` is filled from HDF5's error stack.
[[noreturn]] void fail_read(hid_t object, std::string why, const std::string& todo = {});
[[noreturn]] void fail_write(hid_t object, std::string why = {});

/// The in-memory HDF5 type of a C++ number.
template <class Number>
hid_t native_type();
/// Text of any length.
Handle text_type(H5T_cset_t set = H5T_CSET_UTF8);
/// As h5py writes a bool: an enumeration over int8 {FALSE = 0, TRUE = 1}.
Handle boolean_type();

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

/// What read_strings and string_attribute read texts of any length with: bounded by the file's own size, whatever a
/// damaged file says.
std::vector<std::string> read_dataset_texts(hid_t dataset, std::uint64_t count);
std::vector<std::string> read_attribute_texts(hid_t attribute, std::uint64_t count);

bool has_attribute(hid_t object, const std::string& name);
std::string string_attribute(hid_t object, const std::string& name, const std::string& otherwise = {});
/// All texts of an attribute that holds one or a list of them; empty where there is none.
std::vector<std::string> string_list_attribute(hid_t object, const std::string& name);
double number_attribute(hid_t object, const std::string& name, double otherwise);
void set_attribute(hid_t object, const std::string& name, const std::string& value);
void set_attribute(hid_t object, const std::string& name, const char* value);
void set_attribute(hid_t object, const std::string& name, double value);
void set_attribute(hid_t object, const std::string& name, long long value);
void set_attribute(hid_t object, const std::string& name, bool value);

}  // namespace elver::hdf5
