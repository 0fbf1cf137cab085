#include "elver/evaluate.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "library_fixture.hpp"
#include "map_samples.hpp"
#include "support.hpp"
#include "train/evaluate.hpp"

namespace elver {
namespace {

using train::Share;

// Values of Wilson's formula, solved as it is defined: |p - P| = z sqrt(P (1 - P) / n) at both ends P.
TEST(Wilson, EndsAreWhereTheShareIsAsFarAsTwoSidedChanceAllows) {
  for (const std::size_t n : {4U, 10U, 50U, 1000U}) {
    for (const double p : {0.0, 0.25, 0.5, 0.9, 1.0}) {
      const Interval interval = train::wilson({p, n});
      for (const double end : {interval.low, interval.high}) {
        if (end < 1e-12 || end > 1 - 1e-12) continue;  // an end at 0 or 1 is cut there
        EXPECT_NEAR(std::abs(p - end), 1.959964 * std::sqrt(end * (1 - end) / static_cast<double>(n)), 1e-9);
      }
      EXPECT_LE(interval.low, p + 1e-12);
      EXPECT_GE(interval.high, p - 1e-12);
    }
  }
  EXPECT_NEAR(train::wilson({0.9, 10}).low, 0.5958, 1e-4);  // 9 of 10
  EXPECT_NEAR(train::wilson({0.9, 10}).high, 0.9821, 1e-4);
}

// The law of an interval: it holds the truth in 95 of 100 cases.
TEST(Intervals, HoldTheTruthAsOftenAsTheySay) {
  std::mt19937_64 random(2);
  int shares = 0, means = 0, rms = 0;
  constexpr int kTrials = 2000;
  for (int t = 0; t < kTrials; ++t) {
    const auto share = [&](double p, std::size_t n) {
      return Share{std::binomial_distribution<int>(static_cast<int>(n), p)(random) / static_cast<double>(n), n};
    };
    const auto holds = [](Interval i, double truth) { return i.low <= truth && truth <= i.high ? 1 : 0; };
    shares += holds(train::wilson(share(0.88, 50)), 0.88);
    means += holds(train::wilson_mean(share(0.9, 12), share(0.7, 9)), 0.8);
    if (t % 8 != 0) continue;
    std::vector<double> squares;
    std::vector<std::size_t> structures;
    for (std::size_t s = 0; s < 54; ++s) {  // a structure's own error, seen through eight instruments
      const double own = std::normal_distribution(0.0, 0.1)(random);
      for (int d = 0; d < 8; ++d) {
        const double error = own + std::normal_distribution(0.0, 0.05)(random);
        squares.push_back(error * error);
        structures.push_back(s);
      }
    }
    rms += 8 * holds(train::bootstrap_rms(squares, structures, 1), std::hypot(0.1, 0.05));
  }
  // Wilson's coverage swings by some per cent about 95 with n and p; that of the bootstrap is known to 1.4 % from 250
  // trials.
  EXPECT_NEAR(shares / double{kTrials}, 0.95, 0.025);
  EXPECT_NEAR(means / double{kTrials}, 0.95, 0.025);
  EXPECT_NEAR(rms / double{kTrials}, 0.95, 0.045);
}

// Rows of one structure are not independent: seeing a structure a hundred times does not narrow the interval.
TEST(Bootstrap, CountsStructuresAndNotRows) {
  std::vector<double> squares;
  std::vector<std::size_t> structures;
  for (std::size_t s = 0; s < 20; ++s) {
    squares.push_back(static_cast<double>(s));
    structures.push_back(s);
  }
  const Interval once = train::bootstrap_rms(squares, structures, 1);
  for (int copy = 0; copy < 99; ++copy) {
    for (std::size_t s = 0; s < 20; ++s) {
      squares.push_back(static_cast<double>(s));
      structures.push_back(s);
    }
  }
  const Interval often = train::bootstrap_rms(squares, structures, 1);
  EXPECT_NEAR(often.low, once.low, 1e-9);
  EXPECT_NEAR(often.high, once.high, 1e-9);
  EXPECT_GT(once.high - once.low, 0.5);
  EXPECT_TRUE(std::isnan(train::bootstrap_rms({1.0, 2.0}, {7, 7}, 1).low));  // of one structure nothing is known
}

// The paper's definition, worked out by hand.
TEST(CountTally, CountsAtomsAsThePaperDoes) {
  CountTally tally;
  tally.add(2, 3);  // two right, one missing
  tally.add(3, 1);  // one right, two too many
  tally.add(0, 0);  // absence, rightly seen
  tally.add(1, 0);  // one too many
  EXPECT_EQ(tally.true_positive, 3U);
  EXPECT_EQ(tally.false_negative, 1U);
  EXPECT_EQ(tally.false_positive, 3U);
  EXPECT_EQ(tally.true_negative, 1U);
  EXPECT_DOUBLE_EQ(tally.accuracy(), 4.0 / 8.0);
  EXPECT_TRUE(std::isnan(CountTally{}.accuracy()));
}

/// A library with a defect of each kind and one whole neighbourhood a structure: of the 11 lithiations, 0 and 1 Li have
/// an oxygen vacancy, 10 Li an antisite beside its oxygen; the counts are 1 of each metal and Li up to 3.
Library labelled_library(std::size_t copies) {
  Library out = test::synthetic_library(copies);
  Subshell& oxygen = out.subshells[out.find("O_K").value()];
  for (Site& site : oxygen.sites) {
    Structure& cell = out.structures[site.structure];
    const auto li = static_cast<int>(std::lround(10 * cell.lithiation));
    cell.defect = li <= 1 ? DefectKind::oxygen_vacancy : li == 10 ? DefectKind::antisite : DefectKind::pristine;
    site.neighbours = {std::min(3, li), 1, 1, 1, 4};
    if (li == 10) site.defect_distance_angstrom = 2.0;
  }
  return out;
}

/// A model that gives the same answer whatever it sees: 0.4 Li +- 0.2, 3 Li atoms, 1 Ni, never a vacancy, always an
/// antisite.
Model constant_model(const Library& library) {
  Model out = train::make_skeleton(library, "constant");
  const std::size_t width = out.feature_count();
  const auto add = [&](const char* name, std::vector<double> classes, Booster booster) {
    Task task;
    task.name = name;
    task.classes = std::move(classes);
    task.booster = std::move(booster);
    out.tasks.push_back(std::move(task));
  };
  const auto of_class = [&](std::size_t k) {
    return test::stumps("multi:softprob", width, 4, {{0, 0.5, 5, 5, k}, {0, 0.5, 0, 0, 0}, {0, 0.5, 0, 0, 0}, {0, 0.5, 0, 0, 0}});
  };
  add("li_content", {}, test::stumps("reg:squarederror", width, 1, {{0, 0.5, 0.4, 0.4, 0}}));
  Trust& trust = out.tasks.back().trust.emplace();
  trust.error.constant = 0.04;
  trust.error.per_edge.assign(out.edges.size(), 0.0);
  trust.quantile = 1;
  add("count_Li", {0, 1, 2, 3}, of_class(3));
  add("count_Ni", {0, 1, 2, 3}, of_class(1));
  add("oxygen_vacancy", {}, test::stumps("binary:logistic", width, 1, {{0, 0.5, -3, -3, 0}}));
  add("antisite", {}, test::stumps("binary:logistic", width, 1, {{0, 0.5, 3, 3, 0}}));
  add("colour", {}, test::stumps("reg:squarederror", width, 1, {{0, 0.5, 0, 0, 0}}));
  return out;
}

const TaskFigures& figures(const ModelEvaluation& evaluation, const std::string& task) {
  for (const TaskFigures& f : evaluation.views.at(0).tasks) {
    if (f.task == task) return f;
  }
  throw std::out_of_range(task);
}

ScoreOptions one_draw() {
  ScoreOptions options;
  options.draws = 1;
  options.views = {"100"};
  return options;
}

// What is always answered alike has figures that the labels alone give.
TEST(EvaluateModel, GivesTheFiguresOfAConstantAnswer) {
  const Library library = labelled_library(2);
  const ModelEvaluation found = evaluate_model(constant_model(library), library, one_draw(), {});
  EXPECT_EQ(found.scored, 22U);
  ASSERT_EQ(found.views.front().view, "clean");
  const TaskFigures& li = figures(found, "li_content");  // 0, 0.1 ... 0.9: antisites are not of it
  EXPECT_EQ(li.spectra, 20U);
  double squares = 0, magnitude = 0;
  for (int k = 0; k < 10; ++k) {
    squares += (0.1 * k - 0.4) * (0.1 * k - 0.4) / 10;
    magnitude += std::abs(0.1 * k - 0.4) / 10;
  }
  EXPECT_NEAR(li.rmse, std::sqrt(squares), 1e-6);  // float32 values
  EXPECT_NEAR(li.mae, magnitude, 1e-6);
  EXPECT_NEAR(li.coverage, 0.5, 0.2 + 1e-9);  // 0.2 to 0.6, whose ends are as float32 has it
  const TaskFigures& count = figures(found, "count_Li");  // truth 0, 1, 2, 3, ... 3
  EXPECT_EQ(count.spectra, 22U);
  EXPECT_NEAR(count.exact, 8.0 / 11, 1e-9);
  EXPECT_NEAR(count.accuracy, (0 + 1 + 2 + 8 * 3) / (3.0 * 11), 1e-9);
  EXPECT_DOUBLE_EQ(figures(found, "count_Ni").accuracy, 1.0);
  const TaskFigures& vacancy = figures(found, "oxygen_vacancy");  // 4 of the 20 that are no antisites
  EXPECT_EQ(vacancy.with_defect, 4U);
  EXPECT_DOUBLE_EQ(vacancy.accuracy, 0.8);
  EXPECT_DOUBLE_EQ(vacancy.balanced_accuracy, 0.5);
  EXPECT_DOUBLE_EQ(vacancy.false_positive_rate, 0.0);
  const TaskFigures& antisite = figures(found, "antisite");
  EXPECT_EQ(antisite.with_defect, 2U);
  EXPECT_DOUBLE_EQ(antisite.false_positive_rate, 1.0);
  EXPECT_DOUBLE_EQ(antisite.true_positive_rate, 1.0);
  ASSERT_EQ(found.left_out.size(), 1U);
  EXPECT_EQ(found.left_out[0].first, "colour");
  const auto json = nlohmann::json::parse(evaluation_json(found));
  EXPECT_EQ(json["tasks"]["li_content"]["n"], 20);
  EXPECT_DOUBLE_EQ(json["tasks"]["oxygen_vacancy"]["accuracy"], 0.8);
  EXPECT_EQ(json["views"]["100"]["tasks"]["count_Ni"]["n"], 22);
  EXPECT_FALSE(json["structures"]["training_set_known"]);
}

// A structure is known again by its bonds, whatever it is called and wherever its cell begins.
TEST(EvaluateModel, ScoresOnlyWhatTheTrainingDidNotSee) {
  Library library = labelled_library(2);
  Model model = constant_model(library);
  std::vector<std::string> networks;
  for (std::size_t s = 0; s < library.structures.size(); s += 2) networks.push_back(network_name(library.structures[s]));
  model.training_json = nlohmann::json{{"split", {{"trained_on_networks", networks}}}}.dump();
  for (Structure& cell : library.structures) {
    cell.id = "other_" + cell.id;
    for (Atom& atom : cell.atoms) atom.fractional[0] += 0.3;
  }
  std::size_t seen = 0;  // cells without Li, or full of it, may be copies of each other
  for (const Structure& cell : library.structures) seen += std::ranges::count(networks, network_name(cell)) > 0 ? 1 : 0;
  ASSERT_GE(seen, 11U);
  ASSERT_LT(seen, 22U);
  const ModelEvaluation found = evaluate_model(model, library, one_draw(), {});
  EXPECT_TRUE(found.training_set_known);
  EXPECT_EQ(found.trained_on.size(), seen);
  EXPECT_EQ(found.scored, 22U - seen);
  ScoreOptions all = one_draw();
  all.structures = ScoredStructures::all;
  const ModelEvaluation of_all = evaluate_model(model, library, all, {});
  EXPECT_EQ(of_all.scored, 22U);
  EXPECT_THAT(of_all.notes, testing::Contains(testing::HasSubstr("were in the model's training set")));
  for (const Structure& cell : library.structures) networks.push_back(network_name(cell));
  model.training_json = nlohmann::json{{"split", {{"trained_on_networks", networks}}}}.dump();
  EXPECT_THROW(static_cast<void>(evaluate_model(model, library, one_draw(), {})), Error);
  // A card that names ids only is believed about the very file it was trained on.
  model.training_json = nlohmann::json{{"library", {{"sha256", "abc"}}}, {"split", {{"held_out", {library.structures[3].id}}}}}.dump();
  EXPECT_FALSE(evaluate_model(model, library, one_draw(), {}).training_set_known);
  library.sha256 = "abc";
  EXPECT_EQ(evaluate_model(model, library, one_draw(), {}).scored, 1U);
}

// A library that lacks something is scored on the rest, with the reason; one that lacks all is refused.
TEST(EvaluateModel, SaysWhatCannotBeScored) {
  const Library whole = labelled_library(1);
  const Model model = constant_model(whole);
  const auto reason_of = [&](const Library& library, const std::string& task) {
    for (const auto& [name, reason] : evaluate_model(model, library, one_draw(), {}).left_out) {
      if (name == task) return reason;
    }
    return std::string();
  };
  Library pristine = whole;
  for (Structure& cell : pristine.structures) cell.defect = DefectKind::pristine;
  EXPECT_THAT(reason_of(pristine, "oxygen_vacancy"), testing::HasSubstr("none of its 11 structures"));
  EXPECT_THAT(reason_of(pristine, "antisite"), testing::HasSubstr("none of its 11 structures"));
  Library vacancies = whole;
  for (Structure& cell : vacancies.structures) cell.defect = DefectKind::oxygen_vacancy;
  EXPECT_THAT(reason_of(vacancies, "oxygen_vacancy"), testing::HasSubstr("all specimens"));
  Library uncounted = whole;
  for (Subshell& s : uncounted.subshells) {
    for (Site& site : s.sites) site.neighbours = {};
  }
  EXPECT_THAT(reason_of(uncounted, "count_Li"), testing::HasSubstr("O K sites have all their metals computed"));
  Library no_oxygen = whole;
  std::erase_if(no_oxygen.subshells, [](const Subshell& s) { return s.name == "O_K"; });
  EXPECT_THAT(reason_of(no_oxygen, "count_Li"), testing::HasSubstr("O K"));
  EXPECT_THAT(reason_of(no_oxygen, "antisite"), testing::HasSubstr("not enough computed sites"));
  EXPECT_THAT(evaluate_model(model, no_oxygen, one_draw(), {}).notes, testing::Contains(testing::HasSubstr("no spectra of O_K")));
  Library one = whole;
  one.structures.resize(1);
  for (Subshell& s : one.subshells) {
    s.sites.resize(1);
    s.jump.resize(1);
  }
  EXPECT_EQ(evaluate_model(model, one, one_draw(), {}).scored, 1U);
  Library foreign = whole;
  for (Subshell& s : foreign.subshells) s.name = "Xx_K";
  EXPECT_THROW(static_cast<void>(evaluate_model(model, foreign, one_draw(), {})), Error);
  Library bare = whole;
  for (Subshell& s : bare.subshells) {
    s.sites.clear();
    s.jump.clear();
  }
  EXPECT_THROW(static_cast<void>(evaluate_model(model, bare, one_draw(), {})), Error);
}

// A library whose shift to experiment is another one is not mistaken for one that the model errs on.
TEST(EvaluateModel, SaysWhereEnergiesAndElementsAreNotTheModels) {
  const Library library = labelled_library(1);
  Model model = constant_model(library);
  model.references = train::make_references(library, train::make_pool(library), model);
  EXPECT_THAT(evaluate_model(model, library, one_draw(), {}).notes, testing::Not(testing::Contains(testing::HasSubstr("beside the model's"))));
  Library moved = library;
  for (Subshell& s : moved.subshells) {
    if (s.name == "O_K") s.start_ev += 2, s.onset_ev += 2;
  }
  moved.structures[0].atoms.push_back({"Al", {0.1, 0.2, 0.3}, 3});
  const std::vector<std::string> notes = evaluate_model(model, moved, one_draw(), {}).notes;
  EXPECT_THAT(notes, testing::Contains(testing::HasSubstr("O_K of the library lies +2.0 eV beside the model's")));
  EXPECT_THAT(notes, testing::Contains("1 structures hold Al, which the model has no edge of"));
  EXPECT_THAT(notes, testing::Not(testing::Contains(testing::HasSubstr("Ni_L of the library"))));
}

// Windows of another making: the axes on which spectra are simulated cover them.
TEST(EvaluateModel, TakesAModelWithOtherGrids) {
  const Library library = labelled_library(1);
  Model model = constant_model(library);
  model.tasks.resize(1);
  model.tasks[0].trust.reset();
  model.edges = {{"O_K", {430, 500}, {520, 560, 400}}, {"Ni_L", {790, 840}, {845, 910, 130}}};
  model.tasks[0].booster = test::stumps("reg:squarederror", 530, 1, {{0, 0.5, 0.4, 0.4, 0}});
  const ModelEvaluation found = evaluate_model(model, library, one_draw(), {});
  EXPECT_EQ(figures(found, "li_content").spectra, 10U);
  EXPECT_TRUE(std::isnan(figures(found, "li_content").coverage));
}

}  // namespace
}  // namespace elver
