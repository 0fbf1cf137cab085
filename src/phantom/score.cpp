#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/phantom.hpp"

namespace elver {
namespace {

const std::string kTruth = "truth_", kProbability = "probability_";

const Image* find(const File& file, const std::string& title) {
  for (const auto& image : file.images) {
    if (image->info().title == title && image->info().kind == ImageKind::image) return image.get();
  }
  return nullptr;
}

std::vector<float> values_of(const Image& image) {
  std::vector<float> out(image.pixels());
  image.read_tile({0, image.pixels()}, {0, 1}, out);
  return out;
}

/// Truth and answer of one pixel.
struct Pair {
  double truth, answer;
};

double rmse(const std::vector<Pair>& pairs, double& guess) {
  double squares = 0, mean = 0, spread = 0;
  const auto n = static_cast<double>(pairs.size());
  for (const Pair& p : pairs) {
    squares += (p.answer - p.truth) * (p.answer - p.truth) / n;
    mean += p.truth / n;
  }
  for (const Pair& p : pairs) spread += (p.truth - mean) * (p.truth - mean) / n;
  guess = std::sqrt(spread);
  return std::sqrt(squares);
}

/// Shares of right answers; `balanced`: the mean over the values that the truth takes. Of one value alone nothing can
/// be told apart: NaN then.
double accuracy(const std::vector<Pair>& pairs, bool balanced, double& guess) {
  std::map<double, std::pair<double, double>> by_value;  // truth -> right, all
  for (const Pair& p : pairs) {
    auto& [right, all] = by_value[p.truth];
    right += p.answer == p.truth ? 1 : 0;
    all += 1;
  }
  double right_in_all = 0, mean = 0, commonest = 0;
  for (const auto& [value, counts] : by_value) {
    right_in_all += counts.first;
    mean += counts.first / counts.second / static_cast<double>(by_value.size());
    commonest = std::max(commonest, counts.second);
  }
  const auto n = static_cast<double>(pairs.size());
  if (balanced && by_value.size() < 2) {
    guess = std::numeric_limits<double>::quiet_NaN();
    return guess;
  }
  guess = balanced ? 1.0 / static_cast<double>(by_value.size()) : commonest / n;
  return balanced ? mean : right_in_all / n;
}

}  // namespace

std::vector<MapScore> score_maps(const std::filesystem::path& maps, const std::filesystem::path& phantom) {
  const File answers = open_file(maps), truths = open_file(phantom);
  std::vector<MapScore> out;
  for (const auto& image : truths.images) {
    if (!image->info().title.starts_with(kTruth) || image->info().kind != ImageKind::image) continue;
    const std::string task = image->info().title.substr(kTruth.size());
    const Image* direct = find(answers, task);
    const Image* probability = find(answers, kProbability + task);
    const Image* answer = direct != nullptr ? direct : probability;
    if (answer == nullptr) continue;
    if (answer->rows() != image->rows() || answer->columns() != image->columns()) {
      throw Error(ErrorKind::mismatch, "map " + answer->info().title + " and the truth differ in shape",
                  std::to_string(answer->rows()) + " x " + std::to_string(answer->columns()) + " and " +
                      std::to_string(image->rows()) + " x " + std::to_string(image->columns()) + " pixels",
                  "Give the maps that were made of this phantom");
    }
    const bool binary = direct == nullptr, classes = task.starts_with("count_");
    const std::vector<float> truth = values_of(*image), value = values_of(*answer);
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (!std::isfinite(truth[i]) || !std::isfinite(value[i])) continue;
      const auto said = static_cast<double>(value[i]);
      pairs.push_back({static_cast<double>(truth[i]), binary ? (said >= 0.5 ? 1.0 : 0.0) : said});
    }
    MapScore score{answer->info().title,
                   binary    ? "balanced accuracy"
                   : classes ? "accuracy"
                             : "RMSE",
                   std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN(), pairs.size()};
    if (!pairs.empty())
      score.value = binary || classes ? accuracy(pairs, binary, score.guess) : rmse(pairs, score.guess);
    out.push_back(std::move(score));
  }
  if (out.empty()) {
    throw Error(ErrorKind::mismatch, "nothing to compare",
                "no map of " + maps.string() + " answers what " + phantom.string() + " holds the truth of",
                "Give a maps.hspy and the phantom that it was made of");
  }
  return out;
}

}  // namespace elver
