#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "elver/version.hpp"
#include "io/partial_file.hpp"
#include "io/values.hpp"
#include "io/writer.hpp"
#include "types/length.hpp"
#include "types/text.hpp"

/// A map as TIFF of its own number type, uncompressed, calibrated as ImageJ (Fiji) and as DigitalMicrograph do it.
namespace elver {
namespace {

/// DigitalMicrograph's private tags.
enum : ttag_t { kUnitX = 65003, kUnitY = 65004, kOffsetX = 65006, kOffsetY = 65007, kScaleX = 65009, kScaleY = 65010, kUnitValue = 65022 };

TIFFExtendProc parent_extender = nullptr;

void add_tags(TIFF* tiff) {
  static char names[7][16] = {"DM x unit", "DM y unit", "DM x offset", "DM y offset", "DM x scale", "DM y scale", "DM unit"};
  static const TIFFFieldInfo kFields[] = {{kUnitX, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, names[0]},
                                          {kUnitY, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, names[1]},
                                          {kOffsetX, 1, 1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 0, names[2]},
                                          {kOffsetY, 1, 1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 0, names[3]},
                                          {kScaleX, 1, 1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 0, names[4]},
                                          {kScaleY, 1, 1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 0, names[5]},
                                          {kUnitValue, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, names[6]}};
  TIFFMergeFieldInfo(tiff, kFields, std::size(kFields));
  if (parent_extender != nullptr) parent_extender(tiff);
}

/// libtiff's file, in memory: it goes back to what it wrote.
struct Target {
  std::vector<std::byte> bytes;
  std::uint64_t at = 0;
};

tmsize_t read_back(thandle_t handle, void* out, tmsize_t size) {
  auto& target = *static_cast<Target*>(handle);
  const std::uint64_t there = target.bytes.size() - std::min<std::uint64_t>(target.at, target.bytes.size());
  const std::size_t count = std::min<std::uint64_t>(there, static_cast<std::uint64_t>(size));
  std::memcpy(out, target.bytes.data() + target.at, count);
  target.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_on(thandle_t handle, void* data, tmsize_t size) {
  auto& target = *static_cast<Target*>(handle);
  const auto count = static_cast<std::size_t>(size);
  if (target.bytes.size() < target.at + count) target.bytes.resize(target.at + count);
  std::memcpy(target.bytes.data() + target.at, data, count);
  target.at += count;
  return size;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto& target = *static_cast<Target*>(handle);
  target.at = offset + (whence == SEEK_CUR ? target.at : whence == SEEK_END ? target.bytes.size() : 0);
  return target.at;
}

int close_nothing(thandle_t) { return 0; }
toff_t size_of(thandle_t handle) { return static_cast<Target*>(handle)->bytes.size(); }

/// The unit in which ImageJ is told the size of a pixel. Its rational numbers reach from 1e-6 to 1e6 pixels a unit.
struct Calibration {
  std::string unit;
  double width = 1, height = 1;
};

Calibration calibration_of(const Axis& row, const Axis& column) {
  Calibration out{column.units, std::fabs(column.scale), std::fabs(row.scale)};
  const double column_m = metres_in(column.units), row_m = metres_in(row.units);
  if (column_m > 0 && row_m > 0) {
    if (out.width < 1e-6 || out.width > 1e6) {
      out.unit = "nm";
      out.width *= column_m / 1e-9;
    }
    if (row.units != out.unit) out.height *= row_m / metres_in(out.unit);
  } else if (row.units != column.units) {
    out.unit.clear();
  }
  return out;
}

/// UTF-8 as ImageJ keeps a text: what is not ASCII, and the backslash, as Java's properties escape it. Both micros are one.
std::string escaped(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size();) {
    const unsigned first = static_cast<unsigned char>(utf8[i++]);
    unsigned letter = first < 0x80 ? first : first & (first < 0xE0 ? 0x1FU : 0xFU);
    for (; i < utf8.size() && (static_cast<unsigned char>(utf8[i]) & 0xC0) == 0x80; ++i) letter = letter << 6 | (static_cast<unsigned char>(utf8[i]) & 0x3FU);
    constexpr unsigned kMicro = 0xB5, kMu = 0x3BC;
    if (letter == kMu) letter = kMicro;
    if (letter >= 0x20 && letter < 0x7F && letter != '\\') {
      out += static_cast<char>(letter);
    } else if (letter >= 0x20 && letter <= 0xFFFF) {
      out += text("\\u%04X", letter);
    }
  }
  return out;
}

/// ImageJ's own words.
std::string description(const Calibration& calibration, const Axis& row, const Axis& column, double least, double most) {
  std::string out = "ImageJ=1.53t\n";
  if (!calibration.unit.empty()) out += "unit=" + escaped(calibration.unit) + "\n";
  if (column.scale > 0) out += "xorigin=" + shortest(-column.offset / column.scale) + "\n";
  if (row.scale > 0) out += "yorigin=" + shortest(-row.offset / row.scale) + "\n";
  if (least <= most) out += "min=" + shortest(least) + "\nmax=" + shortest(most) + "\n";
  return out;
}

std::pair<double, double> spread(const SignalHeader& header, const std::byte* values, std::uint64_t count) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  values::with_stored({header.type, false, false}, [&]<class Source>() {
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto value = static_cast<double>(Source::load(values + i * bytes_of(header.type)));
      if (!std::isfinite(value)) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
  });
  return {least, most};
}

class Tiff : public SignalWriter {
 public:
  explicit Tiff(const std::filesystem::path& path) : file_(path), only_(path) {}
  void commit() override { file_.commit(); }

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override {
    only_.add();
    const Axis &row = header.axes[header.axes.size() < 2 ? 0 : header.axes.size() - 2], &column = header.axes.back();
    if (header.axes.size() != 2 || column.role == AxisRole::energy) {
      only_.refuse("its format holds one map, and this has other axes", "Write .hspy or .nxs");
    }
    context.check_interrupt();
    const std::uint64_t count = row.size * column.size, row_bytes = column.size * bytes_of(header.type);
    if (count * bytes_of(header.type) > (std::uint64_t{1} << 31)) only_.refuse("TIFF ends at 4 GB", "Write .hspy or .nxs");
    const std::byte* const values = block({0, count});
    const auto [least, most] = spread(header, values, count);
    Target target;
    static const bool prepared = [] {
      TIFFSetErrorHandler(nullptr);
      TIFFSetWarningHandler(nullptr);
      parent_extender = TIFFSetTagExtender(add_tags);
      return true;
    }();
    static_cast<void>(prepared);
    TIFF* const tiff = TIFFClientOpen("map", "w", &target, read_back, write_on, seek, close_nothing, size_of, nullptr, nullptr);
    if (tiff == nullptr) cannot_write(file_.target(), "libtiff gives no reason");
    set_tags(tiff, header, row, column, least, most);
    bool written = true;
    for (std::uint64_t r = 0; r < row.size && written; ++r) {
      written = TIFFWriteScanline(tiff, const_cast<std::byte*>(values + r * row_bytes), static_cast<std::uint32_t>(r), 0) == 1;
    }
    written = TIFFFlush(tiff) == 1 && written;
    TIFFClose(tiff);
    if (!written) cannot_write(file_.target(), "libtiff gives no reason");
    file_.put(0, target.bytes);
  }

