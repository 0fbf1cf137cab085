// Regret of elver's TPE on a standard function: tpe_regret branin|hartmann6 EVALUATIONS SEEDS prints a number a seed.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "train/tpe.hpp"

namespace {

double branin(const std::vector<double>& x) {
  const double a = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;
  return a * a + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x[0]) + 10 - 0.397887357729739;
}

double hartmann6(const std::vector<double>& x) {
  constexpr double kAlpha[4] = {1, 1.2, 3, 3.2};
  constexpr double kA[4][6] = {{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8},
                               {17, 8, 0.05, 10, 0.1, 14}};
  constexpr double kP[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                               {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                               {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                               {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inner = 0;
    for (int j = 0; j < 6; ++j) inner += kA[i][j] * (x[static_cast<std::size_t>(j)] - kP[i][j]) * (x[static_cast<std::size_t>(j)] - kP[i][j]);
    sum += kAlpha[i] * std::exp(-inner);
  }
  return 3.322368011415515 - sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: tpe_regret branin|hartmann6 EVALUATIONS SEEDS\n");
    return 2;
  }
  const bool two = std::string(argv[1]) == "branin";
  const int evaluations = std::atoi(argv[2]), seeds = std::atoi(argv[3]);
  std::vector<elver::train::Parameter> space;
  if (two) space = {{"x", -5, 10, 0, false, {}}, {"y", 0, 15, 0, false, {}}};
  for (int i = 0; !two && i < 6; ++i) space.push_back({std::string(1, "uvwxyz"[i]), 0, 1, 0, false, {}});
  for (int seed = 0; seed < seeds; ++seed) {
    elver::train::Tpe tpe(space, static_cast<std::uint64_t>(seed));
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < evaluations; ++i) {
      const std::vector<double> x = tpe.ask();
      const double loss = two ? branin(x) : hartmann6(x);
      tpe.tell(x, loss);
      best = std::min(best, loss);
    }
    std::printf("%.17g\n", best);
  }
  return 0;
}
