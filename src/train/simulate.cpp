#include <oneapi/tbb/parallel_for.h>

#include <array>
#include <cmath>
#include <memory>
#include <mutex>
#include <random>

#include "elver/core/features.hpp"
#include "elver/dataset.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "features/features.hpp"
#include "library/instrument.hpp"
#include "train/random.hpp"
#include "types/arena.hpp"

namespace elver::train {
namespace {

/// An edge with the windows that suit it, once the library is moved to experiment (O K rises at 528.5 eV, Mn L3 peaks
/// at 643, Co L3 at 780.5, Ni L3 at 854). A fit window ends before resolution and misalignment bring the edge into it,
/// and starts after the fine structure of the edge below.
struct KnownEdge {
  const char* name;
  const char* subshells;  ///< how their names start
  EnergyWindow fit;
  Grid grid;
};
constexpr std::array<KnownEdge, 4> kEdges{{{"O_K", "O_K", {490, 523}, {525, 563, 152}},
                                           {"Mn_L", "Mn_L", {600, 634}, {636, 674, 152}},
                                           {"Co_L", "Co_L", {735, 770}, {773, 811, 152}},
                                           {"Ni_L", "Ni_L", {818, 847}, {849, 883, 136}}}};

constexpr double kReferenceFwhm = 0.8;  ///< eV
constexpr double kQuiet = 0.1;          ///< share of training spectra without noise, as sums over many pixels are
constexpr std::size_t kAxes = 16;       ///< energy axes that the spectra are dealt out over

/// Axes as spectrometers are set up for these edges, from 0.2 to 0.5 eV a channel, 450 to 900 eV; wider, or in finer or
/// coarser channels, where a model's windows and grids (see Plan) ask for that.
EnergyAxis draw_axis(const Model& model, std::uint64_t seed, std::size_t i) {
  constexpr double kBeside = 5;  ///< eV beyond the windows
  std::mt19937_64 random = random_stream(seed, 1, i);
  EnergyAxis axis;
  axis.dispersion_ev = std::uniform_real_distribution(0.2, 0.5)(random);
  axis.offset_ev = std::uniform_real_distribution(440.0, 460.0)(random);
  double stop = 900.0;
  for (const Edge& edge : model.edges) {
    axis.offset_ev = std::min(axis.offset_ev, edge.fit.start_ev - kBeside);
    stop = std::max(stop, edge.grid.stop_ev + kBeside);
    axis.dispersion_ev = std::clamp(axis.dispersion_ev, 0.11 * edge.grid.spacing_ev(), 2.0 * edge.grid.spacing_ev());
  }
  axis.size = static_cast<std::size_t>((stop - axis.offset_ev) / axis.dispersion_ev);
  return axis;
}

/// What an absent edge is fed with, the paper's way: features of the line 0.1 with Poisson noise of this relative size.
void noisy_absent_line(const FeatureRule& rule, double relative_noise, std::span<float> out, std::mt19937_64& random) {
  const double counts = 1 / (relative_noise * relative_noise);
  std::poisson_distribution<std::int64_t> count(counts);
  core::Accumulator<double> sums;
  std::vector<double> line;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double value = kAbsentLine * static_cast<double>(count(random)) / counts;
    line.push_back(core::accumulate(sums, value, rule, i == 0));
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(sums.divisor > 0 ? line[i] / sums.divisor : 0.0);
}

}  // namespace

Model make_skeleton(const Library& library, const std::string& name) {
  Model out;
  out.name = name;
  for (const KnownEdge& edge : kEdges) {
    bool here = false;
    for (const Subshell& s : library.subshells) here = here || s.name.starts_with(edge.subshells);
    if (here) out.edges.push_back({edge.name, edge.fit, edge.grid});
  }
  if (out.edges.empty()) {
    throw Error(ErrorKind::input, "library", "it holds no spectra of O K or of the L edges of Mn, Co and Ni");
  }
  return out;
}

std::vector<ReferenceSpectrum> make_references(const Library& library, const Pool& pool, const Model& model) {
  Specimen mean;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    if (pool.averages[s] && library.structures[s].defect == DefectKind::pristine)
      mean.add(pool.specimens[*pool.averages[s]], 1.0);
  }
  std::vector<ReferenceSpectrum> out;
  for (const Edge& edge : model.edges) {
    ReferenceSpectrum reference;
    reference.edge = edge.name;
    std::vector<double> energy;
    for (double e = edge.fit.stop_ev; e < edge.grid.stop_ev; e += edge.grid.spacing_ev()) energy.push_back(e);
    std::vector<double> sum(energy.size(), 0.0);
    double highest = 0;
    for (std::size_t s = 0; s < mean.cross_section.size(); ++s) {
      if (mean.cross_section[s].empty() || !library.subshells[s].name.starts_with(edge.name)) continue;
      const std::vector<double> part =
          broadened(library.subshells[s], mean.cross_section[s], mean.jump[s], kReferenceFwhm, energy);
      for (std::size_t i = 0; i < sum.size(); ++i) highest = std::max(highest, sum[i] += part[i]);
    }
    if (highest <= 0) continue;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      reference.energy_ev.push_back(static_cast<float>(energy[i]));
      reference.intensity.push_back(static_cast<float>(sum[i] / highest));
    }
    out.push_back(std::move(reference));
  }
  return out;
}

