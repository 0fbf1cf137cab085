#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elver::forest {

/// Reads a JSON or UBJSON document in one pass, without building it in memory: the caller asks for what it expects
/// next and skips the rest. Counts in the file are checked against the bytes left before anything is allocated, and
/// nesting is limited, so that no file costs more than a few times its own size.
class Reader {
 public:
  enum class Kind { null, boolean, number, string, array, object };

  /// `name` is for error texts. Throws Error{input} unless the bytes begin as a JSON or UBJSON object does.
  static std::unique_ptr<Reader> make(std::span<const std::byte> bytes, const std::string& name);
  virtual ~Reader() = default;

  virtual Kind peek() = 0;
  /// Calls `member` with each key; it must consume exactly one value.
  virtual void object(const std::function<void(std::string_view key)>& member) = 0;
  /// Calls `element` for each element; it must consume exactly one value.
  virtual void array(const std::function<void()>& element) = 0;
  virtual std::string string() = 0;
  /// A number; NaN and infinities too. Nearest float32, rounded once where the file has decimal text.
  virtual float number() = 0;
  virtual std::int64_t integer() = 0;
  virtual bool boolean() = 0;
  /// A whole array of numbers; `out` is overwritten.
  virtual void numbers(std::vector<float>& out) = 0;
  /// A whole array of integers (booleans count as 0 and 1); unsigned 32-bit numbers keep their bits.
  virtual void integers(std::vector<std::int32_t>& out) = 0;
  virtual void skip() = 0;
  /// The document must be over.
  virtual void finish() = 0;

  /// An integer that may be written as a string, as XGBoost writes its parameters.
  std::int64_t loose_integer();
  /// Text of a string, or of a number written without quotes.
  std::string loose_text();
  /// Elements of an array whose values are not needed.
  std::size_t length();

  [[noreturn]] void fail(const std::string& why) const;

 protected:
  explicit Reader(std::string name) : name_(std::move(name)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Counts nesting, so that a file of brackets cannot exhaust the stack.
  class Level {
   public:
    explicit Level(Reader& reader);
    ~Level() { --reader_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Reader& reader_;
  };

 private:
  std::string name_;
  int depth_ = 0;
};

std::unique_ptr<Reader> make_json_reader(std::span<const std::byte> bytes, const std::string& name);
std::unique_ptr<Reader> make_ubjson_reader(std::span<const std::byte> bytes, const std::string& name);

/// Decimal text to the nearest float32: overflow gives infinity and underflow zero, as strtof does. False when the
/// text is not a number from end to end. Understands NaN, Infinity and -Infinity.
bool parse_float(std::string_view text, float& out);

}  // namespace elver::forest
