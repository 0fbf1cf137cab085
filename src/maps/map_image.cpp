#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "engine/device_loop.hpp"
#include "engine/edge_pipelines.hpp"
#include "engine/tiles.hpp"
#include "engine/timed_image.hpp"
#include "maps/device_maps.hpp"
#include "maps/task_maps.hpp"
#include "types/arena.hpp"
#include "types/large_pages.hpp"
#include "types/ranked.hpp"
#include "types/stopwatch.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// The three maps of each edge, in the order A, r, snr.
constexpr std::size_t kMapsPerEdge = 3;
void add_edge_maps(const Model& model, std::vector<Map>& maps) {
  const auto add = [&](std::string name, std::string unit, std::string title, MapScale scale) {
    maps.push_back({std::move(name), std::move(unit), {}, {}, std::move(title), scale, false});
  };
  for (const Edge& edge : model.edges) {
    std::string spoken = edge.name;
    std::replace(spoken.begin(), spoken.end(), '_', ' ');
    add("A_" + edge.name, "counts per channel at 1 eV", "Background A before " + spoken, MapScale::logarithmic);
    add("r_" + edge.name, "", "Background exponent r before " + spoken, MapScale::linear);
    add("snr_" + edge.name, "", "Signal-to-noise ratio of " + spoken, MapScale::linear);
  }
}

/// Names must tell the maps apart, in a file and as files.
void check_names(const std::vector<Map>& maps) {
  std::set<std::string> names{"status"};
  for (const Map& map : maps) {
    if (!names.insert(map.name).second) {
      throw Error(ErrorKind::input, "the model gives two maps named " + map.name,
                  "names of tasks and edges must differ", "Rename one in the recipe");
    }
  }
}

void fill_edges(const engine::TileOutcome& tile, std::uint64_t first_pixel, std::size_t edges, std::span<Map> maps) {
  const std::size_t pixels = tile.status.size();
  for (std::size_t e = 0; e < edges; ++e) {
    for (std::size_t p = 0; p < pixels; ++p) {
      if (failed(tile.status[p])) continue;
      const EdgeFit& fit = tile.fits[e * pixels + p];
      maps[e * kMapsPerEdge].values[first_pixel + p] = fit.A;
      maps[e * kMapsPerEdge + 1].values[first_pixel + p] = fit.r;
      maps[e * kMapsPerEdge + 2].values[first_pixel + p] = fit.snr;
    }
  }
}

}  // namespace

std::vector<float> snr_of(std::span<const Map> edge_maps, std::size_t edges, std::span<const std::uint64_t> pixels) {
  std::vector<float> out;
  out.reserve(edges * pixels.size());
  for (const std::uint64_t pixel : pixels) {
    for (std::size_t e = 0; e < edges; ++e) out.push_back(edge_maps[e * kMapsPerEdge + 2].values[pixel]);
  }
  return out;
}

namespace {

/// Counts every pixel's status; says so where most pixels have no value.
void count_status(MapResult& result) {
  for (const PixelStatus status : result.status) ++result.status_counts[static_cast<std::size_t>(status)];
  std::uint64_t tried = result.status.size() - result.status_counts[static_cast<std::size_t>(PixelStatus::masked)];
  std::uint64_t lost = 0, most = 0;
  PixelStatus commonest = PixelStatus::ok;
  for (std::size_t code = 0; code < status_count; ++code) {
    const auto status = static_cast<PixelStatus>(code);
    if (!failed(status) || status == PixelStatus::masked) continue;
    lost += result.status_counts[code];
    if (result.status_counts[code] > most) {
      most = result.status_counts[code];
      commonest = status;
    }
  }
  if (tried == 0) {
    result.notes.push_back("every pixel is masked: the maps hold no value");
  } else if (2 * lost > tried) {
    result.notes.push_back(
        text("%llu of %llu pixels gave no value, most of them for %s: check the energy axis, the fit windows "
             "and the counts",
             static_cast<unsigned long long>(lost), static_cast<unsigned long long>(tried),
             std::string(name_of(commonest)).c_str()));
  }
}

/// Says how many pixels are unlike anything that the model was trained on.
void note_domain(MapResult& result) {
  std::uint64_t outside = 0, all = 0;
  for (const Map& map : result.maps) {
    if (map.name != "in_domain") continue;
    for (const float value : map.values) {
      all += std::isnan(value) ? 0 : 1;
      outside += value == 0.0F ? 1 : 0;
    }
  }
  if (20 * outside > all) {
    result.notes.push_back(text("%llu of %llu pixels are unlike the spectra that the model was trained on (hatched in the "
                                "pictures): do not trust their values",
                                static_cast<unsigned long long>(outside), static_cast<unsigned long long>(all)));
  }
}

/// The context of the tile loop: what the maps take is taken off the memory.
RunContext left_for_tiles(const RunContext& context, std::uint64_t pixels, std::size_t maps) {
  RunContext left = context;
  if (context.memory_bytes == 0) return left;
  const std::uint64_t needed = pixels * (maps * sizeof(float) + sizeof(PixelStatus));
  if (needed >= context.memory_bytes) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("%zu maps of %llu pixels need %llu bytes", maps, static_cast<unsigned long long>(pixels),
                     static_cast<unsigned long long>(needed)),
                "Raise --memory");
  }
  left.memory_bytes -= needed;
  return left;
}

}  // namespace

