#include <cmath>
#include <map>

#include "elver/coregister.hpp"
#include "elver/error.hpp"
#include "io/dm_tags.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using dm::Step;
using dm::Value;

/// The numbers that name an image, joined: images of different files have different ones.
std::string joined(const std::vector<double>& numbers) {
  std::string out;
  for (const double number : numbers) {
    if (!out.empty()) out += '-';
    out += text("%.0f", number);
  }
  return out;
}

std::string path_of(std::span<const Step> path) {
  std::string out;
  for (const Step& step : path) (out += out.empty() ? "" : "/") += step.name;
  return out;
}

/// Tags that say where an image was taken; `path` below ImageTags.
void note(ScanPlace& place, const std::string& path, const Value& value) {
  const auto number = [&](std::optional<double>& to) {
    if (const auto n = value.number(); n && std::isfinite(*n)) to = n;
  };
  if (path == "Microscope Info/Stage Position/Stage X") number(place.stage_x_um);
  if (path == "Microscope Info/Stage Position/Stage Y") number(place.stage_y_um);
  if (path == "DigiScan/Rotation") number(place.scan_rotation_deg);
  if (path == "Survey Image/Unique Image ID" || path == "SI/Acquisition/Survey Image/Unique Image ID")
    place.survey = joined(value.numbers());
  if (path == "SI/Acquisition/Survey Image/Spectrum Image Rect") {
    const std::vector<double> r = value.numbers();
    if (r.size() == 4 && r[2] > r[0] && r[3] > r[1]) place.in_survey = ScanPlace::Outline{r[0], r[1], r[2], r[3]};
  }
}

}  // namespace

ScanPlace scan_place(const std::filesystem::path& path) {
  const Bytes bytes = map_file(path);
  if (!dm::read_header(bytes.span)) return {};
  std::map<std::uint64_t, ScanPlace> places;
  try {
    dm::walk(bytes.span, [&](std::span<const Step> at, const Value& value) {
      if (at.size() < 4 || at[0].name != "ImageList" || at[2].name != "ImageTags") return;
      const std::size_t above = at.size() > 5 && at[3].name == "source" && at[4].name == "Tags at creation" ? 5 : 3;
      note(places[at[1].index], path_of(at.subspan(above)), value);
    });
  } catch (const Error&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw Error(ErrorKind::input, "cannot read " + path.string(), error.what(),
                dm_reader.todo);
  }
  check_whole(bytes);
  ScanPlace out;  // the thumbnail says nothing; of several images the first that tells
  for (const auto& [index, place] : places) {
    if (place.in_survey || !place.survey.empty() || place.stage_x_um) return place;
  }
  return out;
}

}  // namespace elver
