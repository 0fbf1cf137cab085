#include "forest/xgboost_predictor.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "forest/forest.hpp"
#include "types/text.hpp"

namespace elver::xgboost {
namespace {

/// A NumPy (or CUDA) array interface of float32 with steps.
std::string array_of(const float* data, std::size_t rows, std::size_t columns, std::size_t row_step,
                     std::size_t column_step) {
  return text(R"({"data":[%llu,true],"shape":[%zu,%zu],"strides":[%zu,%zu],"typestr":"<f4","version":3})",
              static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(data)), rows, columns,
              row_step * sizeof(float), column_step * sizeof(float));
}

/// What the rows of a matrix begin with, [row][output], in place of the booster's base score.
void set_base(const DMatrix& matrix, std::span<const float> base, std::size_t outputs) {
  check(functions().XGDMatrixSetInfoFromInterface(
            matrix.handle(), "base_margin", array_of(base.data(), base.size() / outputs, outputs, outputs, 1).c_str()),
        "cannot set what margins begin with");
}

}  // namespace

std::string why_not(const Booster& booster) {
  const Booster::Forest& forest = booster.forest();
  const std::array<int, 3>& version = library().version;
  if (forest.apart) return "XGBoost takes it for granted that a right child follows its left one";
  if (forest.weights_in_gbtree && version < std::array{3, 3, 0}) {
    return name() + " does not know the weights of dropped trees as 3.3 and later write them";
  }
  if (forest.version >= std::array{3, 1, 0} && version < std::array{3, 1, 0}) {
    return name() + " cannot read base_score as 3.1 and later write it";
  }
  if (forest.old_vectors && version >= std::array{3, 2, 0}) {
    return name() + " cannot read vector leaves as 3.1 and earlier write them";
  }
  if (forest.new_vectors && version < std::array{3, 2, 0}) {
    return name() + " cannot read vector leaves as 3.2 and later write them";
  }
  return "";
}

std::string why_not_on_gpu(const Booster& booster) {
  const std::string& made = library().build_info;
  if (made.find("\"USE_CUDA\":false") != made.npos) return name() + " was made without CUDA";
  if (!booster.has_trees()) return "XGBoost runs a linear booster on the CPU only";
  if (booster.forest().dart) return "XGBoost rounds the sums of a DART booster otherwise where features are not copied";
  return "";
}

std::string name() {
  const std::array<int, 3>& version = library().version;
  return available() ? text("XGBoost %d.%d.%d", version[0], version[1], version[2]) : "XGBoost";
}

Predictor::Predictor(const Booster& booster, int device)
    : width_(booster.feature_count()),
      outputs_(booster.output_count()),
      in_place_(booster.has_trees() && !booster.forest().dart),
      trees_(booster.has_trees()),
      on_device_(device >= 0),
      booster_(booster) {
  booster_.set("nthread", "1");
  if (on_device_) booster_.set("device", text("cuda:%d", device));
}

const float* Predictor::margins(const FeatureRows& features, std::span<const float> base, std::size_t rounds) {
  return in_place_ ? in_place(features, base, rounds) : by_matrix(features, base, rounds);
}

/// For boosters that XGBoost does not predict in place, or not with the same sums.
const float* Predictor::by_matrix(const FeatureRows& features, std::span<const float> base, std::size_t rounds) {
  // A matrix takes no infinities; for a threshold the largest number is as good.
  std::vector<float> rows(features.rows * width_);
  for (std::size_t r = 0; r < features.rows; ++r) {
    for (std::size_t k = 0; k < width_; ++k) {
      const float x = features.data[r * features.row_step + k * features.feature_step];
      rows[r * width_ + k] = trees_ && std::isinf(x) ? std::copysign(std::numeric_limits<float>::max(), x) : x;
    }
  }
  const DMatrix matrix = DMatrix::by_one_thread(rows, features.rows, width_);
  if (!base.empty()) set_base(matrix, base, outputs_);
  const std::string config =
      text(R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":%zu,"strict_shape":true})", rounds);
  const std::uint64_t* shape = nullptr;
  std::uint64_t dimensions = 0;
  const float* out = nullptr;
  check(functions().XGBoosterPredictFromDMatrix(booster_.handle(), matrix.handle(), config.c_str(), &shape, &dimensions,
                                                &out),
        "XGBoost cannot predict");
  return out;
}

const float* Predictor::in_place(const FeatureRows& features, std::span<const float> base, std::size_t rounds) {
  const Functions& f = functions();
  const auto predict = on_device_ ? f.XGBoosterPredictFromCudaArray : f.XGBoosterPredictFromDense;
  if (predict == nullptr || (!base.empty() && f.XGProxyDMatrixCreate == nullptr)) {
    throw Error(ErrorKind::resources, "cannot predict by XGBoost", library().path + " is too old, or made without CUDA",
                "Set ELVER_XGBOOST_LIBRARY to a newer libxgboost.so, or use --backend cpu");
  }
  std::optional<DMatrix> beginning;
  if (!base.empty()) {
    beginning = DMatrix::without_features(features.rows);
    set_base(*beginning, base, outputs_);
  }
  const std::string config = text(
      R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":%zu,"strict_shape":true,"missing":NaN,"cache_id":0})",
      rounds);
  const std::uint64_t* shape = nullptr;
  std::uint64_t dimensions = 0;
  const float* out = nullptr;
  check(predict(booster_.handle(),
                array_of(features.data, features.rows, width_, features.row_step, features.feature_step).c_str(),
                config.c_str(), beginning ? beginning->handle() : nullptr, &shape, &dimensions, &out),
        "XGBoost cannot predict");
  return out;
}

}  // namespace elver::xgboost