  static void set_tags(TIFF* tiff, const SignalHeader& header, const Axis& row, const Axis& column, double least, double most) {
    const NumberKind kind = kind_of(header.type);
    const int format = kind == NumberKind::floating ? SAMPLEFORMAT_IEEEFP : kind == NumberKind::signed_integer ? SAMPLEFORMAT_INT : SAMPLEFORMAT_UINT;
    const Calibration calibration = calibration_of(row, column);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(column.size));
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(row.size));
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * bytes_of(header.type)));
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(row.size));  // one strip, as ImageJ writes it
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 1 / calibration.width);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 1 / calibration.height);
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, description(calibration, row, column, least, most).c_str());
    TIFFSetField(tiff, TIFFTAG_SOFTWARE, ("elver " + version()).c_str());
    if (!header.title.empty()) TIFFSetField(tiff, TIFFTAG_PAGENAME, one_line(header.title).c_str());
    TIFFSetField(tiff, kUnitX, column.units.c_str());
    TIFFSetField(tiff, kUnitY, row.units.c_str());
    TIFFSetField(tiff, kOffsetX, column.offset);
    TIFFSetField(tiff, kOffsetY, row.offset);
    TIFFSetField(tiff, kScaleX, column.scale);
    TIFFSetField(tiff, kScaleY, row.scale);
    if (!header.quantity.empty()) TIFFSetField(tiff, kUnitValue, one_line(header.quantity).c_str());
  }

  PartialFile file_;
  OnlyOne only_;
};

}  // namespace

const Writer tiff_writer{{"tiff", "TIFF (ImageJ, DigitalMicrograph)", ".tif", "one map; pixel size, unit, origin; for maps only"},
                         Holds::one_map,
                         [](const std::filesystem::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<Tiff>(path); }};

}  // namespace elver
