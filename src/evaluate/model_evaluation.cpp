#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "elver/compare.hpp"
#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "elver/evaluate.hpp"
#include "evaluate/score.hpp"
#include "evaluate/training_set.hpp"
#include "train/trust.hpp"
#include "train/views.hpp"
#include "types/piecewise_linear.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace evaluate;
using train::Example;
using train::Rows;
using train::TaskGroup;

std::string element_of(const Edge& edge) { return edge.name.substr(0, edge.name.find('_')); }

bool has_edge(const Library& library, const std::string& name) {
  return std::ranges::any_of(library.subshells, [&](const Subshell& s) { return s.name.starts_with(name); });
}

/// Which edges of the model the library cannot show, and what follows from that. Throws where it has none of them.
void check_edges(const Model& model, const Library& library, std::vector<std::string>& notes) {
  std::string wanted, had;
  std::size_t missing = 0;
  for (const Edge& edge : model.edges) {
    wanted += (wanted.empty() ? "" : ", ") + edge.name;
    const bool halves = edge.name.ends_with("_L") && has_edge(library, edge.name + "3");
    if (halves && !has_edge(library, edge.name + "2") && !has_edge(library, edge.name + "23"))
      notes.push_back("the library has no " + edge.name + "2: " + edge.name + " is its L3 alone, as the model has never seen it");
    if (has_edge(library, edge.name)) continue;
    ++missing;
    const auto holding = std::ranges::count_if(
        library.structures, [&](const Structure& cell) { return cell.count(element_of(edge)) > 0; });
    if (holding > 0) {
      notes.push_back(text("the library has no spectra of %s, which %zu of its structures should show: the model takes "
                           "the element for absent, and its figures are no measure of it",
                           edge.name.c_str(), static_cast<std::size_t>(holding)));
    }
  }
  if (missing < model.edges.size()) return;
  for (const Subshell& s : library.subshells) had += (had.empty() ? "" : ", ") + s.name;
  throw Error(ErrorKind::mismatch, "the library has none of the model's edges",
              "the model reads " + wanted + ", the library has " + had, "Use a library of the model's elements");
}

/// Elements of the structures that the model has no edge of, beside Li.
void check_elements(const Model& model, const Library& library, std::vector<std::string>& notes) {
  std::map<std::string, std::size_t> strange;
  for (const Structure& cell : library.structures) {
    std::set<std::string> elements;
    for (const Atom& atom : cell.atoms) elements.insert(atom.element);
    for (const std::string& element : elements) {
      const bool known = element == "Li" || std::ranges::any_of(model.edges, [&](const Edge& e) { return element_of(e) == element; });
      strange[element] += known ? 0 : 1;
    }
  }
  for (const auto& [element, structures] : strange) {
    if (structures > 0)
      notes.push_back(text("%zu structures hold %s, which the model has no edge of", structures, element.c_str()));
  }
}

/// Where the library's mean edges lie beside the model's, if farther than chemistry moves them.
void check_energies(const Model& model, const Library& library, const train::Pool& pool, std::vector<std::string>& notes) {
  constexpr int kMostSteps = 50;
  constexpr double kStepEv = 0.1, kFarEv = 1.2;  // Ni L3 moves by 1.4 eV from LiNiO2 to NiO2, the references are in the middle
  for (const ReferenceSpectrum& own : train::make_references(library, pool, model)) {
    const auto found = std::ranges::find(model.references, own.edge, &ReferenceSpectrum::edge);
    if (found == model.references.end()) continue;
    const std::vector<double> energy(own.energy_ev.begin(), own.energy_ev.end()), there(found->energy_ev.begin(), found->energy_ev.end());
    double best = -1, apart = 0;
    for (int step = -kMostSteps; step <= kMostSteps; ++step) {
      const double shift = step * kStepEv;
      std::vector<double> a, b;
      for (std::size_t i = 0; i < energy.size(); ++i) {
        if (energy[i] - shift < there.front() || energy[i] - shift > there.back()) continue;
        a.push_back(static_cast<double>(own.intensity[i]));
        b.push_back(piecewise_linear<double, float>(there, found->intensity, energy[i] - shift));
      }
      if (2 * a.size() < energy.size()) continue;
      const double r = similarity(a, b).pearson;
      if (r > best) best = r, apart = shift;
    }
    if (std::abs(apart) < kFarEv) continue;
    notes.push_back(text("%s of the library lies %+.1f eV beside the model's, farther than chemistry moves it: if only the shift to "
                         "experiment differs, import it anew with --shifts-from or --anchor",
                         own.edge.c_str(), apart));
  }
}

