#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elver/evaluate.hpp"
#include "evaluate/cross.hpp"
#include "report/canvas.hpp"

namespace elver::evaluate {

/// A table and, if it is a figure, its picture.
struct PaperFigure {
  FigureTable table;
  std::function<void(report::Canvas&)> draw = nullptr;
};

/// What the figures share: the data sets, made when the first figure asks for them.
class Paper {
 public:
  Paper(const Library& library, const PaperOptions& options, const RunContext& context);

  const Library& library() const { return library_; }
  const PaperOptions& options() const { return options_; }
  const RunContext& context() const { return context_; }
  LearnerOptions learner() const;
  /// "li_content", "local_counts", "oxygen_vacancy", "antisite"; defects of fewer than 30 structures are left out one
  /// by one.
  const Study& study(const std::string& group);
  /// CDFs, the paper's choice.
  const StudyFeatures& features(const std::string& group);
  /// A smaller training side, for the learning curve; not kept.
  Study smaller(const std::string& group, double share);

 private:
  struct Kept {
    Study study;
    std::optional<StudyFeatures> features;
  };
  Dealing dealing(const std::string& group) const;
  std::size_t samples(const std::string& group) const;

  const Library& library_;
  const PaperOptions& options_;
  const RunContext& context_;
  train::Pool pool_;
  std::map<std::string, Kept> kept_;
};

/// RMSE with its interval.
struct Rmse {
  double value = 0;
  Interval interval;
};
Rmse rmse_of(const std::vector<double>& answers, const Study& study, std::uint64_t seed);

/// The paper's accuracy over some count tasks (indices into the study's), and its interval.
struct CountScore {
  double accuracy = 0;
  Interval interval;
};
/// `answers` [task][row].
CountScore count_score(const std::vector<std::vector<double>>& answers, const Study& study,
                       const std::vector<std::size_t>& tasks);

/// "0.123", "0.123 (0.100-0.150)"; "-" for what is not finite.
std::string number(double value);
std::string number(double value, const Interval& interval);
/// "120 specimens of 54 structures"
std::string size_of(const Study& study);
/// A table that only says why there is nothing.
PaperFigure left_out(const std::string& name, const std::string& title, const std::string& why);

PaperFigure fig3_li_content(Paper& paper);
/// Both at once: they are of the same fits.
std::vector<PaperFigure> fig4ab_local_counts(Paper& paper);
PaperFigure fig4c_vacancy(Paper& paper);
PaperFigure fig4d_antisite(Paper& paper);
PaperFigure fig6_importance(Paper& paper);
PaperFigure fig8_featurisation(Paper& paper);
PaperFigure table1_models(Paper& paper);
PaperFigure table2_reductions(Paper& paper);
PaperFigure learning_curve(Paper& paper);

}  // namespace elver::evaluate
