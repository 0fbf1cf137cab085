#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <tuple>

#include "elver/dataset.hpp"
#include "train/random.hpp"

namespace elver::train {
namespace {

using Random = std::mt19937_64;
constexpr double kMixtures = 0.7;    ///< share of mixtures among the spectra of structure averages
constexpr double kAtypical = 0.25;   ///< weight of pristine specimens from outside the defects' range of Li
constexpr double kAntisiteLi = 0.8;  ///< Li per formula unit from which pristine specimens compare with antisite cells
constexpr double kWithin = 3.0;      ///< Angstrom

std::size_t pick(Random& random, std::size_t size) {
  return std::uniform_int_distribution<std::size_t>(0, size - 1)(random);
}

/// Something that a spectrum can be made of, with its labels; those of one `family` may be mixed.
struct Candidate {
  std::size_t specimen = 0;
  std::size_t structure = 0;
  std::vector<float> labels;
  float weight = 1.0F;
  std::string family;
};

/// `count` examples: single candidates and, with probability `mixtures`, convex mixtures of 2 to `most` of one family
/// with the labels averaged.
std::vector<Example> draw(const std::vector<Candidate>& from, std::size_t count, double mixtures, std::size_t most,
                          Random& random) {
  std::map<std::string, std::vector<const Candidate*>> families;
  for (const Candidate& c : from) families[c.family].push_back(&c);
  std::vector<Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    const Candidate& first = from[i % from.size()];  // every candidate equally often
    const std::vector<const Candidate*>& family = families[first.family];
    Example example{{{first.specimen, 1.0}}, first.labels, first.weight, first.structure};
    if (family.size() > 1 && std::uniform_real_distribution(0.0, 1.0)(random) < mixtures) {
      std::vector<const Candidate*> chosen{&first};
      const std::size_t parts = 2 + pick(random, most - 1);
      while (chosen.size() < parts) chosen.push_back(family[pick(random, family.size())]);
      std::vector<double> shares(parts);
      for (double& share : shares) share = std::exponential_distribution(1.0)(random);
      const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
      std::vector<double> labels(first.labels.size(), 0.0);
      double weight = 0;
      example.parts.clear();
      for (std::size_t p = 0; p < parts; ++p) {
        const double share = shares[p] / total;
        example.parts.push_back({chosen[p]->specimen, share});
        for (std::size_t t = 0; t < labels.size(); ++t) labels[t] += share * static_cast<double>(chosen[p]->labels[t]);
        weight += share * static_cast<double>(chosen[p]->weight);
      }
      // Equal labels stay what they are: the rounding takes away what the shares' sum lacks of one.
      for (std::size_t t = 0; t < labels.size(); ++t)
        example.labels[t] = static_cast<float>(std::round(labels[t] * 1e6) / 1e6);
      example.weight = static_cast<float>(weight);
    }
    out.push_back(std::move(example));
  }
  return out;
}

struct Sides {
  std::vector<Candidate> training, held_out;
};

Sides split(const std::vector<Candidate>& all, const std::vector<Side>& sides) {
  Sides out;
  for (const Candidate& c : all) {
    if (sides[c.structure] == Side::training) out.training.push_back(c);
    if (sides[c.structure] == Side::held_out) out.held_out.push_back(c);
  }
  return out;
}

std::size_t structures_of(const std::vector<Candidate>& candidates) {
  std::set<std::size_t> seen;
  for (const Candidate& c : candidates) seen.insert(c.structure);
  return seen.size();
}

std::vector<Example> singles(const std::vector<Candidate>& candidates) {
  std::vector<Example> out;
  for (const Candidate& c : candidates) out.push_back({{{c.specimen, 1.0}}, c.labels, c.weight, c.structure});
  return out;
}

const std::vector<TaskSpec> kLiContent{{"li_content", "Li per formula unit", {}, false}};

std::vector<Candidate> li_candidates(const Library& library, const Pool& pool) {
  std::vector<Candidate> all;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    const Structure& cell = library.structures[s];
    if (!pool.averages[s] || cell.defect == DefectKind::antisite) continue;
    all.push_back({*pool.averages[s], s, {static_cast<float>(cell.lithiation)}, 1.0F, cell.composition});
  }
  return all;
}

TaskGroup li_content(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                     std::size_t samples, Random& random) {
  const Sides split_up = split(li_candidates(library, pool), sides);
  TaskGroup out{"li_content",
                kLiContent,
                {},
                singles(split_up.held_out),
                structures_of(split_up.training),
                structures_of(split_up.held_out)};
  if (!split_up.training.empty()) out.training = draw(split_up.training, samples, kMixtures, 4, random);
  return out;
}

std::vector<TaskSpec> count_tasks() {
  std::vector<TaskSpec> out;
  for (const char* element : {"Li", "Ni", "Mn", "Co"})
    out.push_back({std::string("count_") + element, "atoms within 0.3 nm", {0, 1, 2, 3}, false});
  return out;
}