/// The group's examples that the model is to answer, and why there are none.
struct Trial {
  TaskGroup group;
  std::string reason;  ///< why it is left out; "" if it is not
};

std::string why_empty(const std::string& group, std::size_t structures, const train::Pool& pool) {
  const auto whole = std::ranges::count_if(pool.neighbourhoods, [](const auto& n) { return n.has_value(); });
  if (group == "local_counts" && whole > 0) {
    return text("%zu O K sites have all their metals computed, but none is scored: they are of seen structures, or their counts "
                "within 0.3 nm are not 0 to 3 Li and 3 of Ni, Mn and Co",
                static_cast<std::size_t>(whole));
  }
  if (group == "local_counts") {
    return text("none of its %zu structures has a computed O K site whose three transition metals are computed too",
                structures);
  }
  return text("none of its %zu structures has a computed site of every element that it holds and the library knows",
              structures);
}

/// `cells`: structures with the defect, whether or not they give a specimen.
std::string why_one_sided(const TaskGroup& group, std::size_t structures, std::size_t cells) {
  const bool yes = std::ranges::any_of(group.held_out, [](const Example& e) { return e.labels[0] > 0.5F; });
  const std::string what = group.name == "antisite" ? "an antisite" : "an oxygen vacancy";
  if (yes) {
    return text("all specimens of its %zu structures have %s: there is nothing to tell them from", structures, what.c_str());
  }
  if (cells == 0) return text("none of its %zu structures has %s", structures, what.c_str());
  return text("%zu of its structures have %s, but not enough computed sites for a specimen that shows it", cells, what.c_str());
}

std::vector<Trial> trials_of(const Library& library, const train::Pool& pool, const std::vector<train::Side>& sides,
                             std::size_t scored) {
  std::vector<Trial> out;
  for (TaskGroup& group : train::make_trials(library, pool, sides)) {
    std::string reason;
    const auto with_defect =
        std::ranges::count_if(group.held_out, [](const Example& e) { return e.labels[0] > 0.5F; });
    if (group.held_out.empty()) {
      reason = why_empty(group.name, scored, pool);
    } else if (group.tasks[0].binary && (with_defect == 0 || with_defect == std::ssize(group.held_out))) {
      std::size_t cells = 0;
      for (std::size_t s = 0; s < sides.size(); ++s) {
        const bool defective = group.name == name_of(library.structures[s].defect);
        cells += defective && sides[s] == train::Side::held_out ? 1 : 0;
      }
      reason = why_one_sided(group, scored, cells);
    }
    out.push_back({std::move(group), reason});
  }
  return out;
}

/// The group and the place in it of a model's task.
struct Place {
  std::size_t group = 0, task = 0;
};

std::map<std::string, Place> places_of(const std::vector<Trial>& trials) {
  std::map<std::string, Place> out;
  for (std::size_t g = 0; g < trials.size(); ++g) {
    for (std::size_t t = 0; t < trials[g].group.tasks.size(); ++t) out[trials[g].group.tasks[t].name] = {g, t};
  }
  return out;
}

std::vector<Example> repeated(const std::vector<Example>& examples, std::size_t times) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), examples.begin(), examples.end());
  return out;
}

void check_memory(std::size_t spectra, std::size_t features, const RunContext& context) {
  const double needed = 2.0 * static_cast<double>(spectra) * static_cast<double>(features) * sizeof(float);
  if (context.memory_bytes > 0 && needed > static_cast<double>(context.memory_bytes)) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("so many spectra need about %.0f MB", needed / 1e6), "Raise --memory or lower --draws");
  }
}

