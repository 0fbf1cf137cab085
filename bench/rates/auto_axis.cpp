#include <algorithm>
#include <cstdio>
#include <mutex>

#include "elver/energy.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/model.hpp"
#include "rates.hpp"

// --auto-axis on spectra of the sample phantom, whose structures the sample model's training never saw: the axis wrong
// by up to 20 eV and 5 % in gain, every other time stretched about 0 eV as a whole. Wrong is an edge's maximum more
// than 0.5 eV off; far wrong, more than 1 eV.
namespace elver::rates {
namespace {

std::vector<double> anchors(const Model& model, const EnergyAxis& truth) {
  std::vector<double> out;
  for (const ReferenceSpectrum& reference : model.references) {
    const auto top = std::ranges::max_element(reference.intensity) - reference.intensity.begin();
    const auto energy = static_cast<double>(reference.energy_ev[static_cast<std::size_t>(top)]);
    if (truth.channel(energy) < static_cast<double>(truth.size)) out.push_back(energy);
  }
  return out;
}

}  // namespace

void auto_axis_rates(const Options& options) {
  const std::filesystem::path samples = std::filesystem::path(ELVER_SOURCE_DIR) / "samples";
  const Model model = load_model(samples / "nmc.elver");
  const auto image = open_image(samples / "phantom.hspy");
  const EnergyAxis truth = image->energy();
  const std::vector<double> expected = mean_spectrum(*image, {}), places = anchors(model, truth);
  std::puts(
      "counts in the first channel: spectra, right, refused, wrong by > 0.5 eV, > 1 eV; worst of the accepted, eV");
  for (const double counts : {10.0, 30.0, 100.0, 1000.0}) {
    const std::uint64_t n = scaled(options, 200);
    std::uint64_t right = 0, refused = 0, wrong = 0, far = 0;
    double worst = 0;
    std::mutex mutex;
    for_each_index(n, [&](std::uint64_t i) {
      std::mt19937_64 random = generator(options, "auto-axis" + std::to_string(counts), i);
      std::uniform_real_distribution<double> uniform(-1, 1);
      const double shift = 20 * uniform(random), gain = 1 + 0.05 * uniform(random);
      const EnergyAxis off{(i % 2 == 0 ? gain : 1.0) * truth.offset_ev + shift, gain * truth.dispersion_ev, truth.size};
      std::vector<double> spectrum;
      for (const double value : expected)
        spectrum.push_back(std::poisson_distribution<int>(value * counts / expected.front())(random));
      double error = -1;
      try {
        const EnergyAxis found = auto_calibrate(off, spectrum, model.references).after;
        for (const double place : places) error = std::max(error, std::abs(found.energy(truth.channel(place)) - place));
      } catch (const Error&) {
      }
      const std::lock_guard lock(mutex);
      refused += error < 0 ? 1 : 0;
      right += error >= 0 && error <= 0.5 ? 1 : 0;
      wrong += error > 0.5 ? 1 : 0;
      far += error > 1 ? 1 : 0;
      if (error > 0.5)
        std::printf("  seed %llu, spectrum %llu: %.2f eV\n", static_cast<unsigned long long>(options.seed),
                    static_cast<unsigned long long>(i), error);
      worst = std::max(worst, error);
    });
    std::printf("%6g: %llu, %llu, %llu, %llu, %llu; %.2f\n", counts, static_cast<unsigned long long>(n),
                static_cast<unsigned long long>(right), static_cast<unsigned long long>(refused),
                static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(far), worst);
    std::fflush(stdout);
  }
}

}  // namespace elver::rates
