#include "forest/document.hpp"

#include <algorithm>

namespace elver::forest {
namespace {

class DocumentReader {
 public:
  DocumentReader(Reader& reader, Booster::Forest& forest) : reader_(reader), forest_(forest) {}

  Fields read() {
    document();
    reader_.finish();
    return std::move(f_);
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
      } else if (key == "weights") {
        reader_.numbers(f_.coefficients);
      } else {
        reader_.skip();
      }
    });
  }

  void tree() {
    f_.tree.read(reader_);
    f_.tree_ids.push_back(f_.tree.id);
    f_.leaf_sizes.push_back(f_.tree.leaf_size);
    append_tree(f_.tree, reader_, forest_, f_.features_needed);
  }

  Reader& reader_;
  Booster::Forest& forest_;
  Fields f_;
};

}  // namespace

Fields read_document(Reader& reader, Booster::Forest& forest) { return DocumentReader(reader, forest).read(); }

}  // namespace elver::forest