/// One view of every trial that is wanted, scored by the model's tasks.
ViewFigures look(const train::View& view, std::size_t draws, const Model& model, const Library& library,
                 const train::Pool& pool, const std::vector<Trial>& trials,
                 const std::map<std::string, Place>& places, const std::vector<const Task*>& tasks,
                 std::uint64_t seed, const RunContext& context) {
  ViewFigures out;
  out.view = view.name;
  Rows all;
  for (std::size_t g = 0; g < trials.size(); ++g) {
    const auto here = [&](const Task* task) { return places.at(task->name).group == g; };
    if (!trials[g].reason.empty() || std::ranges::none_of(tasks, here)) continue;
    const TaskGroup& group = trials[g].group;
    const std::vector<Example> examples = repeated(group.held_out, draws);
    check_memory(examples.size(), model.feature_count(), context);
    std::vector<float> snr;
    const std::vector<float> features =
        train::simulate_features(model, library, pool, examples, view.exposure, seed + g, context,
                                 group.name + ", " + view.name, &snr);
    Rows rows = train::keep_whole(features, snr, examples, group.tasks.size());
    out.spectra += examples.size();
    out.failed += examples.size() - rows.count;
    if (rows.count == 0) continue;
    for (const Task* task : tasks) {
      if (!here(task)) continue;
      CountTally tally;
      out.tasks.push_back(figures_of(*task, rows, places.at(task->name).task, seed, tally));
      if (out.tasks.back().kind == TaskFigures::Kind::count) out.count_spectra = rows.count;
      (task->name == "count_Li" ? out.counts_li : out.counts_metals).add(tally);
    }
    rows.labels.clear();
    append(all, rows);
  }
  out.in_domain = model.domain ? train::share_inside(*model.domain, all) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

/// Which structures are scored; says what it takes of the training set.
std::vector<train::Side> choose(const Library& library, const TrainingSet& seen, ScoredStructures wanted,
                                ModelEvaluation& out) {
  std::vector<train::Side> sides;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    const bool left_out = seen.contains[s] != 0 && wanted == ScoredStructures::unseen;
    sides.push_back(left_out ? train::Side::left_out : train::Side::held_out);
    if (seen.contains[s] != 0) out.trained_on.push_back(library.structures[s].id);
    out.scored += left_out ? 0 : 1;
  }
  if (out.scored == 0) {
    throw Error(ErrorKind::mismatch, "there is nothing that the model has not seen",
                text("all %zu structures of the library, or symmetry copies of them, were in its training set",
                     library.structures.size()),
                "Use another library, or --structures all for figures of what it has learned by heart");
  }
  if (!seen.known) {
    out.notes.push_back("the model's card does not say which structures it was trained on: whether these are unseen is not known");
  } else if (wanted == ScoredStructures::all && !out.trained_on.empty()) {
    out.notes.push_back(text("%zu of the %zu structures scored were in the model's training set: the figures are too good",
                             out.trained_on.size(), out.scored));
  } else if (!out.trained_on.empty()) {
    out.notes.push_back(text("%zu of the library's %zu structures were in the model's training set and are left out",
                             out.trained_on.size(), library.structures.size()));
  }
  return sides;
}

}  // namespace

ModelEvaluation evaluate_model(const Model& model, const Library& library, const ScoreOptions& options,
                               const RunContext& context) {
  ModelEvaluation out;
  out.model = model.name;
  out.model_sha256 = model.sha256;
  out.library = library.title;
  out.library_sha256 = library.sha256;
  out.structures = library.structures.size();
  check_edges(model, library, out.notes);
  const TrainingSet seen = training_set(model, library);
  out.training_set_known = seen.known;
  const std::vector<train::Side> sides = choose(library, seen, options.structures, out);
  const train::Pool pool = train::make_pool(library);
  check_elements(model, library, out.notes);
  check_energies(model, library, pool, out.notes);
  const std::vector<Trial> trials = trials_of(library, pool, sides, out.scored);
  const std::map<std::string, Place> places = places_of(trials);

  std::vector<const Task*> tasks;
  for (const Task& task : model.tasks) {
    std::string reason;
    if (!places.contains(task.name)) {
      reason = "a library holds no truth of it";
    } else if (reason = not_scorable(task); reason.empty()) {
      reason = trials[places.at(task.name).group].reason;
    }
    if (reason.empty()) {
      tasks.push_back(&task);
    } else {
      out.left_out.emplace_back(task.name, reason);
    }
  }
  if (tasks.empty()) {
    std::map<std::string, std::string> tasks_of;  // by reason
    for (const auto& [task, reason] : out.left_out) tasks_of[reason] += (tasks_of[reason].empty() ? "" : ", ") + task;
    std::string reasons;
    for (const auto& [reason, names] : tasks_of) reasons += text("%s%s: %s", reasons.empty() ? "" : "; ", names.c_str(), reason.c_str());
    throw Error(ErrorKind::mismatch, "no task of the model can be scored on this library", reasons);
  }
  for (const train::View& view : train::standard_views()) {
    const bool wanted = options.views.empty() || std::ranges::find(options.views, view.name) != options.views.end();
    if (!wanted && view.name != "clean") continue;
    const std::size_t draws = view.name == "clean" ? 1 : options.draws;
    out.views.push_back(look(view, draws, model, library, pool, trials, places, tasks, options.seed, context));
    const ViewFigures& last = out.views.back();
    if (last.failed > 0) {
      out.notes.push_back(text("%s: %zu of %zu spectra were left out, too noisy for a background fit", view.name.c_str(),
                               last.failed, last.spectra));
    }
  }
  return out;
}

}  // namespace elver
