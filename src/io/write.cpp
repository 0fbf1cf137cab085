#include <algorithm>
#include <array>
#include <charconv>

#include "elver/error.hpp"
#include "io/partial_file.hpp"
#include "io/writer.hpp"
#include "types/reads_for.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// Every format that elver writes.
constexpr std::array kWriters{&hspy_writer, &nexus_writer, &ripple_writer, &npy_writer, &msa_writer, &tiff_writer};

const Writer& writer_for(const std::filesystem::path& path, const std::function<bool(Holds)>& suits, const char* what) {
  std::string names;
  for (const Writer* writer : kWriters) {
    if (!suits(writer->holds)) continue;
    if (path.extension() == writer->about.extensions) return *writer;
    (names += names.empty() ? "" : ", ") += writer->about.extensions;
  }
  throw Error(ErrorKind::usage, "cannot write " + path.string(),
              "its ending, \"" + path.extension().string() + "\", is of no format that elver writes " + what + " in",
              "End the name in one of " + names);
}

const Writer& writer_of_image(const std::filesystem::path& path) {
  return writer_for(path, [](Holds holds) { return holds != Holds::one_map; }, "spectra");
}

template <class Number>
std::string digits_of(Number value) {
  std::array<char, 40> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

}  // namespace

void check_writable(const SignalHeader& header) {
  const std::string what = "cannot write signal \"" + header.title + "\"";
  if (header.type == NumberType::c64 || header.type == NumberType::c128 || header.type == NumberType::rgb) {
    throw Error(ErrorKind::mismatch, what, text("its values are %s", std::string(name_of(header.type)).c_str()),
                "Only integers, real numbers and booleans can be written");
  }
  if (header.axes.empty() || header.axes.size() > 8) {
    throw Error(ErrorKind::mismatch, what, text("it has %zu axes", header.axes.size()));
  }
  for (const Axis& axis : header.axes) {
    if (axis.size == 0) throw Error(ErrorKind::mismatch, what, "axis \"" + axis.name + "\" has no elements");
    if (axis.role == AxisRole::energy && &axis != &header.axes.back()) {
      throw Error(ErrorKind::mismatch, what, "its energy axis is not the last one");
    }
  }
}

NumberKind kind_of(NumberType type) {
  const std::string_view name = name_of(type);
  return name.starts_with("float") ? NumberKind::floating
         : name.starts_with("int") ? NumberKind::signed_integer
                                   : NumberKind::unsigned_integer;
}

std::uint64_t pixels_of(const SignalHeader& header) {
  std::uint64_t pixels = 1;
  for (const Axis& axis : header.axes) pixels *= axis.role == AxisRole::energy ? 1 : axis.size;
  return pixels;
}

std::uint64_t pixel_bytes_of(const SignalHeader& header) {
  std::uint64_t bytes = bytes_of(header.type);
  for (const Axis& axis : header.axes) bytes *= axis.role == AxisRole::energy ? axis.size : 1;
  return bytes;
}

std::string shortest(double value) { return digits_of(value); }
std::string shortest(float value) { return digits_of(value); }

std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

void OnlyOne::add() {
  if (there_) refuse("its format holds one image, and this is a second", "Write .hspy or .nxs");
  there_ = true;
}

void OnlyOne::refuse(const std::string& why, const std::string& todo) const {
  throw Error(ErrorKind::mismatch, "cannot write " + shown(path_).string(), why, todo);
}

void stream(const SignalHeader& header, const std::function<const std::byte*(PixelRange)>& block,
            const std::function<void(std::uint64_t, std::span<const std::byte>)>& put, const RunContext& context) {
  const std::uint64_t pixels = pixels_of(header), pixel_bytes = pixel_bytes_of(header);
  const std::uint64_t step = std::max<std::uint64_t>(1, kBlockBytes / pixel_bytes);
  for (std::uint64_t first = 0; first < pixels; first += step) {
    context.check_interrupt();
    const PixelRange range{first, std::min(pixels, first + step)};
    put(first * pixel_bytes, {block(range), range.size() * pixel_bytes});
    if (context.progress != nullptr) context.progress->advance(range.size());
  }
}

void SignalWriter::add(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context) {
  check_writable(header);
  const std::uint64_t pixel_bytes = pixel_bytes_of(header), bytes = pixels_of(header) * pixel_bytes;
  if (bytes != values.size()) {
    throw Error(ErrorKind::output, "cannot write signal \"" + header.title + "\"",
                text("%zu bytes for axes that make %llu", values.size(), static_cast<unsigned long long>(bytes)));
  }
  RunContext quiet = context;
  quiet.progress = nullptr;
  put(header, [&](PixelRange range) { return values.data() + range.first * pixel_bytes; }, quiet);
}

void SignalWriter::add(const SignalHeader& header, const Image& image, const RunContext& context) {
  check_writable(header);
  if (header.type != image.info().type || header.axes.size() != image.info().axes.size()) {
    throw Error(ErrorKind::output, "cannot write signal \"" + header.title + "\"",
                "its header is not that of the image");
  }
  const ChannelRange all{0, image.channels()};
  std::vector<std::byte> buffer;
  if (context.memory_bytes > 0) image.stay_within(context.memory_bytes / 4);
  const ReadsFor reading(context);
  if (context.progress != nullptr) context.progress->begin("writing", image.pixels(), "pixels");
  const Block block = [&](PixelRange range) {
    buffer.resize(range.size() * all.size() * bytes_of(header.type));
    image.read(range, all, buffer);
    return buffer.data();
  };
  put(header, block, context);
  if (context.progress != nullptr) context.progress->end();
}

std::vector<FormatInfo> formats_written() {
  std::vector<FormatInfo> out;
  for (const Writer* writer : kWriters) out.push_back(writer->about);
  return out;
}

const Writer* writer_named(std::string_view name) {
  const auto found = std::ranges::find(kWriters, name, [](const Writer* writer) { return writer->about.name; });
  return found == kWriters.end() ? nullptr : *found;
}

FormatInfo format_to_write(const std::filesystem::path& path) { return writer_of_image(path).about; }

const Writer& writer_of_signals(const std::filesystem::path& path) {
  return writer_for(path, [](Holds holds) { return holds == Holds::signals; }, "several maps");
}

std::vector<std::string> write_image(const std::filesystem::path& path, const Image& image,
                                     const std::string& record_json, std::span<const PixelMap> maps,
                                     const RunContext& context) {
  const Writer& format = writer_of_image(path);
  SignalHeader header = header_of(image);
  header.record_json = record_json;
  const std::unique_ptr<SignalWriter> writer = format.open(path);
  writer->add(header, image, context);
  if (format.holds == Holds::signals) {
    for (const PixelMap& map : maps) writer->add(map_header(image, map), std::as_bytes(std::span(map.values)), context);
  }
  writer->commit();
  const Axis& last = image.info().axes.back();
  if (format.axes == Writer::Axes::kept || last.role != AxisRole::energy || last.units != "eV") return {};
  return {std::string(format.about.extensions) + " holds no axes: read it with --offset-ev " + shortest(last.offset) +
          " --dispersion-ev " + shortest(last.scale)};
}

}  // namespace elver