std::vector<Candidate> count_candidates(const Library& library, const Pool& pool) {
  std::vector<Candidate> all;
  const std::optional<std::size_t> oxygen = library.find("O_K");
  for (std::size_t i = 0; oxygen && i < pool.neighbourhoods.size(); ++i) {
    if (!pool.neighbourhoods[i]) continue;
    const Site& site = library.subshells[*oxygen].sites[i];
    const auto [li, ni, mn, co, o] = site.neighbours;
    if (li > 3 || ni + mn + co != 3) continue;
    const std::string counts = std::to_string(li) + " " + std::to_string(ni) + " " + std::to_string(mn);
    all.push_back({*pool.neighbourhoods[i],
                   site.structure,
                   {static_cast<float>(li), static_cast<float>(ni), static_cast<float>(mn), static_cast<float>(co)},
                   1.0F,
                   counts});
  }
  return all;
}

TaskGroup local_counts(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                       std::size_t samples, Random& random) {
  const Sides split_up = split(count_candidates(library, pool), sides);
  TaskGroup out{"local_counts",
                count_tasks(),
                {},
                singles(split_up.held_out),
                structures_of(split_up.training),
                structures_of(split_up.held_out)};
  if (!split_up.training.empty()) out.training = draw(split_up.training, samples, 0.5, 2, random);
  return out;
}

std::vector<TaskSpec> yes_or_no(const std::string& name) { return {{name, "probability", {}, true}}; }

/// Both sides drawn equally often; a side's weights are scaled to the same sum.
TaskGroup binary(const std::string& name, const std::vector<Candidate>& all, const std::vector<Side>& sides,
                 std::size_t samples, Random& random) {
  const Sides split_up = split(all, sides);
  const bool any_held_out = std::ranges::find(sides, Side::held_out) != sides.end();
  TaskGroup out{name, yes_or_no(name), {}, {}, 0, 0};
  for (const float label : {0.0F, 1.0F}) {
    const auto of_label = [&](const std::vector<Candidate>& from, float least) {
      std::vector<Candidate> chosen;
      for (const Candidate& c : from) {
        if (c.labels[0] == label && c.weight >= least) chosen.push_back(c);
      }
      return chosen;
    };
    const std::vector<Candidate> training = of_label(split_up.training, 0.0F);
    const std::vector<Candidate> test = of_label(split_up.held_out, 1.0F);
    if (training.empty() || (test.empty() && any_held_out)) return {};
    std::vector<Example> examples = draw(training, samples / 2, kMixtures, 4, random);
    double total = 0;
    for (const Example& e : examples) total += static_cast<double>(e.weight);
    for (Example& e : examples) e.weight *= static_cast<float>(static_cast<double>(examples.size()) / total);
    out.training.insert(out.training.end(), examples.begin(), examples.end());
    const std::vector<Example> seen = singles(test);
    out.held_out.insert(out.held_out.end(), seen.begin(), seen.end());
    out.training_structures += structures_of(training);
    out.held_out_structures += structures_of(test);
  }
  return out;
}

std::vector<Candidate> vacancy_candidates(const Library& library, const Pool& pool) {
  double most_li = -1;
  for (const Structure& cell : library.structures) {
    if (cell.defect == DefectKind::oxygen_vacancy) most_li = std::max(most_li, cell.lithiation);
  }
  std::vector<Candidate> all;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    const Structure& cell = library.structures[s];
    if (!pool.averages[s] || cell.defect == DefectKind::antisite) continue;
    const bool vacancy = cell.defect == DefectKind::oxygen_vacancy;
    const bool typical = cell.lithiation <= most_li + 1e-6;
    all.push_back({*pool.averages[s],
                   s,
                   {vacancy ? 1.0F : 0.0F},
                   typical ? 1.0F : static_cast<float>(kAtypical),
                   cell.composition + (vacancy   ? "V"
                                       : typical ? "P"
                                                 : "H")});
  }
  return all;
}

TaskGroup oxygen_vacancy(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                         std::size_t samples, Random& random) {
  return binary("oxygen_vacancy", vacancy_candidates(library, pool), sides, samples, random);
}

std::vector<Candidate> antisite_candidates(const Library& library, const Pool& pool) {
  std::vector<Candidate> all;
  const auto add = [&](std::size_t specimen, std::size_t structure, const char* scale) {
    const Structure& cell = library.structures[structure];
    const bool swapped = cell.defect == DefectKind::antisite;
    const bool typical = swapped || cell.lithiation >= kAntisiteLi;
    all.push_back({specimen,
                   structure,
                   {swapped ? 1.0F : 0.0F},
                   typical ? 1.0F : static_cast<float>(kAtypical),
                   cell.composition +
                       (swapped   ? "A"
                        : typical ? "P"
                                  : "L") +
                       scale});
  };
  const std::optional<std::size_t> oxygen = library.find("O_K");
  for (std::size_t i = 0; oxygen && i < pool.neighbourhoods.size(); ++i) {
    const Site& site = library.subshells[*oxygen].sites[i];
    const DefectKind defect = library.structures[site.structure].defect;
    const bool seen =
        defect == DefectKind::pristine || (defect == DefectKind::antisite && site.defect_distance_angstrom < kWithin);
    if (pool.neighbourhoods[i] && seen) add(*pool.neighbourhoods[i], site.structure, "shell");
  }
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    if (pool.averages[s] && library.structures[s].defect == DefectKind::pristine) add(*pool.averages[s], s, "cell");
  }
  return all;
}

