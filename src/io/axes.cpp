#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>

#include "elver/error.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// eV per unit: 1000 for "keV", 1 for any other unit that holds "eV"; nothing if the unit is no energy.
std::optional<double> ev_per(std::string_view unit) {
  const std::string small = lower(unit);
  if (small == "ev" || small == "kev") return small == "ev" ? 1.0 : 1000.0;
  const std::size_t at = unit.find("eV");
  if (at == std::string_view::npos) return std::nullopt;
  const char prefix = at > 0 ? unit[at - 1] : ' ';
  return prefix == 'k' ? 1000.0 : prefix == 'm' ? 0.001 : 1.0;
}

bool names_energy(std::string_view name) {
  const std::string small = lower(name);
  return small.starts_with("energy") || small.starts_with("eloss") || small.starts_with("e-loss") ||
         small.starts_with("electron energy") || small == "e" || small == "ev" || small.ends_with("energy loss");
}

std::optional<std::size_t> asked_for(const ImageInfo& info, const std::string& wanted) {
  std::size_t index = 0;
  const char* const end = wanted.data() + wanted.size();
  for (std::size_t i = 0; i < info.axes.size(); ++i) {
    if (info.axes[i].name == wanted) return i;
  }
  const auto [rest, code] = std::from_chars(wanted.data(), end, index);
  if (code == std::errc{} && rest == end && index < info.axes.size()) return index;
  return std::nullopt;
}

std::optional<std::size_t> find_energy(const ImageInfo& info, std::optional<std::size_t> by_order,
                                       const OpenOptions& options, bool only_image) {
  if (!options.energy_axis.empty()) {
    const bool named = options.dataset == info.id || options.dataset == info.title;
    if (options.dataset.empty() ? only_image || info.axes.size() >= 3 : named) {
      if (const auto found = asked_for(info, options.energy_axis)) return found;
      std::string names;
      for (std::size_t i = 0; i < info.axes.size(); ++i) {
        names += text("%s%zu %s", i > 0 ? ", " : "", i, info.axes[i].name.c_str());
      }
      throw Error(ErrorKind::usage, "--energy-axis " + options.energy_axis,
                  "image " + info.id + " \"" + info.title + "\" has the axes " + names,
                  "Give one of these names or numbers, and --dataset if another image is meant");
    }
  }
  for (std::size_t i = 0; i < info.axes.size(); ++i) {
    if (ev_per(info.axes[i].units)) return i;
  }
  for (std::size_t i = 0; i < info.axes.size(); ++i) {
    if (names_energy(info.axes[i].name)) return i;
  }
  return by_order;
}

}  // namespace

std::vector<std::size_t> arrange_axes(ImageInfo& info, std::optional<std::size_t> by_order, const OpenOptions& options,
                                      bool only_image) {
  std::vector<std::size_t> order(info.axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (Axis& axis : info.axes) axis.role = AxisRole::navigation;
  const std::optional<std::size_t> energy = find_energy(info, by_order, options, only_image);
  if (!energy) {
    info.kind = info.axes.size() >= 3 ? ImageKind::stack : ImageKind::image;
    return order;
  }
  info.kind = info.axes.size() == 1 ? ImageKind::spectrum : ImageKind::spectrum_image;
  const auto move_last = [&](auto& list) {
    const auto place = list.begin() + static_cast<std::ptrdiff_t>(*energy);
    std::rotate(place, place + 1, list.end());
  };
  move_last(order);
  move_last(info.axes);
  Axis& axis = info.axes.back();
  axis.role = AxisRole::energy;
  if (const std::optional<double> factor = ev_per(axis.units)) {
    axis.scale *= *factor;
    axis.offset *= *factor;
    axis.units = "eV";
  } else if (axis.units.empty() && (axis.scale != 1.0 || axis.offset != 0.0)) {
    axis.units = "eV";  // calibrated, and an energy: what else
  }
  return order;
}

bool is_energy_unit(std::string_view unit) { return ev_per(unit).has_value(); }

std::optional<double> kilovolts(double number) {
  if (!std::isfinite(number) || number <= 0) return std::nullopt;
  return number > 1000 ? number / 1000 : number;
}

std::optional<std::uint64_t> checked_product(std::span<const std::uint64_t> sizes) {
  std::uint64_t product = 1;
  for (const std::uint64_t size : sizes) {
    if (size == 0 || __builtin_mul_overflow(product, size, &product)) return std::nullopt;
  }
  return product;
}

}  // namespace elver
