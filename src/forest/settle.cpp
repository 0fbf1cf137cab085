#include <algorithm>
#include <bit>
#include <charconv>

#include "elver/error.hpp"
#include "forest/document.hpp"
#include "types/text.hpp"

namespace elver::forest {
namespace {

class Settler {
 public:
  Settler(const Fields& fields, const Reader& reader, Booster::Forest& forest)
      : f_(fields), reader_(reader), forest_(forest) {}

  void run() {
    if (!f_.has_learner) reader_.fail("it has no \"learner\"");
    settle_kind();
    settle_outputs();
    if (forest_.linear) return settle_linear();
    settle_trees();
    settle_rounds();
    apply_weights();
  }

 private:
  [[noreturn]] void refuse(std::string why, const std::string& todo) const {
    for (char& c : why) c = c >= ' ' && c <= '~' ? c : '?';
    throw Error(ErrorKind::mismatch, "cannot use booster " + forest_.name, why, todo);
  }

  void settle_kind() {
    forest_.linear = f_.booster_name == "gblinear";
    if (!forest_.linear && f_.booster_name != "gbtree" && f_.booster_name != "dart") {
      reader_.fail("its booster is \"" + f_.booster_name.substr(0, 40) + "\"");
    }
    forest_.objective_name = f_.objective;
    forest_.objective = find_objective(f_.objective, forest_.version >= std::array<int, 3>{3, 4, 0});
    if (forest_.objective == nullptr) {
      if (f_.objective.empty()) reader_.fail("it names no objective");
      refuse("elver does not know its objective \"" + f_.objective.substr(0, 60) + "\"",
             "Train it with an objective of XGBoost's own");
    }
  }

  void settle_outputs() {
    const auto most = static_cast<std::int64_t>(forest_.bytes.size());
    const std::int64_t outputs = std::max({f_.class_count, f_.target_count, std::int64_t{1}});
    if (f_.class_count < 0 || f_.target_count < 0 || outputs > most) {
      reader_.fail(text("%lld classes and %lld targets are absurd", static_cast<long long>(f_.class_count),
                        static_cast<long long>(f_.target_count)));
    }
    if (f_.class_count > 1 && f_.target_count > 1) reader_.fail("it has several classes and several targets at once");
    if (f_.feature_count < 0 || f_.feature_count > static_cast<std::int64_t>(Node::kFeature)) {
      reader_.fail(text("%lld features are absurd", static_cast<long long>(f_.feature_count)));
    }
    forest_.feature_count = static_cast<std::size_t>(f_.feature_count);
    forest_.output_count = static_cast<std::size_t>(outputs);
    if (f_.features_needed > forest_.feature_count) {
      reader_.fail(text("a tree splits by feature %zu of %zu", f_.features_needed - 1, forest_.feature_count));
    }
    settle_base();
  }

