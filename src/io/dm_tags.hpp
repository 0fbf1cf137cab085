#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The tag tree of a Gatan DM3 or DM4 file, walked without building it: nothing is allocated but the path.
/// Layout as described by C. Boothroyd and others ("DM3/DM4 format"), checked against files: header, tags and their
/// type descriptions are big-endian, the values are in the byte order that the header names. DM4 widens counts and
/// lengths from 4 to 8 bytes and adds a byte count to every tag.
namespace elver::dm {

/// The codes of value types.
enum class Code : std::uint8_t {
  i16 = 2,
  i32 = 3,
  u16 = 4,
  u32 = 5,
  f32 = 6,
  f64 = 7,
  boolean = 8,
  i8 = 9,
  u8 = 10,
  i64 = 11,
  u64 = 12,
  structure = 15,
  string = 18,
  array = 20
};
/// Bytes of one value; 0 for the compound codes and for codes that do not exist.
std::size_t bytes_of(std::uint64_t code);

struct Header {
  int version = 0;  ///< 3 or 4
  bool little = false;
};
/// The header, or nothing if these bytes do not begin a DM3 or DM4 file.
std::optional<Header> read_header(std::span<const std::byte> head);

/// One step of a path: a name, or the place among the nameless groups or values of its group.
struct Step {
  std::string_view name;
  std::uint64_t index = 0;  ///< where `name` is empty
};

/// The value of one tag, still as it lies in the file.
struct Value {
  std::uint64_t code = 0;  ///< of the value, or of the elements of an array; structure, string, array: compound
  bool is_array = false;
  std::uint64_t count = 1;  ///< elements
  std::uint64_t field = 0;  ///< of a structure: the code that all its fields have; 0 where they differ
  std::size_t offset = 0;   ///< in the file
  std::span<const std::byte> bytes;
  bool little = false;

  std::optional<double> number() const;         ///< of a single number
  std::optional<std::int64_t> integer() const;  ///< of a single whole number that fits
  std::vector<double> numbers() const;      ///< of a structure of numbers of one type, as rectangles are; else empty
  std::optional<std::string> text() const;  ///< UTF-8, of a string or an array of u16
};

using Visit = std::function<void(std::span<const Step> path, const Value& value)>;
/// Calls `visit` for every value in the file, in order. Throws std::runtime_error with what is malformed, and where.
void walk(std::span<const std::byte> file, const Visit& visit);

}  // namespace elver::dm
