#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "elver/error.hpp"
#include "forest/forest.hpp"
#include "forest/reader.hpp"
#include "forest/tree.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using forest::Reader;

/// What stands beside the trees in a file, gathered while it goes by, in whatever order.
struct Fields {
  std::string booster_name, objective, base_score;
  bool has_learner = false, has_trees = false, nested = false;
  std::int64_t feature_count = 0, class_count = 0, target_count = 1, tree_count = -1, parallel_trees = 1;
  std::vector<std::int64_t> tree_ids;
  std::vector<std::int32_t> tree_groups, rounds;
  std::vector<float> weights;
  std::size_t features_needed = 0;
  std::vector<std::int64_t> leaf_sizes;
  forest::TreeFields tree;
};

class Parser {
 public:
  Parser(Reader& reader, Booster::Forest& forest) : reader_(reader), forest_(forest) {}

  void run() {
    document();
    reader_.finish();
    if (!f_.has_learner) reader_.fail("it has no \"learner\"");
    settle_kind();
    settle_outputs();
    settle_trees();
    settle_rounds();
    apply_weights();
  }

 private:
  /// The model itself, or a checkpoint {"Config": ..., "Model": {...}} that has it inside.
  void document() {
    reader_.object([&](std::string_view key) {
      if (key == "learner" && reader_.peek() == Reader::Kind::object) {
        learner();
      } else if (key == "Model" && !f_.has_learner) {
        document();
      } else if (key == "version") {
        version();
      } else {
        reader_.skip();
      }
    });
  }

  void version() {
    std::vector<std::int32_t> numbers;
    reader_.integers(numbers);
    for (std::size_t i = 0; i < std::min<std::size_t>(numbers.size(), 3); ++i) forest_.version[i] = numbers[i];
  }

  void learner() {
    f_.has_learner = true;
    reader_.object([&](std::string_view key) {
      if (key == "attributes") {
        reader_.object([&](std::string_view name) {
          const std::string attribute(name);
          forest_.attributes[attribute] = reader_.loose_text();
        });
      } else if (key == "feature_names") {
        strings(forest_.feature_names);
      } else if (key == "feature_types") {
        strings(forest_.feature_types);
      } else if (key == "gradient_booster") {
        gradient_booster(true);
      } else if (key == "learner_model_param") {
        parameters();
      } else if (key == "objective") {
        objective();
      } else {
        reader_.skip();
      }
    });
  }

  void strings(std::vector<std::string>& out) {
    out.clear();
    reader_.array([&] { out.push_back(reader_.string()); });
  }

  void parameters() {
    reader_.object([&](std::string_view key) {
      if (key == "num_feature") {
        f_.feature_count = reader_.loose_integer();
      } else if (key == "num_class") {
        f_.class_count = reader_.loose_integer();
      } else if (key == "num_target") {
        f_.target_count = reader_.loose_integer();
      } else if (key == "base_score") {
        f_.base_score = reader_.loose_text();
      } else {
        reader_.skip();
      }
    });
  }

  void objective() {
    reader_.object([&](std::string_view key) {
      if (key == "name") {
        f_.objective = reader_.string();
      } else {
        reader_.skip();
      }
    });
  }

  /// gbtree has its model at once. DART up to 3.2 has a gbtree inside and the weights beside it; from 3.3 on it is
  /// a gbtree with weights, beside the model or in it. All three are read alike.
  void gradient_booster(bool outermost) {
    reader_.object([&](std::string_view key) {
      if (key == "name") {
        const std::string name = reader_.string();
        if (outermost) f_.booster_name = name;
      } else if (key == "gbtree" && outermost) {
        f_.nested = true;
        gradient_booster(false);
      } else if (key == "model") {
        model();
      } else if (key == "weight_drop") {
        reader_.numbers(f_.weights);
      } else {
        reader_.skip();
      }
    });
  }

  void model() {
    reader_.object([&](std::string_view key) {
      if (key == "gbtree_model_param") {
        reader_.object([&](std::string_view parameter) {
          if (parameter == "num_trees") {
            f_.tree_count = reader_.loose_integer();
          } else if (parameter == "num_parallel_tree") {
            f_.parallel_trees = reader_.loose_integer();
          } else {
            reader_.skip();
          }
        });
      } else if (key == "trees" && !f_.has_trees) {
        f_.has_trees = true;
        reader_.array([&] { tree(); });
      } else if (key == "tree_info") {
        reader_.integers(f_.tree_groups);
      } else if (key == "iteration_indptr") {
        reader_.integers(f_.rounds);
      } else if (key == "weight_drop") {
        reader_.numbers(f_.weights);
      } else {
        reader_.skip();
      }
    });
  }

  void tree() {
    f_.tree.read(reader_);
    f_.tree_ids.push_back(f_.tree.id);
    f_.leaf_sizes.push_back(f_.tree.leaf_size);
    forest::append_tree(f_.tree, reader_, forest_, f_.features_needed);
  }

  [[noreturn]] void refuse(std::string why, const std::string& todo) const {
    for (char& c : why) c = c >= ' ' && c <= '~' ? c : '?';
    throw Error(ErrorKind::mismatch, "cannot use booster " + forest_.name, why, todo);
  }

