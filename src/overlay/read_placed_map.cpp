#include <filesystem>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/overlay.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

/// The file and the title in FILE:TITLE. The longest part that is a file is the file: both may hold ':'.
std::pair<fs::path, std::string> taken_apart(const std::string& words) {
  std::error_code ignored;
  if (fs::exists(words, ignored)) return {words, ""};
  const std::size_t last = words.rfind(':');
  for (std::size_t at = last; at != std::string::npos && at > 0; at = words.rfind(':', at - 1)) {
    if (fs::exists(words.substr(0, at), ignored)) return {words.substr(0, at), words.substr(at + 1)};
  }
  if (last == std::string::npos || last == 0) return {words, ""};
  return {words.substr(0, last), words.substr(last + 1)};
}

bool is_map(const ImageInfo& info) { return info.kind == ImageKind::image && info.refusal.empty(); }

std::string titles_of(const File& file) {
  std::string out;
  for (const auto& image : file.images) {
    const ImageInfo& info = image->info();
    if (is_map(info)) out += (out.empty() ? "" : ", ") + (info.title.empty() ? info.id : info.title);
  }
  return out.empty() ? "no map at all" : out;
}

const Image& chosen(const File& file, const std::string& title, const std::string& words) {
  const Image *found = nullptr, *other = nullptr;
  for (const auto& image : file.images) {
    const ImageInfo& info = image->info();
    const bool fits = title.empty() ? is_map(info) : info.title == title || info.id == title;
    if (!fits) continue;
    if (info.id == title) return *image;
    other = found;
    found = image.get();
  }
  if (found == nullptr) {
    throw Error(ErrorKind::usage, "no map " + words, "the file holds " + titles_of(file),
                title.empty() ? "Make maps of it with elver map" : "Give one of these as FILE:TITLE");
  }
  if (other != nullptr) {
    throw Error(ErrorKind::usage, "cannot choose a map of " + words, "it holds " + titles_of(file),
                "Name one as FILE:TITLE");
  }
  return *found;
}

/// The unit in HyperSpy's "what it is (unit)"; words without brackets are a unit, as elver's own maps have it.
std::string unit_of(const std::string& quantity) {
  const std::size_t open = quantity.rfind('(');
  if (open == std::string::npos || open == 0 || !quantity.ends_with(')')) return quantity;
  return quantity.substr(open + 1, quantity.size() - open - 2);
}

}  // namespace

PlacedMap read_placed_map(const std::string& words) {
  const auto [path, title] = taken_apart(words);
  const File file = open_file(path);
  const Image& image = chosen(file, title, words);
  const ImageInfo& info = image.info();
  if (!is_map(info)) {
    throw Error(ErrorKind::usage, words + " is not a map",
                info.refusal.empty() ? "it is a " + std::string(name_of(info.kind)) : info.refusal,
                "Give a map of two axes, as elver map writes them");
  }
  PlacedMap out;
  std::tie(out.rows, out.columns) = map_axes(image);
  out.source = words;
  out.map.name = !info.title.empty() ? info.title : path.stem().string();
  out.map.unit = unit_of(info.quantity);
  if (out.map.name.starts_with("probability_")) out.map.scale = MapScale::probability;
  out.map.values.resize(image.pixels());
  image.read_tile({0, image.pixels()}, {0, 1}, out.map.values);
  return out;
}

}  // namespace elver
