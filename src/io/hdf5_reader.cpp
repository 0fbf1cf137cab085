#include "io/hdf5_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "io/hdf5_newer.hpp"
#include "io/utf8.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::size_t kMostLevels = 16, kMostObjects = 10'000;

/// Paths of what lies below, groups or data sets.
class Walk {
 public:
  explicit Walk(H5I_type_t wanted) : wanted_(wanted) {}

  std::vector<std::string> from(hid_t location) {
    if (wanted_ == H5I_GROUP) found_.emplace_back();
    down(location, "", 0);
    return std::move(found_);
  }

 private:
  void down(hid_t location, const std::string& path, std::size_t level) {
    for (const std::string& name : hdf5::children(location)) {
      if (++seen_ > kMostObjects) return;
      const std::string below = path.empty() ? name : path + "/" + name;
      if (const hdf5::Handle group = group_if(location, name)) {
        if (wanted_ == H5I_GROUP) found_.push_back(below);
        if (level < kMostLevels) down(group.get(), below, level + 1);
      } else if (wanted_ == H5I_DATASET && dataset_if(location, name)) {
        found_.push_back(below);
      }
    }
  }

  H5I_type_t wanted_;
  std::size_t seen_ = 0;
  std::vector<std::string> found_;
};

}  // namespace

bool is_hdf5(std::span<const std::byte> head) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  for (std::size_t at = 0; at + kSignature.size() <= bytes.size(); at = at == 0 ? 512 : 2 * at) {
    if (bytes.substr(at, kSignature.size()) == kSignature) return true;
  }
  return false;
}

hdf5::Handle group_if(hid_t location, const std::string& path) {
  try {
    if (hdf5::exists(location, path)) return hdf5::open_group(location, path);
  } catch (const hdf5::Newer&) {
    throw;
  } catch (const Error&) {
  }
  return {};
}

hdf5::Handle dataset_if(hid_t location, const std::string& path) {
  try {
    if (hdf5::exists(location, path)) return hdf5::open_dataset(location, path);
  } catch (const hdf5::Newer&) {
    throw;
  } catch (const Error&) {
  }
  return {};
}

std::vector<std::string> groups_below(hid_t location) { return Walk(H5I_GROUP).from(location); }
std::vector<std::string> datasets_below(hid_t location) { return Walk(H5I_DATASET).from(location); }

std::vector<double> read_positions(hid_t location, const std::string& path, std::uint64_t size) {
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(location, path).get());
  std::uint64_t count = 1;
  for (const hsize_t n : dims) count = n != 0 && count > (size + 1) / n ? size + 2 : count * n;
  if (count != size && count != size + 1 && count > 2) return {};
  return hdf5::read<double>(location, path);
}

std::string put_positions(std::span<const double> positions, Axis& axis) {
  if (positions.empty()) return text("has not one position for each of its %llu elements", static_cast<unsigned long long>(axis.size));
  if (positions.size() != axis.size) {
    return text("has %zu positions for %llu elements", positions.size(), static_cast<unsigned long long>(axis.size));
  }
  const double span = positions.back() - positions.front();
  axis.offset = positions.front();
  axis.scale = positions.size() > 1 ? span / static_cast<double>(positions.size() - 1) : 1.0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const double off = std::fabs(positions[i] - axis.offset - static_cast<double>(i) * axis.scale);
    if (!(off <= 1e-6 * std::fabs(span))) {
      return text("is not evenly spaced (element %zu lies %g steps off); resample it on even steps first", i,
                  off / std::fabs(axis.scale));
    }
  }
  return "";
}

std::string text_of_bytes(hid_t dataset) {
  const auto held = hdf5::lock();
  hdf5::check_readable(dataset);
  const std::vector<hsize_t> dims = hdf5::shape(dataset);
  const hdf5::Handle type(H5Dget_type(dataset));
  if (dims.empty() || dims.size() > 2 || H5Tget_class(type.get()) != H5T_INTEGER || H5Tget_size(type.get()) != 1) {
    hdf5::fail_read(dataset, "its metadata are no text");
  }
  const std::vector<hsize_t> start(dims.size(), 0);
  std::vector<hsize_t> count = dims;
  if (dims.size() == 2) count[1] = std::min<hsize_t>(1, dims[1]);
  std::string out(count[0] * (dims.size() == 2 ? count[1] : 1), '\0');
  const hdf5::Handle space(H5Dget_space(dataset));
  const hsize_t size = out.size();
  const hdf5::Handle memory(H5Screate_simple(1, &size, nullptr));
  if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
      H5Dread(dataset, H5T_NATIVE_UCHAR, memory.get(), space.get(), H5P_DEFAULT, out.data()) < 0) {
    hdf5::fail_read(dataset, "");
  }
  out.resize(std::min(out.size(), out.find('\0')));
  return out;
}

std::optional<double> number_at(const nlohmann::json& json, const std::string& pointer) {
  const nlohmann::json::json_pointer place(pointer);
  if (!json.contains(place)) return std::nullopt;
  const nlohmann::json& value = json.at(place);
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string word = value.get<std::string>();
  double number = 0;
  const auto [rest, code] = std::from_chars(word.data(), word.data() + word.size(), number);
  return code == std::errc{} && rest == word.data() + word.size() ? std::optional(number) : std::nullopt;
}

std::string text_at(const nlohmann::json& json, const std::string& pointer) {
  const nlohmann::json::json_pointer place(pointer);
  return json.contains(place) && json.at(place).is_string() ? utf8_of(json.at(place).get<std::string>()) : "";
}

std::unique_ptr<Image> hdf5_image(ImageInfo info, hid_t file, const std::string& path,
                                  const std::vector<std::size_t>& places, std::optional<std::size_t> by_order,
                                  const OpenOptions& options, bool only_image) {
  {
    const hdf5::Handle data = hdf5::open_dataset(file, path);
    info.type = number_type(data.get(), info.refusal);
    if (info.refusal.empty()) hdf5::check_readable(data.get());
  }  // while it is open, its small chunk cache is everybody's
  std::vector<std::size_t> order = arrange_axes(info, by_order, options, only_image);
  if (!places.empty()) std::ranges::transform(order, order.begin(), [&](std::size_t i) { return places[i]; });
  return std::make_unique<Hdf5Image>(std::move(info), file, path, order);
}

}  // namespace elver