  /// "5E-1", or since 3.1 "[5E-1]" or a value an output.
  void settle_base() {
    std::vector<float> scores;
    std::string_view rest = f_.base_score;
    const auto trim = [&](std::string_view characters) {
      while (!rest.empty() && characters.find(rest.front()) != std::string_view::npos) rest.remove_prefix(1);
      while (!rest.empty() && characters.find(rest.back()) != std::string_view::npos) rest.remove_suffix(1);
    };
    trim(" \t\r\n[]()");
    while (true) {
      const std::size_t comma = rest.find(',');
      std::string_view word = rest.substr(0, comma);
      while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
      while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
      float score = 0;
      if (!parse_float(word, score)) reader_.fail("its base_score is \"" + f_.base_score.substr(0, 40) + "\"");
      scores.push_back(score);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (scores.size() != 1 && scores.size() != forest_.output_count) {
      reader_.fail(text("it has %zu base scores for %zu outputs", scores.size(), forest_.output_count));
    }
    scores.resize(forest_.output_count, scores[0]);
    if (!to_margins(forest_.objective->link, scores)) {
      reader_.fail("base_score " + f_.base_score.substr(0, 40) + " is out of the range of " + f_.objective);
    }
    forest_.base = std::move(scores);
  }

  /// XGBoost believes a file as to how many coefficients it has, and reads behind their end.
  void settle_linear() {
    const std::size_t needed = (forest_.feature_count + 1) * forest_.output_count;
    if (f_.coefficients.size() != needed) {
      reader_.fail(text("it has %zu coefficients, not %zu for %zu features and %zu outputs", f_.coefficients.size(), needed,
                        forest_.feature_count, forest_.output_count));
    }
    if (f_.has_trees) reader_.fail("it is a linear booster and has trees");
  }

  /// Trees go to the place that their id says, and to the output that tree_info says.
  void settle_trees() {
    std::vector<Tree>& trees = forest_.trees;
    const std::size_t n = trees.size();
    if (!f_.has_trees) reader_.fail("it has no trees");
    if (f_.tree_count >= 0 && static_cast<std::uint64_t>(f_.tree_count) != n) {
      reader_.fail(text("it has %zu trees, not %lld", n, static_cast<long long>(f_.tree_count)));
    }
    std::vector<Tree> placed(n);
    std::vector<bool> taken(n, false);
    std::vector<std::int64_t> leaf_sizes(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t id = f_.tree_ids[i] < 0 ? static_cast<std::int64_t>(i) : f_.tree_ids[i];
      if (static_cast<std::uint64_t>(id) >= n || taken[static_cast<std::size_t>(id)]) {
        reader_.fail(text("there is no place for tree %lld of %zu", static_cast<long long>(id), n));
      }
      taken[static_cast<std::size_t>(id)] = true;
      placed[static_cast<std::size_t>(id)] = trees[i];
      leaf_sizes[static_cast<std::size_t>(id)] = f_.leaf_sizes[i];
    }
    trees = std::move(placed);
    if (f_.tree_groups.size() != n)
      reader_.fail(text("tree_info has %zu entries for %zu trees", f_.tree_groups.size(), n));
    for (std::size_t i = 0; i < n; ++i) {
      const std::int32_t group = f_.tree_groups[i];
      if (group < 0 || static_cast<std::size_t>(group) >= forest_.output_count) {
        reader_.fail(text("a tree belongs to output %d of %zu", group, forest_.output_count));
      }
      trees[i].group = static_cast<std::uint32_t>(group);
      if (trees[i].vector_leaf && static_cast<std::size_t>(leaf_sizes[i]) != forest_.output_count) {
        reader_.fail(text("leaves have %lld values for %zu outputs", static_cast<long long>(leaf_sizes[i]),
                          forest_.output_count));
      }
    }
  }

  /// Where each boosting round's trees begin. Files from before 1.5 do not say: then every round has
  /// num_parallel_tree trees for each output.
  /// Files of 1.5 and earlier do not say how many trees a round has. Where training stopped early they say what the
  /// best iteration is, and how many trees an output has up to it.
  std::uint64_t parallel_trees_by_attributes(std::size_t trees, std::uint32_t groups) const {
    const auto number = [&](const char* name) {
      std::uint64_t value = 0;
      const auto found = forest_.attributes.find(name);
      if (found != forest_.attributes.end())
        std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
      return value;
    };
    const std::uint64_t rounds = number("best_iteration") + 1, best_trees = number("best_ntree_limit");
    if (best_trees == 0 || rounds == 0 || best_trees % rounds != 0 || best_trees > trees / groups) return 1;
    const std::uint64_t parallel = best_trees / rounds;
    return trees % (parallel * groups) == 0 ? parallel : 1;
  }

  void settle_rounds() {
    const std::size_t n = forest_.trees.size();
    std::vector<std::uint32_t>& rounds = forest_.rounds;
    rounds.assign(1, 0);
    if (f_.rounds.empty()) {
      std::uint32_t groups = 1;
      for (const Tree& tree : forest_.trees) groups = std::max(groups, tree.group + 1);
      const auto parallel =
          static_cast<std::uint64_t>(f_.parallel_trees == 0 ? parallel_trees_by_attributes(n, groups)
                                                            : std::max<std::int64_t>(f_.parallel_trees, 1));
      if (f_.parallel_trees < 0 || (n > 0 && (parallel > n || n % (parallel * groups) != 0))) {
        reader_.fail(text("%zu trees do not make rounds of %lld for each of %u outputs", n,
                          static_cast<long long>(f_.parallel_trees), groups));
      }
      const auto step = static_cast<std::uint32_t>(parallel * groups);
      while (rounds.back() < n) rounds.push_back(rounds.back() + static_cast<std::uint32_t>(step));
      return;
    }
    if (f_.rounds.front() != 0 || !std::ranges::is_sorted(f_.rounds) ||
        static_cast<std::size_t>(f_.rounds.back()) != n) {
      reader_.fail(text("iteration_indptr does not divide %zu trees", n));
    }
    rounds.assign(f_.rounds.begin(), f_.rounds.end());
  }

  /// DART: a tree's weight goes into its leaves, by the multiplication that XGBoost does for every row.
  void apply_weights() {
    forest_.dart = !f_.weights.empty() || f_.booster_name == "dart";
    forest_.weights_in_gbtree = !f_.weights.empty() && !f_.nested;
    if (!forest_.dart) return;
    if (f_.weights.size() != forest_.trees.size()) {
      reader_.fail(text("it has %zu weights for %zu trees", f_.weights.size(), forest_.trees.size()));
    }
    for (std::size_t i = 0; i < forest_.trees.size(); ++i) {
      const Tree& tree = forest_.trees[i];
      for (std::uint32_t k = 0; k < tree.node_count; ++k) {
        Node& node = forest_.nodes[tree.first_node + k];
        if (node.left != static_cast<std::int32_t>(k) - 1) continue;
        if (tree.vector_leaf) {
          refuse("it is a DART booster with vector leaves", "Train it with one output per tree");
        }
        node.extra = std::bit_cast<std::uint32_t>((0.0F + node.value()) * f_.weights[i]);
      }
    }
  }

  const Fields& f_;
  const Reader& reader_;
  Booster::Forest& forest_;
};

}  // namespace

void settle(const Fields& fields, const Reader& reader, Booster::Forest& forest) {
  Settler(fields, reader, forest).run();
}

}  // namespace elver::forest