MapResult map_image(const Image& image, const Model& model, std::span<const std::uint8_t> mask,
                    const RunContext& context) {
  const Stopwatch total;
  const std::uint64_t pixels = image.pixels();
  MapResult result;
  result.rows = image.rows();
  result.columns = image.columns();
  std::vector<TaskMaps> tasks;
  for (const Task& task : model.tasks) tasks.emplace_back(task, model.feature_count(), result.maps, result.notes);
  std::optional<DomainMaps> domain;
  if (model.domain) domain.emplace(*model.domain, model.feature_count(), result.maps);
  const std::size_t first_edge_map = result.maps.size();
  add_edge_maps(model, result.maps);
  check_names(result.maps);

  std::vector<engine::BoosterRounds> boosters;
  for (const TaskMaps& task : tasks) task.add_boosters(boosters);
  if (domain) boosters.push_back(domain->booster());
  const bool own = context.forest == ForestEngine::own;
  if (!own) result.forest = xgboost::name();
  for (const Task& task : model.tasks) {
    if (own) task.booster.require_trees();
  }
  const RunContext left = left_for_tiles(context, pixels, result.maps.size());
  const std::vector<int> devices = engine::devices_to_use(context, why_not_on_devices(model, image, context.forest));

  for (Map& map : result.maps) {  // one after the other, so that they lie side by side
    map.values.reserve(pixels);
    ask_for_large_pages_around(map.values.data(), pixels * sizeof(float));
  }
  std::optional<engine::EdgePipelines> plan;
  std::optional<engine::ForestRunner> forest;
  in_arena(context, [&] {
    oneapi::tbb::parallel_invoke(
        [&] { plan.emplace(model, image); },
        [&] {
          if (devices.empty()) forest.emplace(boosters, engine::Missing::never, context.forest);
        },
        [&] {
          result.status.assign(pixels, PixelStatus::masked);
          oneapi::tbb::parallel_for(std::size_t{0}, result.maps.size(), [&](std::size_t m) {
            result.maps[m].values.assign(pixels, std::numeric_limits<float>::quiet_NaN());
          });
        });
  });
  if (!devices.empty()) {
    result.computed_on = engine::names_of(devices);
    map_on_devices(image, model, boosters, tasks, domain ? &*domain : nullptr, devices, mask, left, first_edge_map, result);
    count_status(result);
    note_domain(result);
    result.seconds.total = total.seconds();
    return result;
  }

  const engine::TimedImage timed(image);
  oneapi::tbb::enumerable_thread_specific<engine::TileWork> works([&] { return engine::TileWork(*forest); });
  SharedSeconds writing;
  const Stopwatch loop;
  const double waited = engine::deal_tiles(timed, plan->windows(), left, "map", [&](const Tile& tile) {
    const std::uint64_t first = tile.pixels.first;
    const std::size_t count = tile.counts.pixels;
    engine::TileWork& work = works.local();
    plan->work(tile, mask.empty() ? mask : mask.subspan(first, count), work);
    const engine::TileOutcome& found = work.finish();
    const Stopwatch watch;
    std::ranges::copy(found.status, result.status.begin() + static_cast<std::ptrdiff_t>(first));
    fill_edges(found, first, plan->edge_count(), std::span(result.maps).subspan(first_edge_map));
    std::vector<std::uint64_t> valid;
    for (const std::uint32_t p : found.valid) valid.push_back(first + p);
    const std::vector<float> snr =
        snr_of(std::span(result.maps).subspan(first_edge_map), plan->edge_count(), valid);
    const float* margins = found.margins.data();
    for (const TaskMaps& task : tasks) {
      task.fill(margins, count, valid, snr, result.maps);
      margins += task.output_count() * count;
    }
    if (domain) domain->fill(margins, count, valid, snr, result.maps);
    writing.add(watch.seconds());
  });

  count_status(result);
  note_domain(result);
  StageSeconds spent;
  for (const engine::TileWork& work : works) {
    spent.background += work.background_seconds();
    spent.features += work.features_seconds();
    spent.rank += work.rank_seconds();
    spent.trees += work.trees_seconds();
  }
  spent.trees += writing.value();
  spent.read = timed.seconds() + waited * context.thread_count();
  result.seconds = engine::shared_out(spent, loop.seconds());
  result.seconds.total = total.seconds();
  return result;
}

MapSpread spread_of(const Map& map) {
  const Ranked values(map.values);
  if (values.size() == 0) return {};
  const std::size_t middle = values.size() / 2;
  MapSpread spread{values.size(), values.least(), values.at(middle), values.most()};
  if (values.size() % 2 == 0 && map.classes.empty())  // the median of classes is one of them
    spread.median = (spread.median + static_cast<double>(values.at(middle - 1))) / 2;
  return spread;
}

std::pair<Axis, Axis> map_axes(const Image& image) {
  std::vector<Axis> axes;
  for (const Axis& axis : image.info().axes) {
    if (axis.role == AxisRole::navigation) axes.push_back(axis);
  }
  const Axis column = axes.empty() ? Axis{"x", "", 1.0, 0.0, 1, AxisRole::navigation} : axes.back();
  const Axis row = axes.size() == 2 ? axes.front() : Axis{"y", "", 1.0, 0.0, image.rows(), AxisRole::navigation};
  return {row, column};
}

}  // namespace elver