std::vector<float> simulate_features(const Model& skeleton, const Library& library, const Pool& pool,
                                     const std::vector<Example>& examples, const Exposure& exposure, std::uint64_t seed,
                                     const RunContext& context, std::string_view stage,
                                     std::vector<float>* snr) {
  const std::size_t width = skeleton.feature_count();
  const std::size_t edges = skeleton.edges.size();
  std::vector<float> out(examples.size() * width);
  if (snr != nullptr) snr->assign(examples.size() * edges, 0.0F);
  std::mutex progress;
  if (context.progress != nullptr) context.progress->begin(stage, examples.size(), "spectra");
  std::vector<std::unique_ptr<const Plan>> plans;
  for (std::size_t i = 0; i < kAxes; ++i) plans.push_back(std::make_unique<const Plan>(skeleton, draw_axis(skeleton, seed, i)));
  // Each axis in a few pieces, so that many threads have work.
  constexpr std::size_t kPieces = 4;
  const auto work = [&](std::size_t job) {
    context.check_interrupt();
    std::vector<std::size_t> rows;
    for (std::size_t i = job; i < examples.size(); i += kAxes * kPieces) rows.push_back(i);
    if (rows.empty()) return;
    const EnergyAxis axis = draw_axis(skeleton, seed, job % kAxes);
    const Plan& plan = *plans[job % kAxes];
    const ChannelRange channels = plan.channels();
    const EnergyAxis read{axis.energy(static_cast<double>(channels.first)), axis.dispersion_ev, channels.size()};
    std::vector<float> counts(rows.size() * channels.size());
    for (std::size_t p = 0; p < rows.size(); ++p) {
      std::mt19937_64 random = random_stream(seed, 2, rows[p]);
      Instrument instrument = draw_instrument(library, exposure.instruments, random);
      const bool quiet = std::bernoulli_distribution(kQuiet)(random);
      if (exposure.counts_per_channel) instrument.counts_per_channel = *exposure.counts_per_channel;
      Specimen mixture;
      for (const Part& part : examples[rows[p]].parts) mixture.add(pool.specimens[part.specimen], part.weight);
      std::vector<double> spectrum = expected_counts(library, mixture, instrument, read);
      if (exposure.counts_per_channel ? exposure.noise : !quiet) add_poisson_noise(spectrum, random);
      for (std::size_t c = 0; c < spectrum.size(); ++c) counts[c * rows.size() + p] = static_cast<float>(spectrum[c]);
    }
    TileFeatures features;
    plan.extract({counts.data(), rows.size(), channels}, {}, features);
    for (std::size_t p = 0; p < rows.size(); ++p) {
      std::copy_n(features.features.begin() + static_cast<std::ptrdiff_t>(p * width), width,
                  out.begin() + static_cast<std::ptrdiff_t>(rows[p] * width));
      std::size_t first = rows[p] * width;
      for (std::size_t e = 0; e < edges; ++e) {
        const EdgeFit& fit = features.fits[e * rows.size() + p];
        if (snr != nullptr) (*snr)[rows[p] * edges + e] = fit.snr;
        const std::size_t points = skeleton.edges[e].grid.count;
        if (exposure.absent_noise > 0 && fit.status == PixelStatus::edge_absent && !std::isnan(out[first])) {
          std::mt19937_64 random = random_stream(seed, 4 + static_cast<std::uint32_t>(e), rows[p]);
          noisy_absent_line(skeleton.features, exposure.absent_noise, std::span(out).subspan(first, points), random);
        }
        first += points;
      }
    }
    if (context.progress != nullptr) {
      const std::lock_guard lock(progress);
      context.progress->advance(rows.size());
    }
  };
  in_arena(context, [&] { oneapi::tbb::parallel_for(std::size_t{0}, kAxes * kPieces, work); });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  return out;
}

}  // namespace elver::train
