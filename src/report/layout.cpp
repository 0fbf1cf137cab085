#include "report/layout.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "types/length.hpp"
#include "types/ranked.hpp"
#include "types/text.hpp"

namespace elver::report {
namespace {

constexpr int kLongestSide = 2048;    ///< beyond it, rows and columns are left out
constexpr int kShortSide = 48;        ///< thinner panels are stretched
constexpr int kLargestPixel = 96;     ///< of the picture, for one of the map
constexpr double kExtremeAspect = 8;  ///< of one map pixel; beyond it the calibration is not honoured

bool calibrated(const Axis& axis) { return std::isfinite(axis.scale) && axis.scale != 0 && !axis.units.empty(); }

/// Whole numbers whose ratio (down to across) comes near `aspect`: as large as fits `long_side`, or somewhat larger where
/// only that brings the ratio within 5 %.
std::pair<int, int> magnification(std::uint64_t rows, std::uint64_t columns, double aspect, int long_side) {
  const auto wanted = static_cast<std::uint64_t>(long_side);
  std::pair<int, int> best{1, 1};
  for (int k = 1; k <= kLargestPixel; ++k) {
    const int across = aspect >= 1 ? k : std::max(1, static_cast<int>(std::lround(k / aspect)));
    const int down = aspect >= 1 ? std::max(1, static_cast<int>(std::lround(k * aspect))) : k;
    const std::uint64_t side =
        std::max(columns * static_cast<std::uint64_t>(across), rows * static_cast<std::uint64_t>(down));
    const double error = std::abs(std::log(best.second / (best.first * aspect)));
    if (k > 1 && (side > 2 * wanted || (side > wanted && error < 0.05))) break;
    best = {across, down};
  }
  return best;
}

/// The largest of 1, 2, 5 times a power of ten that is not above `value`.
double round_below(double value) {
  const double decade = std::pow(10.0, std::floor(std::log10(value) + 1e-9));
  const double ratio = value / decade * (1 + 1e-9);
  return decade * (ratio >= 5 ? 5 : ratio >= 2 ? 2 : 1);
}

std::string length_label(double length, const std::string& unit) {
  const double in_metres = length * metres_in(unit);
  if (in_metres >= 1e-3 * 0.999) return text("%g mm", in_metres * 1e3);
  if (in_metres >= 1e-6 * 0.999) return text("%g \xC2\xB5m", in_metres * 1e6);
  if (in_metres >= 1e-9 * 0.999) return text("%g nm", in_metres * 1e9);
  return text("%g ", length) + drawable(unit, 20);
}

}  // namespace

Panel panel_for(std::uint64_t rows, std::uint64_t columns, const Axis& row_axis, const Axis& column_axis,
                int long_side) {
  Panel panel{std::max<std::uint64_t>(rows, 1), std::max<std::uint64_t>(columns, 1)};
  const auto longest = static_cast<std::uint64_t>(std::min(kLongestSide, 2 * long_side));
  panel.step = (std::max(panel.rows, panel.columns) + longest - 1) / longest;
  double aspect = 1;
  if (calibrated(row_axis) && calibrated(column_axis) && row_axis.units == column_axis.units) {
    aspect = std::abs(row_axis.scale / column_axis.scale);
  }
  if (!(aspect <= kExtremeAspect && aspect >= 1 / kExtremeAspect)) {
    aspect = 1;
    panel.to_scale = false;
  }
  const std::uint64_t drawn_rows = (panel.rows + panel.step - 1) / panel.step;
  const std::uint64_t drawn_columns = (panel.columns + panel.step - 1) / panel.step;
  std::tie(panel.column_pixels, panel.row_pixels) = magnification(drawn_rows, drawn_columns, aspect, long_side);
  if (panel.height() < kShortSide) {
    panel.row_pixels = static_cast<int>((kShortSide + drawn_rows - 1) / drawn_rows);
    panel.to_scale = panel.to_scale && rows == 1;  // the height of a line scan means nothing
  }
  if (panel.width() < kShortSide) {
    panel.column_pixels = static_cast<int>((kShortSide + drawn_columns - 1) / drawn_columns);
    panel.to_scale = panel.to_scale && columns == 1;
  }
  return panel;
}

ScaleBar scale_bar_for(double across, const Axis& column_axis) {
  if (!calibrated(column_axis)) {
    const double length = std::max(1.0, round_below(std::max(across / 4, 1.0)));
    return {length, text("%g px", length)};
  }
  const double scale = std::abs(column_axis.scale);
  const double length = round_below(across * scale / 4);
  return {length / scale, length_label(length, column_axis.units)};
}

ColourRange percentile_range(const std::vector<float>& values) {
  const Ranked finite(values);
  if (finite.size() == 0) return {0, 1, false, false, true};
  const float least = finite.least(), most = finite.most();
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(finite.size() - 1);
    const auto i = static_cast<std::size_t>(place);
    const float value = finite.at(i);
    const double next = finite.at(std::min(i + 1, finite.size() - 1));
    return value + (place - static_cast<double>(i)) * (next - value);
  };
  ColourRange range{at(0.02), at(0.98)};
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= 1e-6 * size || range.high == range.low) {
    const double half = size > 0 ? 0.05 * size : 0.5;
    range.constant = least == most;
    range.low -= half;
    range.high += half;
  }
  range.below = least < range.low;
  range.above = most > range.high;
  return range;
}

