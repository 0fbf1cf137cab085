#include <algorithm>
#include <array>
#include <cmath>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/hdf5_reader.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// Every format that elver reads. The first that recognises the content opens the file; HDF5's are asked before.
constexpr std::array kReaders{&dm_reader, &swift_reader, &npy_reader, &ripple_reader, &msa_reader};
constexpr std::array kHdf5Readers{&hspy_reader,  &velox_reader, &ncem_reader,
                                  &nexus_reader, &nion_reader,  &any_hdf5_reader};
constexpr std::size_t kHeadBytes = 4096;

std::string list(const std::vector<const ImageInfo*>& images) {
  std::string out;
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(images.size(), kShown); ++i) {
    out += text("%s%s \"%s\"", i > 0 ? ", " : "", images[i]->id.c_str(), images[i]->title.c_str());
  }
  if (images.size() > kShown) out += text(" and %zu more", images.size() - kShown);
  return out;
}

std::vector<const ImageInfo*> infos(const File& file) {
  std::vector<const ImageInfo*> out;
  for (const auto& image : file.images) out.push_back(&image->info());
  return out;
}

bool has_energy(const ImageInfo& info) { return !info.axes.empty() && info.axes.back().role == AxisRole::energy; }

/// How much an image looks like what elver is for; images of equal rank cannot be told apart.
int rank(const ImageInfo& info) {
  if (!info.refusal.empty()) return -1;
  if (!has_energy(info)) return 0;
  return 1 + (info.kind == ImageKind::spectrum_image ? 2 : 0) + (info.signal_type == "EELS" ? 1 : 0);
}

/// The images of the highest rank; more than one if the choice is the user's.
std::vector<const ImageInfo*> candidates(const File& file) {
  std::vector<const ImageInfo*> best;
  int highest = 0;
  for (const ImageInfo* info : infos(file)) {
    const int its = rank(*info);
    if (its < highest) continue;
    if (its > highest) best.clear();
    highest = its;
    best.push_back(info);
  }
  return best;
}

const ImageInfo& named(const File& file, const std::string& dataset) {
  std::vector<const ImageInfo*> fitting;
  for (const ImageInfo* info : infos(file)) {
    if (info->id == dataset) return *info;
    if (info->title == dataset) fitting.push_back(info);
  }
  if (fitting.size() == 1) return *fitting.front();
  throw Error(ErrorKind::usage, "--dataset " + dataset,
              fitting.empty() ? "no image of " + file.path.string() + " has this id or title"
                              : "several images have this title: " + list(fitting),
              "Give one of these ids: " + list(fitting.empty() ? infos(file) : fitting));
}

/// What is wrong with the axes of an image, or "".
std::string fault(const ImageInfo& info) {
  for (const Axis& axis : info.axes) {
    const bool energy = axis.role == AxisRole::energy;
    const std::string name = (energy ? "the energy axis" : "axis \"" + axis.name + "\"");
    if (axis.size == 0) return name + " has no elements";
    if (!std::isfinite(axis.scale) || !std::isfinite(axis.offset) || axis.scale == 0) {
      return name + text(" has scale %g and offset %g", axis.scale, axis.offset);
    }
  }
  return "";
}

/// --offset-ev and --dispersion-ev, in place of what the file says.
void put_energy(Image& image, const OpenOptions& options) {
  if (!options.offset_ev && !options.dispersion_ev) return;
  const double dispersion = options.dispersion_ev.value_or(1.0);
  if (!std::isfinite(dispersion) || dispersion == 0 || !std::isfinite(options.offset_ev.value_or(0.0))) {
    throw Error(ErrorKind::usage, "--offset-ev, --dispersion-ev", "an energy axis cannot have these numbers",
                "Give the energy of channel 0 and the energy per channel in eV");
  }
  if (!has_energy(image.info())) {
    throw Error(ErrorKind::usage, "--offset-ev, --dispersion-ev",
                "image " + image.info().id + " \"" + image.info().title + "\" has no energy axis",
                "Say which axis is the energy with --energy-axis");
  }
  const Axis& axis = image.info().axes.back();
  if (axis.units != "eV" && !(options.offset_ev && options.dispersion_ev)) {
    throw Error(ErrorKind::usage, options.offset_ev ? "--offset-ev" : "--dispersion-ev",
                "the file has no energy calibration that the other could be taken from",
                "Give both --offset-ev and --dispersion-ev");
  }
  image.set_energy({options.offset_ev.value_or(axis.offset), options.dispersion_ev.value_or(axis.scale),
                    static_cast<std::size_t>(axis.size)});
}

Image* find(File& file, const ImageInfo* info) {
  for (const auto& image : file.images) {
    if (&image->info() == info) return image.get();
  }
  return nullptr;
}

