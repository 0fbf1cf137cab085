#include "phantom/casting.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>

#include "elver/error.hpp"
#include "train/random.hpp"

namespace elver::phantom {
namespace {

using Random = std::mt19937_64;
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr double kWithin = 3.0;  ///< Angstrom: an antisite that a neighbourhood holds
constexpr double kMostVacancyLi = 0.2;
constexpr std::uint32_t kStream = 7;

/// A structure average that may be used, by its Li content.
struct Average {
  double li = 0.0;
  std::size_t structure = 0, specimen = 0;
};

struct Neighbourhood {
  std::size_t structure = 0, specimen = 0;
};
using Counts = std::array<int, 4>;

/// Whether the local counts have an answer there: three transition metals and at most three Li. Beside an antisite they
/// have not, as Ni on a place of Li is a fourth metal, and Li on a place of Ni leaves two.
bool has_counts(const Counts& counts) { return counts[0] <= 3 && counts[1] + counts[2] + counts[3] == 3; }

/// What there is to choose from.
struct Stock {
  std::map<std::string, std::vector<Average>> pristine, vacancy;  ///< by composition, in order of Li
  std::map<Counts, std::vector<Neighbourhood>> plain, antisite;
  bool held_out = true;
};

Stock collect(const Library& library, const train::Pool& pool, const std::vector<train::Side>& sides, bool all) {
  Stock out;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    const Structure& cell = library.structures[s];
    if (!(all || sides[s] == train::Side::held_out) || !pool.averages[s] || cell.defect == DefectKind::antisite) continue;
    auto& kind = cell.defect == DefectKind::oxygen_vacancy ? out.vacancy : out.pristine;
    kind[cell.composition].push_back({cell.lithiation, s, *pool.averages[s]});
  }
  for (auto* kind : {&out.pristine, &out.vacancy}) {
    for (auto& [composition, averages] : *kind) {
      std::stable_sort(averages.begin(), averages.end(),
                       [](const Average& a, const Average& b) { return a.li < b.li; });
    }
  }
  const std::optional<std::size_t> oxygen = library.find("O_K");
  for (std::size_t i = 0; i < pool.neighbourhoods.size(); ++i) {
    const Site& site = library.subshells[*oxygen].sites[i];
    const DefectKind defect = library.structures[site.structure].defect;
    const auto [li, ni, mn, co, o] = site.neighbours;
    if (!(all || sides[site.structure] == train::Side::held_out) || !pool.neighbourhoods[i]) continue;
    if (defect == DefectKind::pristine) {
      if (has_counts({li, ni, mn, co}))
        out.plain[{li, ni, mn, co}].push_back({site.structure, *pool.neighbourhoods[i]});
    } else if (defect == DefectKind::antisite && site.defect_distance_angstrom < kWithin) {
      out.antisite[{li, ni, mn, co}].push_back({site.structure, *pool.neighbourhoods[i]});
    }
  }
  return out;
}

/// Held-out structures, and for each kind that has none of them, all.
Stock take_stock(const Library& library, const train::Pool& pool, std::uint64_t split_seed) {
  const std::vector<train::Side> sides = train::hold_out(library.structures, split_seed);
  Stock out = collect(library, pool, sides, false);
  Stock all = collect(library, pool, sides, true);
  const auto fill = [&](auto& have, auto& could) {
    if (!have.empty() || could.empty()) return;
    have = could;
    out.held_out = false;
  };
  fill(out.pristine, all.pristine);
  fill(out.vacancy, all.vacancy);
  fill(out.plain, all.plain);
  fill(out.antisite, all.antisite);
  return out;
}

template <class Values>
const auto& any_of(const Values& values, Random& random) {
  return values[std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random)];
}