Ticks linear_ticks(double low, double high) {
  Ticks out;
  const double step_wanted = (high - low) / 4;
  const double decade = std::pow(10.0, std::floor(std::log10(step_wanted)));
  const double ratio = step_wanted / decade;
  const double step = decade * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  const double largest = std::max(std::abs(low), std::abs(high));
  const int exponent = static_cast<int>(std::floor(std::log10(largest)));
  if (exponent >= 5 || exponent <= -3) out.exponent = exponent;
  const double factor = std::pow(10.0, -out.exponent);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step * factor) + 1e-9)));
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i) {
    const double value = i == 0 ? 0.0 : i * step;  // no "-0"
    out.ticks.push_back({value, text("%.*f", std::min(digits, 9), value * factor)});
  }
  return out;
}

Ticks logarithmic_ticks(double low, double high) {
  Ticks out;
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  const int every = std::max(1, (last - first + 6) / 7);
  for (int e = first; e <= last; ++e) {
    for (const int m : {1, 2, 5}) {
      if (m > 1 && last - first > 2) continue;
      if (m == 1 && e % every != 0) continue;
      const double value = m * std::pow(10.0, e);
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      out.ticks.push_back({value, m == 1 ? power_of_ten(e) : text("%d\xC3\x97", m) + power_of_ten(e)});
    }
  }
  return out;
}

std::string number_label(double value) {
  const double size = std::abs(value);
  if (value == 0 || (size >= 1e-3 && size < 1e5)) return text("%.4g", value);
  const int exponent = static_cast<int>(std::floor(std::log10(size)));
  return text("%.3g \xC3\x97 ", value / std::pow(10.0, exponent)) + power_of_ten(exponent);
}

std::string power_of_ten(int exponent) {
  if (exponent == 0) return "1";
  if (exponent == 1) return "10";
  static constexpr const char* kRaised[] = {"\xE2\x81\xB0", "\xC2\xB9",     "\xC2\xB2",     "\xC2\xB3",
                                            "\xE2\x81\xB4", "\xE2\x81\xB5", "\xE2\x81\xB6", "\xE2\x81\xB7",
                                            "\xE2\x81\xB8", "\xE2\x81\xB9"};
  std::string out = exponent < 0 ? "10\xE2\x81\xBB" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) out += kRaised[digit - '0'];
  return out;
}

std::string drawable(const std::string& raw, std::size_t length) {
  std::string out;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < raw.size(); ++characters) {
    if (characters == length) return out + "\xE2\x80\xA6";
    const auto byte = static_cast<unsigned char>(raw[i]);
    const std::size_t bytes = byte < 0x80                   ? 1
                              : byte >= 0xC2 && byte < 0xE0 ? 2
                              : byte >= 0xE0 && byte < 0xF0 ? 3
                              : byte >= 0xF0 && byte < 0xF5 ? 4
                                                            : 0;
    bool valid = bytes > 0 && i + bytes <= raw.size() && byte >= 0x20 && byte != 0x7F;
    for (std::size_t k = 1; valid && k < bytes; ++k) valid = (static_cast<unsigned char>(raw[i + k]) & 0xC0) == 0x80;
    if (valid && bytes >= 3) {  // over-long forms and surrogates
      const auto second = static_cast<unsigned char>(raw[i + 1]);
      valid = !(byte == 0xE0 && second < 0xA0) && !(byte == 0xED && second > 0x9F) &&
              !(byte == 0xF0 && second < 0x90) && !(byte == 0xF4 && second > 0x8F);
    }
    if (valid) {
      out.append(raw, i, bytes);
      i += bytes;
    } else {
      out += byte < 0x20 ? ' ' : '?';
      ++i;
    }
  }
  return out;
}

}  // namespace elver::report