File read_hdf5(const hdf5::Handle& file, const std::filesystem::path& path, const OpenOptions& options) {
  const auto held = hdf5::lock();
  const auto takes = [&](const Hdf5Reader& reader) {
    try {
      return reader.recognises(file.get());
    } catch (const Error&) {
      return false;
    }
  };
  for (const Hdf5Reader* reader : kHdf5Readers) {
    if (takes(*reader)) return {path, std::string(reader->about.name), reader->read(file.get(), options)};
  }
  return {path, "hdf5", {}};
}

/// A file that holds nothing but may name another that does.
void check_links(const hdf5::Handle& file, const File& found) {
  if (!found.images.empty()) return;
  const std::string link = hdf5::link_out(file.get());
  if (!link.empty()) hdf5::fail_read(file.get(), "\"" + link + "\" is a link to another file", hdf5::kFollow);
}

[[noreturn]] void refuse_unknown(const std::filesystem::path& path) {
  throw Error(ErrorKind::input, "cannot read " + path.string(), "its content is of no format that elver knows",
              path.extension() == ".raw" ? "Give the .rpl file that describes it" : "`elver formats` lists what elver reads");
}

}  // namespace

void finish_file(File& file, const OpenOptions& options) {
  if (file.images.empty()) throw Error(ErrorKind::input, "cannot read " + file.path.string(), "it holds no image (" + file.format + ")");
  const ImageInfo* chosen = nullptr;
  if (!options.dataset.empty()) {
    chosen = &named(file, options.dataset);
  } else if (const auto best = candidates(file); best.size() == 1) {
    chosen = best.front();
  }
  if (Image* image = find(file, chosen); image != nullptr) {
    image->select();
    put_energy(*image, options);
  }
  // An uncalibrated side image must not keep the others from being read; alone, it is a malformed file.
  std::size_t faulty = 0;
  std::string last;
  for (const auto& image : file.images) {
    if (const std::string why = fault(image->info()); !why.empty()) {
      image->refuse(why);
      last = why;
      ++faulty;
    }
  }
  if (faulty == file.images.size()) {
    throw Error(ErrorKind::input, "cannot read " + file.path.string(), last,
                "Put an energy axis right with --offset-ev and --dispersion-ev");
  }
}

File open_file(const std::filesystem::path& path, const OpenOptions& options) {
  const Bytes bytes = map_file(path);
  const auto head = bytes.span.first(std::min(bytes.span.size(), kHeadBytes));
  const auto finished = [&](File file) {
    finish_file(file, options);
    return file;
  };
  if (is_hdf5(head)) {
    const hdf5::Handle file =
        hdf5::open_file(path.string(), options.follow_links ? hdf5::Links::followed : hdf5::Links::refused);
    File found = read_hdf5(file, path, options);
    check_links(file, found);
    return finished(std::move(found));
  }
  for (const Reader* reader : kReaders) {
    if (reader->recognises(path, head)) return finished(read_with(*reader, bytes, path, options));
  }
  refuse_unknown(path);
}

File read_with(const Reader& reader, const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  try {
    File file = reader.read(bytes, path, options);
    check_whole(bytes);
    return file;
  } catch (const Error&) {
    throw;
  } catch (const std::runtime_error& error) {
    check_whole(bytes);
    throw Error(ErrorKind::input, "cannot read " + path.string(), error.what(), reader.todo);
  }
}

File read_hdf5(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  return read_hdf5(hdf5::open_bytes(bytes.span, path.string()), path, options);
}

std::vector<FormatInfo> formats_read() {
  std::vector<FormatInfo> out;
  for (const Hdf5Reader* reader : kHdf5Readers) out.push_back(reader->about);
  for (const Reader* reader : kReaders) out.push_back(reader->about);
  return out;
}

std::unique_ptr<Image> open_image(const std::filesystem::path& path, const OpenOptions& options) {
  File file = open_file(path, options);
  for (auto& image : file.images) {
    const ImageInfo& info = image->info();
    if (!info.selected) continue;
    if (info.refusal.empty()) return std::move(image);
    throw Error(ErrorKind::input, "cannot read image " + info.id + " \"" + info.title + "\"", info.refusal);
  }
  std::vector<const ImageInfo*> best = candidates(file);
  if (best.empty()) {
    throw Error(ErrorKind::input, "cannot read " + path.string(),
                "image " + infos(file).front()->id + ": " + infos(file).front()->refusal);
  }
  throw Error(ErrorKind::usage, "cannot choose an image of " + path.string(),
              (has_energy(*best.front()) ? "several would do: " : "none has an energy axis: ") + list(best),
              "Name one with --dataset");
}

}  // namespace elver