/// Two structures about the wanted Li content, mixed so that they have it, and a third one like the nearer of them: a
/// pixel sees many cells.
void mix_averages(const std::vector<Average>& from, double li, Random& random, Pixel& pixel,
                  std::set<std::size_t>& used) {
  std::vector<const Average*> below, above;  // of the nearest Li content on either side
  for (const Average& a : from) {
    auto& side = a.li <= li + 1e-9 ? below : above;
    const bool nearer = !side.empty() && (a.li <= li + 1e-9 ? a.li > side[0]->li + 1e-9 : a.li < side[0]->li - 1e-9);
    if (nearer) side.clear();
    if (side.empty() || std::abs(side[0]->li - a.li) < 1e-9) side.push_back(&a);
  }
  if (below.empty()) below = above;
  if (above.empty()) above = below;
  const Average &low = *any_of(below, random), &high = *any_of(above, random);
  const double span = high.li - low.li;
  const double share = span > 1e-9 ? std::clamp((li - low.li) / span, 0.0, 1.0) : 0.5;
  const auto& nearer = share < 0.5 ? below : above;
  const Average& third = *any_of(nearer, random);
  const double both = 0.5 * std::max(share, 1 - share);  // half of the nearer side's share goes to the third
  double content = 0;
  for (const auto& [average, weight] :
       {std::pair{&low, 1 - share - (share < 0.5 ? both : 0.0)}, std::pair{&high, share - (share < 0.5 ? 0.0 : both)},
        std::pair{&third, both}}) {
    if (!(weight > 0)) continue;
    pixel.parts.push_back({average->specimen, weight});
    content += weight * average->li;
    used.insert(average->structure);
  }
  pixel.li_content = static_cast<float>(content);
}

/// The counts of the stock that are nearest to what is wanted there: Li falls along the flake, Ni gives way to Mn and
/// Co across it.
const Counts& nearest_counts(const std::map<Counts, std::vector<Neighbourhood>>& stock, const Place& place) {
  const double li = 3.2 * (1 - place.along) - 0.1, ni = 3.2 - 2.4 * place.across, mn = (3 - ni) * place.along;
  const Counts* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [counts, sites] : stock) {
    const double distance = std::pow(counts[0] - li, 2) + std::pow(counts[1] - ni, 2) + std::pow(counts[2] - mn, 2);
    if (distance < least) {
      least = distance;
      best = &counts;
    }
  }
  return *best;
}

void mix_neighbourhoods(const std::map<Counts, std::vector<Neighbourhood>>& stock, const Place& place, Random& random,
                        Pixel& pixel, std::set<std::size_t>& used) {
  const Counts& counts = nearest_counts(stock, place);
  const std::vector<Neighbourhood>& sites = stock.at(counts);
  const double share = std::uniform_real_distribution(0.3, 0.7)(random);
  for (const double weight : {share, 1 - share}) {
    const Neighbourhood& site = any_of(sites, random);
    pixel.parts.push_back({site.specimen, weight});
    used.insert(site.structure);
  }
  if (has_counts(counts))
    std::transform(counts.begin(), counts.end(), pixel.counts, [](int n) { return static_cast<float>(n); });
}

}  // namespace

Cast make_cast(const Library& library, const std::vector<Place>& scene, std::uint64_t seed, std::uint64_t split_seed,
               const RunContext& context) {
  Cast out;
  out.pool = train::make_pool(library);
  const Stock stock = take_stock(library, out.pool, split_seed);
  out.held_out = stock.held_out;
  std::vector<std::string> compositions;
  for (const auto& [composition, averages] : stock.pristine) compositions.push_back(composition);
  bool anything = false;
  for (std::size_t i = 0; i < scene.size(); ++i) {
    if (i % 1024 == 0) context.check_interrupt();
    const Place& place = scene[i];
    Pixel pixel{{}, kUnknown, kUnknown, kUnknown, {kUnknown, kUnknown, kUnknown, kUnknown}};
    Random random = train::random_stream(seed, kStream, i);
    if (place.region == Region::particle && !compositions.empty()) {
      const std::string& composition = compositions[place.grain % compositions.size()];
      const auto vacancies = stock.vacancy.find(composition);
      const bool defective = place.vacancies && vacancies != stock.vacancy.end();
      mix_averages(defective ? vacancies->second : stock.pristine.at(composition),
                   defective ? std::min(place.li, kMostVacancyLi) : place.li, random, pixel, out.structures);
      pixel.oxygen_vacancy = defective ? 1.0F : 0.0F;
    } else if (place.region == Region::flake && !stock.plain.empty()) {
      const bool antisite = place.antisite && !stock.antisite.empty();
      mix_neighbourhoods(antisite ? stock.antisite : stock.plain, place, random, pixel, out.structures);
      pixel.antisite = antisite ? 1.0F : 0.0F;
    }
    anything = anything || !pixel.parts.empty();
    out.pixels.push_back(std::move(pixel));
  }
  if (!anything) {
    throw Error(ErrorKind::input, "library", "no structure in it has the spectra that a pixel of this size needs",
                "Compute O K and the L edges of its transition metals, or make the image larger");
  }
  return out;
}

}  // namespace elver::phantom
