#include <array>
#include <charconv>

#include "elver/report.hpp"

namespace elver {
namespace {

/// One field of the header: quoted where it must be (RFC 4180).
std::string field(const std::string& name, const std::string& unit) {
  const std::string plain = unit.empty() ? name : name + " (" + unit + ")";
  if (plain.find_first_of(",\"\r\n") == std::string::npos) return plain;
  std::string out = "\"";
  for (const char c : plain) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// The shortest digits that give the same number back; "nan" where there is none.
template <class Number>
void append(std::string& out, Number value) {
  if (value != value) {
    out += "nan";
    return;
  }
  std::array<char, 40> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

}  // namespace

std::string maps_csv(const MapResult& result, const Axis& row_axis, const Axis& column_axis) {
  std::string out = "row,column,";
  out.append(field("x", column_axis.units)).append(",").append(field("y", row_axis.units));
  if (!result.status.empty()) out += ",status";
  for (const Map& map : result.maps) (out += ',') += field(map.name, map.unit);
  out += "\n";
  for (std::uint64_t row = 0; row < result.rows; ++row) {
    for (std::uint64_t column = 0; column < result.columns; ++column) {
      const std::uint64_t pixel = row * result.columns + column;
      append(out, row);
      out += ',';
      append(out, column);
      out += ',';
      append(out, column_axis.offset + static_cast<double>(column) * column_axis.scale);
      out += ',';
      append(out, row_axis.offset + static_cast<double>(row) * row_axis.scale);
      if (!result.status.empty()) {
        out += ',';
        append(out, static_cast<unsigned>(result.status[pixel]));
      }
      for (const Map& map : result.maps) {
        out += ',';
        append(out, map.values[pixel]);
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace elver
