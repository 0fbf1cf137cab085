#include "elver/compare.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "elver/io.hpp"
#include "library/spectrum_files.hpp"
#include "library/text_table.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

double value_at(const NamedSpectrum& s, double energy) {
  const auto next = std::upper_bound(s.energy_ev.begin(), s.energy_ev.end(), energy);
  if (next == s.energy_ev.begin()) return s.value.front();
  if (next == s.energy_ev.end()) return s.value.back();
  const auto k = static_cast<std::size_t>(next - s.energy_ev.begin());
  const double share = (energy - s.energy_ev[k - 1]) / (s.energy_ev[k] - s.energy_ev[k - 1]);
  return s.value[k - 1] + share * (s.value[k] - s.value[k - 1]);
}

double median_step(const NamedSpectrum& s) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < s.energy_ev.size(); ++i) steps.push_back(s.energy_ev[i] - s.energy_ev[i - 1]);
  return upper_median(std::move(steps));
}

NamedSpectrum broadened(const NamedSpectrum& s, double fwhm, double step) {
  if (!(fwhm > 0)) return s;
  const double sigma = fwhm / 2.354820045;
  NamedSpectrum out{s.name, {}, {}};
  const double fine = std::min(step, sigma / 4);
  const auto reach = static_cast<int>(std::ceil(5 * sigma / fine));
  for (double e = s.energy_ev.front(); e <= s.energy_ev.back(); e += fine) out.energy_ev.push_back(e);
  for (const double e : out.energy_ev) {
    double sum = 0, weights = 0;
    for (int k = -reach; k <= reach; ++k) {
      const double x = k * fine, w = std::exp(-0.5 * x * x / (sigma * sigma));
      sum += w * value_at(s, e + x);
      weights += w;
    }
    out.value.push_back(sum / weights);
  }
  return out;
}

NamedSpectrum of_library(const std::string& what, const std::string& file, const std::string& rest) {
  const std::size_t colon = rest.find(':');
  const std::string edge = rest.substr(0, colon);
  std::string structure = colon == std::string::npos ? "" : rest.substr(colon + 1), atom;
  if (const std::size_t second = structure.find(':'); second != std::string::npos) {
    atom = structure.substr(second + 1);
    structure.resize(second);
  }
  const Library library = load_library(file);
  const std::optional<std::size_t> found = library.find(edge);
  if (!found) {
    std::string names;
    for (const Subshell& s : library.subshells) names += (names.empty() ? "" : ", ") + s.name;
    throw Error(ErrorKind::usage, "no edge " + edge + " in " + file, "it holds " + names, "Name it as LIBRARY.h5:EDGE:STRUCTURE");
  }
  const Subshell& s = library.subshells[*found];
  NamedSpectrum out{what, {}, std::vector<double>(s.points, 0.0)};
  for (std::size_t i = 0; i < s.points; ++i) out.energy_ev.push_back(s.energy(i));
  std::size_t sites = 0;
  for (std::size_t i = 0; i < s.sites.size(); ++i) {
    if (!structure.empty() && library.structures[s.sites[i].structure].id != structure) continue;
    if (!atom.empty() && std::to_string(s.sites[i].atom) != atom) continue;
    ++sites;
    for (std::size_t k = 0; k < s.points; ++k) out.value[k] += static_cast<double>(s.spectrum(i)[k]);
  }
  if (sites == 0)
    throw Error(ErrorKind::usage, "no such site: " + what, "the library has no spectrum of that edge there", "See: elver library show --json");
  return out;
}

NamedSpectrum of_image(const std::string& file) {
  const std::unique_ptr<Image> image = open_image(file);
  const EnergyAxis axis = image->energy();
  NamedSpectrum out{file, {}, std::vector<double>(axis.size, 0.0)};
  for (std::size_t i = 0; i < axis.size; ++i) out.energy_ev.push_back(axis.energy(static_cast<double>(i)));
  constexpr std::uint64_t kTile = 1024;
  std::vector<float> tile;
  for (std::uint64_t first = 0; first < image->pixels(); first += kTile) {
    const PixelRange pixels{first, std::min(first + kTile, image->pixels())};
    tile.resize(axis.size * pixels.size());
    image->read_tile(pixels, {0, axis.size}, tile);
    for (std::size_t c = 0; c < axis.size; ++c) {
      for (std::uint64_t p = 0; p < pixels.size(); ++p) {
        const float value = tile[c * pixels.size() + p];
        if (std::isfinite(value)) out.value[c] += static_cast<double>(value) / static_cast<double>(image->pixels());
      }
    }
  }
  return out;
}

struct Common {
  std::vector<double> energy, a, b;
};

Common on_common_axis(const NamedSpectrum& a, const NamedSpectrum& b, double shift, double step, const std::optional<EnergyWindow>& window) {
  double low = std::max(a.energy_ev.front(), b.energy_ev.front() + shift);
  double high = std::min(a.energy_ev.back(), b.energy_ev.back() + shift);
  if (window) low = std::max(low, window->start_ev), high = std::min(high, window->stop_ev);
  Common out;
  if (!(high > low)) return out;
  const auto points = static_cast<std::size_t>((high - low) / step + 1e-9) + 1;
  for (std::size_t i = 0; i < points; ++i) {
    const double e = low + static_cast<double>(i) * step;
    out.energy.push_back(e);
    out.a.push_back(value_at(a, e));
    out.b.push_back(value_at(b, e - shift));
  }
  return out;
}

}  // namespace