  void settle_kind() {
    if (f_.booster_name == "gblinear") {
      refuse("it is a linear model (gblinear), not a forest", "Train it with booster gbtree or dart");
    }
    if (f_.booster_name != "gbtree" && f_.booster_name != "dart") {
      reader_.fail("its booster is \"" + f_.booster_name.substr(0, 40) + "\"");
    }
    forest_.objective_name = f_.objective;
    forest_.objective = forest::find_objective(f_.objective);
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
    if (f_.feature_count < 0 || f_.feature_count > static_cast<std::int64_t>(forest::Node::kFeature)) {
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
      if (!forest::parse_float(word, score)) reader_.fail("its base_score is \"" + f_.base_score.substr(0, 40) + "\"");
      scores.push_back(score);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (scores.size() != 1 && scores.size() != forest_.output_count) {
      reader_.fail(text("it has %zu base scores for %zu outputs", scores.size(), forest_.output_count));
    }
    scores.resize(forest_.output_count, scores[0]);
    for (float& score : scores) {
      const float given = score;
      if (!forest::base_margin(forest_.objective->link, given, score)) {
        reader_.fail(text("base_score %g is out of the range of ", static_cast<double>(given)) + f_.objective);
      }
    }
    forest_.base = std::move(scores);
  }

  /// Trees go to the place that their id says, and to the output that tree_info says.
  void settle_trees() {
    std::vector<forest::Tree>& trees = forest_.trees;
    const std::size_t n = trees.size();
    if (!f_.has_trees) reader_.fail("it has no trees");
    if (f_.tree_count >= 0 && static_cast<std::uint64_t>(f_.tree_count) != n) {
      reader_.fail(text("it has %zu trees, not %lld", n, static_cast<long long>(f_.tree_count)));
    }
    std::vector<forest::Tree> placed(n);
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
  void settle_rounds() {
    const std::size_t n = forest_.trees.size();
    std::vector<std::uint32_t>& rounds = forest_.rounds;
    rounds.assign(1, 0);
    if (f_.rounds.empty()) {
      std::uint32_t groups = 1;
      for (const forest::Tree& tree : forest_.trees) groups = std::max(groups, tree.group + 1);
      const std::int64_t step = std::max<std::int64_t>(f_.parallel_trees, 1) * groups;
      if (f_.parallel_trees < 0 || step > std::max<std::int64_t>(static_cast<std::int64_t>(n), 1) ||
          n % static_cast<std::size_t>(step) != 0) {
        if (n > 0) reader_.fail(text("%zu trees do not make rounds of %lld", n, static_cast<long long>(step)));
      }
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
      const forest::Tree& tree = forest_.trees[i];
      for (std::uint32_t k = 0; k < tree.node_count; ++k) {
        forest::Node& node = forest_.nodes[tree.first_node + k];
        if (node.left != static_cast<std::int32_t>(k) - 1) continue;
        if (tree.vector_leaf) {
          refuse("it is a DART booster with vector leaves", "Train it with one output per tree");
        }
        node.extra = std::bit_cast<std::uint32_t>((0.0F + node.value()) * f_.weights[i]);
      }
    }
  }

  Reader& reader_;
  Booster::Forest& forest_;
  Fields f_;
};

}  // namespace

Booster Booster::parse(std::vector<std::byte> bytes, const std::string& name) {
  auto forest = std::make_shared<Forest>();
  forest->bytes = std::move(bytes);
  forest->name = name;
  const auto reader = Reader::make(forest->bytes, name);
  Parser(*reader, *forest).run();
  forest->nodes.shrink_to_fit();
  Booster booster;
  booster.forest_ = std::move(forest);
  return booster;
}

Booster Booster::load(const std::string& path) {
  std::error_code error;
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::input, "cannot read booster " + path, why);
  };
  if (std::filesystem::is_directory(path, error)) throw refuse("it is a folder");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw refuse(error.message());
  std::vector<std::byte> bytes(size);
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!stream) throw refuse("it cannot be opened or read");
  return parse(std::move(bytes), path);
}

std::size_t Booster::feature_count() const { return forest_->feature_count; }
std::size_t Booster::output_count() const { return forest_->output_count; }
std::size_t Booster::tree_count() const { return forest_->trees.size(); }
std::size_t Booster::round_count() const { return forest_->rounds.size() - 1; }
std::size_t Booster::max_depth() const { return forest_->max_depth; }
std::string Booster::objective() const { return forest_->objective_name; }
std::vector<std::string> Booster::feature_names() const { return forest_->feature_names; }
const std::vector<std::byte>& Booster::bytes() const { return forest_->bytes; }

bool Booster::is_classifier() const {
  return forest_->objective_name.starts_with("binary:") || forest_->objective_name.starts_with("multi:");
}

std::optional<std::size_t> Booster::best_iteration() const {
  const auto found = forest_->attributes.find("best_iteration");
  if (found == forest_->attributes.end()) return std::nullopt;
  std::size_t round = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [rest, code] = std::from_chars(found->second.data(), end, round);
  if (code != std::errc{} || rest != end || round >= round_count()) return std::nullopt;
  return round;
}

std::string Booster::version() const {
  const auto& v = forest_->version;
  return v == std::array<int, 3>{} ? "" : text("%d.%d.%d", v[0], v[1], v[2]);
}

}  // namespace elver
