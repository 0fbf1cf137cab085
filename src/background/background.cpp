#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "background/fitters.hpp"
#include "elver/energy.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/version.hpp"
#include "io/writer.hpp"
#include "types/memory.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

bool is_masked(const BackgroundJob& job, std::uint64_t pixel) { return !job.mask.empty() && job.mask[pixel] != 0; }

double median(std::vector<float>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return static_cast<double>(*middle);
  return 0.5 * (static_cast<double>(*middle) + static_cast<double>(*std::max_element(values.begin(), middle)));
}

double median_of(const std::vector<EdgeFit>& fits, float EdgeFit::*quantity) {
  std::vector<float> values;
  for (const EdgeFit& fit : fits) {
    if (!failed(fit.status)) values.push_back(fit.*quantity);
  }
  return median(values);
}

ImageInfo net_info(const Image& image) {
  ImageInfo info = image.info();
  info.title = "net";
  info.type = NumberType::f32;
  info.signal_type = "EELS";
  return info;
}

class NetImage : public Image {
 public:
  NetImage(const Image& image, const BackgroundJob& job)
      : Image(net_info(image)), image_(image), job_(job), fitters_(image, job.fit, job.signal, job.options) {}

  std::span<const std::int8_t> eighths() const override { return image_.eighths(); }

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const std::size_t count = pixels.size();
    const ChannelRange net_channels = together(fitters_.signal_channels(), channels);
    const ChannelRange needed = together(fitters_.channels(), net_channels);
    std::vector<float> counts(needed.size() * count);
    image_.read_tile(pixels, needed, counts);
    fitters_.fit(pixels, {counts.data(), count, needed}, net_channels,
                 [&](std::size_t place, const EdgeFit&, const float* net) {
                   const bool masked = is_masked(job_, pixels.first + place);
                   for (std::size_t c = 0; c < channels.size(); ++c) {
                     out[c * count + place] = masked ? std::numeric_limits<float>::quiet_NaN()
                                                     : net[(channels.first - net_channels.first + c) * kBlock];
                   }
                 });
  }

  void stay_within(std::uint64_t bytes) const override { image_.stay_within(bytes); }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    constexpr std::uint64_t kStep = 256;  // pixels made at a time, so that a tile stays small beside `out`
    auto* const spectra = reinterpret_cast<float*>(out.data());
    std::vector<float> tile;
    for (std::uint64_t first = pixels.first; first < pixels.last; first += kStep) {
      const PixelRange some{first, std::min(pixels.last, first + kStep)};
      tile.resize(some.size() * channels.size());
      read_tile(some, channels, tile);
      float* const to = spectra + (first - pixels.first) * channels.size();
      for (std::size_t p = 0; p < some.size(); ++p) {
        for (std::size_t c = 0; c < channels.size(); ++c) to[p * channels.size() + c] = tile[c * some.size() + p];
      }
    }
  }

 private:
  const Image& image_;
  BackgroundJob job_;
  Fitters fitters_;
};

SignalHeader maps_header(const Image& image, const BackgroundJob& job) {
  SignalHeader header = header_of(image);
  std::erase_if(header.axes, [](const Axis& axis) { return axis.role == AxisRole::energy; });
  if (header.axes.empty()) header.axes.push_back({"x", "", 1.0, 0.0, 1, AxisRole::navigation});  // a single spectrum
  header.type = NumberType::f32;
  header.map = true;
  header.signal_type = "";
  nlohmann::json record{{"program", "elver " + version()},
                              {"input", image.info().title},
                              {"background",
                               {{"method", std::string(name_of(job.options.method))},
                                {"fit_ev", {job.fit.start_ev, job.fit.stop_ev}},
                                {"signal_ev", {job.signal.start_ev, job.signal.stop_ev}},
                                {"minimum_counts", job.options.minimum_counts},
                                {"r_range", {job.options.r_minimum, job.options.r_maximum}},
                                {"phi", job.options.phi}}}};
  if (!job.preparation_json.empty()) record["preparation"] = nlohmann::json::parse(job.preparation_json);
  header.record_json = record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return header;
}

}  // namespace