Similarity similarity(std::span<const double> a, std::span<const double> b) {
  const auto cosine = [](std::span<const double> x, std::span<const double> y, double mx, double my) {
    double xy = 0, xx = 0, yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      xy += (x[i] - mx) * (y[i] - my);
      xx += (x[i] - mx) * (x[i] - mx);
      yy += (y[i] - my) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::nan("");
  };
  double ma = 0, mb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i], mb += b[i];
  const auto n = static_cast<double>(a.size());
  return {cosine(a, b, 0, 0), cosine(a, b, ma / n, mb / n)};
}

NamedSpectrum read_named_spectrum(const std::string& what) {
  const std::size_t h5 = what.find(".h5:");
  if (h5 != std::string::npos) return of_library(what, what.substr(0, h5 + 3), what.substr(h5 + 4));
  const std::string extension = upper_case(fs::path(what).extension().string());
  for (const char* image : {".DM3", ".DM4", ".HSPY", ".EMD", ".NXS", ".MSA", ".EMSA"}) {
    if (extension == image) return of_image(what);
  }
  if (extension == ".H5") throw Error(ErrorKind::usage, "which spectrum of " + what, "it is a library", "Name it as LIBRARY.h5:EDGE[:STRUCTURE[:ATOM]]");
  const std::vector<std::string> lines = read_lines(what);
  const std::optional<ReadSpectrum> found = read_spectrum(what, lines);
  if (!found) throw Error(ErrorKind::input, "cannot read " + what, "it holds no spectrum that elver knows", "Give two columns: energy in eV, value");
  return {what, found->energy_ev, found->absorption};
}

Comparison compare_spectra(const NamedSpectrum& first, const NamedSpectrum& second, const CompareOptions& options) {
  const double step = std::max(0.01, std::min(median_step(first), median_step(second)));
  const NamedSpectrum a = broadened(first, options.broaden_first_ev, step), b = broadened(second, options.broaden_second_ev, step);
  Comparison out;
  out.first = first.name;
  out.second = second.name;
  const auto try_shift = [&](double shift) {
    const Common common = on_common_axis(a, b, shift, step, options.window);
    if (common.energy.size() < 8 || common.energy.back() - common.energy.front() < 2) return -2.0;
    const double r = similarity(common.a, common.b).pearson;
    return std::isfinite(r) ? r : -2.0;
  };
  if (options.alignment == CompareShift::best) {
    // Around where the onsets coincide: coarsely, then finely.
    const double centre = find_jump(a.energy_ev, a.value).onset_ev - find_jump(b.energy_ev, b.value).onset_ev;
    double best = -3, at = centre;
    const double reach = options.reach_ev;
    const auto search = [&](double from, double to, double by) {
      const double start = from;
      for (int i = 0; start + i * by <= to + 1e-9; ++i) {
        const double r = try_shift(start + i * by);
        if (r > best) best = r, at = start + i * by;
      }
    };
    search(centre - reach, centre + reach, std::max(0.1, reach / 100));
    const double coarse = std::max(0.1, reach / 100), middle = at;
    search(std::max(middle - coarse, centre - reach), std::min(middle + coarse, centre + reach), coarse / 20);
    out.shift_ev = at;
    out.at_limit = std::abs(at - centre) > reach - 1e-6;
  }
  Common common = on_common_axis(a, b, out.shift_ev, step, options.window);
  if (common.energy.size() < 8 || common.energy.back() - common.energy.front() < 2) {
    throw Error(ErrorKind::mismatch, first.name + " and " + second.name + " cannot be compared",
                text("they share %zu points: %g to %g eV and %g to %g eV", common.energy.size(), a.energy_ev.front(), a.energy_ev.back(),
                     b.energy_ev.front() + out.shift_ev, b.energy_ev.back() + out.shift_ev),
                options.alignment == CompareShift::none ? "Let them be aligned (--align shift)" : "Widen --range");
  }
  out.similarity = similarity(common.a, common.b);
  if (!std::isfinite(out.similarity.pearson))
    throw Error(ErrorKind::mismatch, first.name + " and " + second.name + " cannot be compared", "one of them is flat where both are");
  for (std::vector<double>* values : {&common.a, &common.b}) {
    double mean = 0;
    for (const double v : *values) mean += std::abs(v) / static_cast<double>(values->size());
    for (double& v : *values) v = mean > 0 ? v / mean : v;
  }
  out.energy_ev = std::move(common.energy);
  out.a = std::move(common.a);
  out.b = std::move(common.b);
  return out;
}

std::string comparison_json(const Comparison& c) {
  nlohmann::ordered_json json{{"first", c.first},
                              {"second", c.second},
                              {"cosine", c.similarity.cosine},
                              {"pearson", c.similarity.pearson},
                              {"shift_ev", c.shift_ev},
                              {"shift_at_limit", c.at_limit},
                              {"from_ev", c.energy_ev.front()},
                              {"to_ev", c.energy_ev.back()},
                              {"points", c.energy_ev.size()}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace elver