TaskGroup antisite(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                   std::size_t samples, Random& random) {
  return binary("antisite", antisite_candidates(library, pool), sides, samples, random);
}

}  // namespace

namespace {

/// Classes of symmetry copies in an order that deals every kind, composition and lithiation out evenly.
std::vector<std::size_t> dealing_order(const std::vector<Structure>& structures,
                                       const std::vector<std::size_t>& classes, std::uint64_t seed) {
  using Key = std::tuple<int, std::string, double, double>;
  std::map<std::size_t, Key> keys;  // by class, so that copies stay together; the last double shuffles within a kind
  Random random(seed);
  for (std::size_t s = 0; s < structures.size(); ++s) {
    const Structure& cell = structures[s];
    const double lot = std::uniform_real_distribution(0.0, 1.0)(random);
    keys.try_emplace(classes[s], static_cast<int>(cell.defect), cell.composition, std::round(cell.lithiation * 1e6),
                     lot);
  }
  std::vector<std::pair<Key, std::size_t>> order;
  for (const auto& [group, key] : keys) order.emplace_back(key, group);
  std::sort(order.begin(), order.end());
  std::vector<std::size_t> out;
  for (const auto& [key, group] : order) out.push_back(group);
  return out;
}

}  // namespace

std::vector<Side> hold_out(const std::vector<Structure>& structures, std::uint64_t seed, std::size_t one_in) {
  const std::vector<std::size_t> classes = symmetry_classes(structures);
  const std::vector<std::size_t> order = dealing_order(structures, classes, seed);
  std::set<std::size_t> out_of;
  for (std::size_t i = 1; one_in > 0 && i < order.size(); i += one_in) out_of.insert(order[i]);
  std::vector<Side> out;
  for (const std::size_t group : classes) out.push_back(out_of.contains(group) ? Side::held_out : Side::training);
  return out;
}

std::vector<std::size_t> deal_folds(const std::vector<Structure>& structures, std::size_t folds, std::uint64_t seed) {
  const std::vector<std::size_t> classes = symmetry_classes(structures);
  std::map<std::size_t, std::size_t> fold;
  std::size_t next = 0;
  for (const std::size_t group : dealing_order(structures, classes, seed)) fold[group] = next++ % folds;
  std::vector<std::size_t> out;
  for (const std::size_t group : classes) out.push_back(fold.at(group));
  return out;
}

Pool make_pool(const Library& library, SiteScale scale) {
  Pool out;
  const auto keep = [&](std::optional<Specimen> specimen) -> std::optional<std::size_t> {
    if (!specimen) return std::nullopt;
    out.specimens.push_back(std::move(*specimen));
    return out.specimens.size() - 1;
  };
  for (std::size_t s = 0; s < library.structures.size(); ++s)
    out.averages.push_back(keep(structure_average(library, s, scale)));
  const std::optional<std::size_t> oxygen = library.find("O_K");
  const std::size_t sites = oxygen ? library.subshells[*oxygen].sites.size() : 0;
  for (std::size_t i = 0; i < sites; ++i) out.neighbourhoods.push_back(keep(neighbourhood(library, i)));
  return out;
}

std::vector<TaskGroup> make_tasks(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                                  std::size_t samples, std::uint64_t seed) {
  std::vector<TaskGroup> out;
  const bool any_held_out = std::ranges::find(sides, Side::held_out) != sides.end();
  std::uint64_t stream = 0;
  for (const auto make : {li_content, local_counts, oxygen_vacancy, antisite}) {
    Random random = random_stream(seed, 3, stream++);
    TaskGroup group = make(library, pool, sides, samples, random);
    if (!group.training.empty() && (!group.held_out.empty() || !any_held_out)) out.push_back(std::move(group));
  }
  return out;
}

std::vector<TaskGroup> make_trials(const Library& library, const Pool& pool, const std::vector<Side>& sides) {
  const auto trial = [&](const char* name, std::vector<TaskSpec> tasks, const std::vector<Candidate>& all) {
    const Sides split_up = split(all, sides);
    return TaskGroup{name, std::move(tasks), {}, singles(split_up.held_out), 0, structures_of(split_up.held_out)};
  };
  return {trial("li_content", kLiContent, li_candidates(library, pool)),
          trial("local_counts", count_tasks(), count_candidates(library, pool)),
          trial("oxygen_vacancy", yes_or_no("oxygen_vacancy"), vacancy_candidates(library, pool)),
          trial("antisite", yes_or_no("antisite"), antisite_candidates(library, pool))};
}

}  // namespace elver::train