BackgroundResult fit_background(const Image& image, const BackgroundJob& job, const RunContext& context) {
  const Fitters fitters(image, job.fit, job.signal, job.options);
  BackgroundResult result;
  const RunContext left = less_memory(context, image.pixels() * sizeof(EdgeFit), image.pixels() * sizeof(float),
                                      text("the fits of %llu pixels need", static_cast<unsigned long long>(image.pixels())));
  result.fits.resize(image.pixels());
  for_each_tile(image, fitters.channels(), left, "background", [&](const Tile& tile) {
    fitters.fit(tile.pixels, tile.counts, fitters.signal_channels(),
                [&](std::size_t place, const EdgeFit& fit, const float*) {
                  const std::uint64_t pixel = tile.pixels.first + place;
                  result.fits[pixel] = is_masked(job, pixel) ? failed_fit(PixelStatus::masked) : fit;
                });
  });
  for (const EdgeFit& fit : result.fits) ++result.status_counts[static_cast<std::size_t>(fit.status)];
  result.median_A = median_of(result.fits, &EdgeFit::A);
  result.median_r = median_of(result.fits, &EdgeFit::r);
  result.median_reduced_chi_square = median_of(result.fits, &EdgeFit::reduced_chi_square);
  result.median_phi = median_of(result.fits, &EdgeFit::phi);
  return result;
}

std::unique_ptr<Image> net_image(const Image& image, const BackgroundJob& job) {
  return std::make_unique<NetImage>(image, job);
}

void write_background(const std::filesystem::path& path, const Image& image, const BackgroundJob& job,
                      const BackgroundResult& result, bool cube, const RunContext& context) {
  struct Quantity {
    const char* title;
    const char* unit;
    float EdgeFit::*value;
  };
  constexpr Quantity kQuantities[] = {{"signal", "counts", &EdgeFit::signal},
                                      {"background", "counts", &EdgeFit::background},
                                      {"A", "counts per channel at 1 eV", &EdgeFit::A},
                                      {"r", "", &EdgeFit::r},
                                      {"reduced_chi_square", "", &EdgeFit::reduced_chi_square},
                                      {"background_error", "counts", &EdgeFit::background_error},
                                      {"snr", "", &EdgeFit::snr}};
  const std::unique_ptr<SignalWriter> writer = writer_of_signals(path).open(path);
  SignalHeader header = maps_header(image, job);
  for (const Quantity& quantity : kQuantities) {
    context.check_interrupt();
    std::vector<float> values;
    for (const EdgeFit& fit : result.fits) values.push_back(fit.*quantity.value);
    header.title = quantity.title;
    header.quantity = quantity.unit;
    writer->add(header, std::as_bytes(std::span(values)));
  }
  header.title = "status";
  header.quantity = "0 ok";
  for (std::size_t code = 1; code < status_count; ++code) {
    header.quantity += text(", %zu %s", code, std::string(name_of(static_cast<PixelStatus>(code))).c_str());
  }
  header.type = NumberType::u8;
  std::vector<std::uint8_t> codes;
  for (const EdgeFit& fit : result.fits) codes.push_back(static_cast<std::uint8_t>(fit.status));
  writer->add(header, std::as_bytes(std::span(codes)));
  for (const PixelMap& map : job.beside) {
    SignalHeader beside = map_header(image, map);
    beside.record_json = header.record_json;
    writer->add(beside, std::as_bytes(std::span(map.values)));
  }
  if (cube) {
    const std::unique_ptr<Image> net = net_image(image, job);
    const std::unique_ptr<Image> written = on_one_axis(*net);
    SignalHeader net_header = header_of(*written);
    net_header.quantity = "counts";
    net_header.record_json = header.record_json;
    writer->add(net_header, *written, context);
  }
  context.check_interrupt();
  writer->commit();
}

}  // namespace elver
