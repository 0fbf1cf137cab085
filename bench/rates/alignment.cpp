#include <Eigen/Dense>
#include <algorithm>
#include <cstdio>

#include "counts_image.hpp"
#include "elver/energy.hpp"
#include "rates.hpp"

// --align edge on an oxide of Mn and Ni whose axis drifts: the root of the mean squared residual (means taken away),
// and whether the errors are honest: the share of pixels within one and two of their standard errors (0.68 and 0.95
// where errors are normal), and residual over standard error, root mean square. Beside them the Cramer-Rao bound of a
// pixel by itself: no unbiased method is better without its neighbours.
namespace elver::rates {
namespace {

constexpr EnergyAxis kAxis{480, 0.3, 1500};
constexpr double kPi2 = 6.283185307179586;

double bell(double d, double w) { return std::exp(-0.5 * d * d / (w * w)); }
double step(double d, double w) { return 0.5 * (1 + std::erf(d / w / std::sqrt(2.0))); }
double background(double e) { return std::pow(e / 520, -3.0); }

struct Edge {
  const char* name;
  double first_ev, last_ev;  ///< what is looked at
  double (*value)(double);   ///< over the background at 520 eV
};
double oxygen(double e) {
  return 0.3 * step(e - 532, 1) * (0.5 + std::exp(-std::max(0.0, e - 532) / 12)) + 0.25 * bell(e - 529, 1.2);
}
double manganese(double e) { return 0.4 * (bell(e - 642, 1.5) + 0.5 * bell(e - 653, 1.6) + 0.1 * step(e - 644, 1.5)); }
double nickel(double e) { return 0.2 * (bell(e - 855, 1.5) + 0.5 * bell(e - 872, 1.6) + 0.1 * step(e - 857, 1.5)); }
constexpr Edge kOxygen{"O_K", 507, 557, oxygen}, kManganese{"Mn_L3", 617, 678, manganese},
    kNickel{"Ni_L3", 830, 897, nickel};

double spectrum(double e) { return background(e) + oxygen(e) + manganese(e) + nickel(e); }

/// Of a pixel's offset, from these edges, each with a height, a background and its tilt that are not known.
double cramer_rao_ev(const std::vector<Edge>& edges, double counts) {
  double information = 0;
  for (const Edge& edge : edges) {
    std::vector<double> energies;
    for (std::size_t c = 0; c < kAxis.size; ++c) {
      const double e = kAxis.energy(static_cast<double>(c));
      if (e >= edge.first_ev && e < edge.last_ev) energies.push_back(e);
    }
    Eigen::MatrixXd unknown(energies.size(), 3);
    Eigen::VectorXd slope(energies.size());
    for (Eigen::Index i = 0; i < slope.size(); ++i) {
      const double e = energies[static_cast<std::size_t>(i)], weight = std::sqrt(counts / spectrum(e));
      const double below = spectrum(e) - edge.value(e);
      unknown.row(i) << weight * edge.value(e), weight * below, weight * below * (e - edge.first_ev) / 50;
      slope(i) = weight * (edge.value(e + 0.01) - edge.value(e - 0.01)) / 0.02;
    }
    information += (slope - unknown * unknown.colPivHouseholderQr().solve(slope)).squaredNorm();
  }
  return 1 / std::sqrt(information);
}

/// eV, one a pixel.
std::vector<double> drift(const std::string& kind, std::uint64_t rows, std::uint64_t columns, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  const double phase = kPi2 * std::uniform_real_distribution<double>()(random);
  std::vector<double> out;
  double walk = 0, row = 0;
  for (std::uint64_t p = 0; p < rows * columns; ++p) {
    const double t = static_cast<double>(p) / static_cast<double>(rows * columns);
    walk += 0.1 * normal(random);
    if (p % columns == 0) row = 0.5 * normal(random);
    if (kind == "smooth") out.push_back(2 * t * t + 0.6 * std::sin(11 * t + phase));
    if (kind == "random walk") out.push_back(walk);
    if (kind == "row jumps") out.push_back(row);
    if (kind == "white") out.push_back(0.5 * normal(random));
    if (kind == "none") out.push_back(0);
  }
  return out;
}

void row(const Options& options, const std::vector<Edge>& edges, double counts, const std::string& kind,
         std::uint64_t rows, std::uint64_t columns) {
  std::string names;
  std::vector<std::string> list;
  for (const Edge& edge : edges) {
    list.emplace_back(edge.name);
    names += (names.empty() ? "" : ",") + list.back();
  }
  char name[120];
  std::snprintf(name, sizeof name, "%-18s %5g  %-11s %2llu x %2llu", names.c_str(), counts, kind.c_str(),
                static_cast<unsigned long long>(rows), static_cast<unsigned long long>(columns));
  if (std::string(name).find(options.only) == std::string::npos) return;
  const std::uint64_t n = scaled(options, 20), pixels = rows * columns;
  std::vector<double> square(n), one(n), two(n), ratio(n), refused(n);
  for_each_index(n, [&](std::uint64_t i) {
    std::mt19937_64 random = generator(options, name, i);
    const std::vector<double> truth = drift(kind, rows, columns, random);
    test::CountsImage image(
        {{"y", "nm", 1, 0, rows, AxisRole::navigation}, {"x", "nm", 1, 0, columns, AxisRole::navigation}}, kAxis);
    for (std::uint64_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < kAxis.size; ++c) {
        const double mean = counts * spectrum(kAxis.energy(static_cast<double>(c)) - truth[p]);
        image.at(p, c) = static_cast<float>(std::poisson_distribution<int>(mean)(random));
      }
    }
    try {
      const Alignment found = align_edges(image, list, {.threads = 1});
      double mean = 0;
      for (std::uint64_t p = 0; p < pixels; ++p) mean += (found.offset_ev[p] - truth[p]) / static_cast<double>(pixels);
      for (std::uint64_t p = 0; p < pixels; ++p) {
        const double off = std::abs(found.offset_ev[p] - truth[p] - mean), errors = off / found.error_ev[p];
        square[i] += off * off / static_cast<double>(pixels);
        one[i] += (errors < 1 ? 1.0 : 0.0) / static_cast<double>(pixels);
        two[i] += (errors < 2 ? 1.0 : 0.0) / static_cast<double>(pixels);
        ratio[i] += errors * errors / static_cast<double>(pixels);
      }
    } catch (const std::exception&) {
      refused[i] = 1;
    }
  });
  double gone = 0;
  for (const double each : refused) gone += each;
  const auto mean = [&](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / (static_cast<double>(n) - gone);
  };
  std::printf(
      "%s  residual %.3f eV  within 1: %.2f  2: %.2f  over error: %.2f  own bound %.3f eV  refused %g of %llu\n", name,
      std::sqrt(mean(square)), mean(one), mean(two), std::sqrt(mean(ratio)), cramer_rao_ev(edges, counts), gone,
      static_cast<unsigned long long>(n));
  std::fflush(stdout);
}

}  // namespace

void alignment_rates(const Options& options) {
  std::puts("edges, counts a channel at 520 eV, drift, field; 20 images a row");
  const std::vector<std::vector<Edge>> choices{{kManganese}, {kOxygen}, {kOxygen, kManganese, kNickel}};
  for (const double counts : {100.0, 1000.0}) {
    for (const std::vector<Edge>& edges : choices) {
      for (const char* kind : {"none", "smooth", "random walk", "row jumps", "white"}) {
        row(options, edges, counts, kind, 14, 18);
      }
    }
    for (const char* kind : {"smooth", "random walk", "white"}) {
      row(options, choices[1], counts, kind, 2, 21);
      row(options, choices[2], counts, kind, 2, 21);
    }
  }
}

}  // namespace elver::rates
