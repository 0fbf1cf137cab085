#include "elver/energy.hpp"

#include <cmath>
#include <random>

#include "elver/error.hpp"
#include "energy/edges.hpp"
#include "support.hpp"

namespace elver {
namespace {

TEST(Dbg, Real) {
  std::ifstream f("/tmp/en/mean.txt");
  std::vector<double> y; double v; while (f >> v) y.push_back(v);
  const EnergyAxis axis{440.0, 0.3, y.size()};
  const std::vector<std::vector<std::string>> sets{{"Mn_L3=642","O_K=532"},{"Mn_L3=642"},{"O_K=532"},{"Co_L3=780.5"},{"Ni_L3=855"},{"Mn_L3=642","Co_L3=780.5"},{"Mn_L3=642","Ni_L3=855"},{"Mn_L3=642","Ni_L3=853"},{"Co_L3=780","Ni_L3=855"},
   {"Mn_L3=642","Co_L3=780.5","Ni_L3=855"},{"Mn_L3=642","Co_L3=780","Ni_L3=853"},{"Mn_L3=642","Co_L3=780.5","Ni_L3=855","O_K=532"},{"Mn_L3=642","Mn_L2=653"},{"Mn_L2=653"},{"O_K=532","Ni_L3=855"},{"O_K=532","Co_L3=780"},{"Fe_L3=708"},{"Ti_L3=458"},{"Cr_L3=577"},{"N_K=401"},{"F_K=685"},{"V_L3=517"},{"Cu_L3=932"},{"Mn_L3=642","Fe_L3=709"},{"La_M5=834"},{"Mn_L3=655","Ni_L3=845"},{"Ba_M5=784"}};
  for (auto& s : sets) {
    std::vector<Mark> m; std::string n; for (auto& x : s) { m.push_back(parse_mark(x)); n += x + " "; }
    try { auto c = calibrate(axis, y, m);
      std::printf("%s: gain %.4f offset %.3f disp %.5f :", n.c_str(), c.after.dispersion_ev/0.3, c.after.offset_ev, c.after.dispersion_ev);
      for (auto& r : c.marks) std::printf(" %s %.2f (%+.2f)", r.feature.c_str(), r.found_ev, r.residual_ev);
      auto d = calibrate(c.after, y, m);
      std::printf("  again: %.2g %.2g\n", d.after.offset_ev-c.after.offset_ev, d.after.dispersion_ev-c.after.dispersion_ev);
    } catch (const Error& e) { std::printf("%s: %s\n", n.c_str(), e.what()); }
  }
}


/// A mean spectrum: power law, O K with pre-peak, L pairs; Poisson noise of `pixels` pixels.
std::vector<double> synthetic(const EnergyAxis& truth, double counts, double pixels, unsigned seed, double fwhm = 1.0) {
  std::mt19937_64 random(seed);
  const double w = std::sqrt(fwhm * fwhm / 5.55 + 1.2 * 1.2);
  const auto bell = [](double d, double s) { return std::exp(-0.5 * d * d / s / s); };
  const auto rise = [](double d, double s) { return 0.5 * (1 + std::erf(d / s / std::sqrt(2.0))); };
  std::vector<double> y(truth.size);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double e = truth.energy(static_cast<double>(i));
    double v = std::pow(e / 500, -3.0);
    v += 0.25 * bell(e - 529.5, w) + 0.35 * rise(e - 535, w) * std::pow(std::max(e, 532.0) / 532, -3.0) + 0.25 * bell(e - 540, 2.5);
    const double lines[3][4] = {{642, 11.2, 0.5, 0.55}, {780, 15, 0.15, 0.4}, {855, 17.3, 0.25, 0.35}};
    for (const auto& l : lines) {
      v += l[2] * (bell(e - l[0], w) + l[3] * bell(e - l[0] - l[1], w * 1.15) + 0.2 * (rise(e - l[0], 1.5) + 0.5 * rise(e - l[0] - l[1], 2)) * std::pow(std::max(e, l[0]) / l[0], -3.0));
    }
    std::poisson_distribution<long> p(v * counts * pixels);
    y[i] = static_cast<double>(p(random)) / pixels;
  }
  return y;
}

TEST(Dbg, Synthetic) {
  const std::vector<std::vector<std::string>> sets{{"Mn_L3=642"},{"Co_L3=780"},{"Ni_L3=855"},{"O_K=532.66"},{"Mn_L3=642","Ni_L3=855"},{"Mn_L3=642","O_K=532.66"},{"Co_L3=780","Ni_L3=855"},{"Mn_L3=642","Co_L3=780","Ni_L3=855","O_K=532.66"}};
  for (double disp : {0.1, 0.3, 0.5, 1.0}) for (double counts : {10., 100., 1000., 1e6}) for (auto& s : sets) {
    std::vector<Mark> m; std::string n; for (auto& x : s) { m.push_back(parse_mark(x)); n += x + " "; }
    int ok = 0, refused = 0, wrong = 0; double worst = 0, ss = 0; std::string why;
    for (unsigned seed = 1; seed <= 20; ++seed) {
      std::mt19937_64 r(seed * 7919); std::uniform_real_distribution<double> u(-1, 1);
      const EnergyAxis truth{440, disp, static_cast<std::size_t>(500 / disp)};
      EnergyAxis file = truth; const double g = m.size() > 1 ? 1 + 0.05 * u(r) : 1; file.offset_ev = 440 + 25 * u(r); file.dispersion_ev = disp * g;
      const auto y = synthetic(truth, counts * disp, 10, seed);
      try { auto c = calibrate(file, y, m); double d = 0; for (auto& k : m) d = std::max(d, std::abs(c.after.energy(truth.channel(k.energy_ev)) - k.energy_ev)); if (d > 3) ++wrong; else {++ok; ss += d*d; worst = std::max(worst, d);} }
      catch (const Error& e) { ++refused; why = e.what(); }
    }
    std::printf("%.1f eV %7g counts/eV/px x10  %-50s ok %d refused %d wrong %d rms %.2f worst %.2f %s\n", disp, counts, n.c_str(), ok, refused, wrong, std::sqrt(ss / std::max(1, ok)), worst, why.substr(0, 150).c_str());
  }
}

}  // namespace
}  // namespace elver
