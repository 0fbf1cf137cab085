#pragma once
#include <memory>
#include <span>

#include "elver/io.hpp"

/// What the writers share: the table of them, and the streaming of an image.
namespace elver {

enum class Holds : std::uint8_t {
  signals,       ///< any number of spectrum images, spectra and maps
  one_image,     ///< one of these
  one_spectrum,  ///< of one pixel
  one_map
};

/// One format. Adding one: a file of its own in src/io, a declaration below, a line in the table in write.cpp.
struct Writer {
  FormatInfo about;  ///< `extensions` is one
  Holds holds;
  std::unique_ptr<SignalWriter> (*open)(const std::filesystem::path& path);
  enum class Axes : std::uint8_t { kept, lost } axes = Axes::kept;
};
extern const Writer hspy_writer;
extern const Writer msa_writer;
extern const Writer nexus_writer;
extern const Writer npy_writer;
extern const Writer ripple_writer;
extern const Writer tiff_writer;

/// The writer that a name means ("hspy"), or nothing.
const Writer* writer_named(std::string_view name);
/// The writer of any number of signals that a file's extension names. Throws Error{usage} where there is none.
const Writer& writer_of_signals(const std::filesystem::path& path);

/// Calls `put(offset, bytes)` for all values, in C order, piece by piece.
void stream(const SignalHeader& header, const std::function<const std::byte*(PixelRange)>& block,
            const std::function<void(std::uint64_t, std::span<const std::byte>)>& put, const RunContext& context);

/// What is held while an image streams through.
constexpr std::uint64_t kBlockBytes = 16'000'000;

/// How the bits of a number that can be written are meant; true and false are 1 and 0.
enum class NumberKind : std::uint8_t { unsigned_integer, signed_integer, floating };
NumberKind kind_of(NumberType type);

std::uint64_t pixels_of(const SignalHeader& header);
std::uint64_t pixel_bytes_of(const SignalHeader& header);

/// Throws Error{mismatch} for complex and RGB values, empty axes, and an energy axis that is not the last.
void check_writable(const SignalHeader& header);

/// For a format that holds one signal: throws Error{mismatch} when there is a second.
class OnlyOne {
 public:
  explicit OnlyOne(std::filesystem::path path) : path_(std::move(path)) {}
  void add();
  /// Throws Error{mismatch} "cannot write PATH (why). todo".
  [[noreturn]] void refuse(const std::string& why, const std::string& todo) const;

 private:
  std::filesystem::path path_;
  bool there_ = false;
};

/// The shortest digits that give the same number back, whatever the locale.
std::string shortest(double value);
std::string shortest(float value);
/// Without what would end a line.
std::string one_line(std::string text);

}  // namespace elver
