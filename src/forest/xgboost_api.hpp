#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elver/error.hpp"
#include "elver/forest.hpp"

/// XGBoost through its C API, loaded at run time: a build without it still reads and runs every model, and says what
/// is missing when asked to train or to check. Declarations are our own; signatures as in XGBoost's c_api.h.
namespace elver::xgboost {

using Handle = void*;

/// The functions that elver calls. One that the library at hand lacks is null.
struct Functions {
  const char* (*XGBGetLastError)() = nullptr;
  void (*XGBoostVersion)(int* major, int* minor, int* patch) = nullptr;
  int (*XGBuildInfo)(const char** json) = nullptr;
  int (*XGBSetGlobalConfig)(const char* json) = nullptr;
  int (*XGBRegisterLogCallback)(void (*callback)(const char*)) = nullptr;
  int (*XGDMatrixCreateFromMat)(const float* values, std::uint64_t rows, std::uint64_t columns, float missing,
                                Handle* out) = nullptr;
  int (*XGDMatrixCreateFromDense)(const char* array, const char* config, Handle* out) = nullptr;
  int (*XGProxyDMatrixCreate)(Handle* out) = nullptr;
  int (*XGProxyDMatrixSetDataDense)(Handle proxy, const char* array) = nullptr;
  int (*XGQuantileDMatrixCreateFromCallback)(Handle iterator, Handle proxy, Handle reference, void (*reset)(Handle),
                                             int (*next)(Handle), const char* config, Handle* out) = nullptr;
  int (*XGDMatrixSetFloatInfo)(Handle, const char* field, const float* values, std::uint64_t size) = nullptr;
  int (*XGDMatrixSetUIntInfo)(Handle, const char* field, const unsigned* values, std::uint64_t size) = nullptr;
  int (*XGDMatrixSetInfoFromInterface)(Handle, const char* field, const char* array) = nullptr;
  int (*XGDMatrixSetStrFeatureInfo)(Handle, const char* field, const char** values, std::uint64_t size) = nullptr;
  int (*XGDMatrixFree)(Handle) = nullptr;
  int (*XGBoosterCreate)(const Handle* matrices, std::uint64_t count, Handle* out) = nullptr;
  int (*XGBoosterFree)(Handle) = nullptr;
  int (*XGBoosterSetParam)(Handle, const char* name, const char* value) = nullptr;
  int (*XGBoosterUpdateOneIter)(Handle, int round, Handle matrix) = nullptr;
  int (*XGBoosterEvalOneIter)(Handle, int round, Handle* matrices, const char** names, std::uint64_t count,
                              const char** out) = nullptr;
  int (*XGBoosterSaveModelToBuffer)(Handle, const char* config, std::uint64_t* size, const char** out) = nullptr;
  int (*XGBoosterLoadModelFromBuffer)(Handle, const void* bytes, std::uint64_t size) = nullptr;
  int (*XGBoosterPredictFromDense)(Handle, const char* array, const char* config, Handle matrix,
                                   const std::uint64_t** shape, std::uint64_t* dimensions, const float** out) = nullptr;
  int (*XGBoosterPredictFromCudaArray)(Handle, const char* array, const char* config, Handle matrix,
                                       const std::uint64_t** shape, std::uint64_t* dimensions,
                                       const float** out) = nullptr;
  int (*XGBoosterPredictFromDMatrix)(Handle, Handle matrix, const char* config, const std::uint64_t** shape,
                                     std::uint64_t* dimensions, const float** out) = nullptr;
  int (*XGBoosterGetAttr)(Handle, const char* key, const char** out, int* found) = nullptr;
  int (*XGBoosterSetAttr)(Handle, const char* key, const char* value) = nullptr;
};

struct Library {
  Functions functions;
  std::string path;     ///< where it was found; "" if it was not
  std::string problem;  ///< why it cannot be used; "" if it can
  std::array<int, 3> version{};
  std::string build_info;  ///< XGBoost's own JSON; "" where it has none
};

/// The library, looked for once: $ELVER_XGBOOST_LIBRARY, the one found at configure, ../lib beside the program, and
/// wherever the system keeps libraries.
const Library& library();
inline bool available() { return library().problem.empty(); }
/// The functions; throws Error{resources} with library().problem when they are not at hand.
const Functions& functions();
/// Whether what XGBuildInfo says (JSON; "" of an XGBoost before 1.6, and anything else: no) is of a library with CUDA.
bool built_with_cuda(const std::string& build_info);
/// What XGBoost warned of on this thread since last asked (for example that device=cuda fell back to the CPU).
std::string take_warnings();

/// Rows of features, with labels and weights.
class DMatrix {
 public:
  /// `values` row-major [row][column], copied; NaN is missing.
  DMatrix(std::span<const float> values, std::size_t rows, std::size_t columns);
  /// One that carries nothing but what is set.
  static DMatrix without_features(std::size_t rows);
  static DMatrix by_one_thread(std::span<const float> values, std::size_t rows, std::size_t columns);
  /// Features as quantile codes: what hist and gpu_hist train on, an eighth of the memory. `reference`: the training
  /// matrix of a validation one, for the same cuts. Labels and weights must be given here: the cuts depend on weights.
  static DMatrix quantile(std::span<const float> values, std::size_t rows, std::size_t columns,
                          std::span<const float> labels, std::span<const float> weights, int max_bin,
                          const DMatrix* reference = nullptr);
  ~DMatrix();
  DMatrix(DMatrix&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), rows_(other.rows_) {}
  DMatrix& operator=(DMatrix&& other) noexcept;

  /// [row], or [row][target].
  void set_labels(std::span<const float> labels);
  void set_weights(std::span<const float> weights);
  void set_float(const char* field, std::span<const float> values);
  void set_uint(const char* field, std::span<const unsigned> values);
  /// "q", "c", "int", ... one a column.
  void set_feature_types(std::span<const std::string> types);
  void set_feature_names(std::span<const std::string> names);

  Handle handle() const { return handle_; }
  std::size_t rows() const { return rows_; }

 private:
  DMatrix(Handle handle, std::size_t rows) : handle_(handle), rows_(rows) {}
  Handle handle_ = nullptr;
  std::size_t rows_ = 0;
};

/// A booster inside XGBoost, to train with or to compare with.
class XgbBooster {
 public:
  /// An untrained one. `matrices` are cached: their margins are kept up to date while training.
  explicit XgbBooster(std::span<const DMatrix* const> matrices = {});
  /// One that elver has read before: XGBoost crashes on some damaged files, so it is given no others.
  explicit XgbBooster(const Booster& accepted);
  ~XgbBooster();
  XgbBooster(XgbBooster&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  XgbBooster& operator=(XgbBooster&& other) noexcept;

  void set(const std::string& name, const std::string& value);
  /// One boosting round; `round` counts from 0.
  void update(int round, const DMatrix& training);
  /// The metrics of some matrices, as XGBoost prints them: "[3]\ttrain-rmse:0.1\ttest-rmse:0.2".
  std::string evaluate(int round, std::span<const std::pair<const DMatrix*, std::string>> matrices);
  /// `format` "json" or "ubj".
  std::vector<std::byte> save(const std::string& format) const;

  struct Prediction {
    std::vector<float> values;  ///< [row][output]
    std::size_t outputs = 0;
  };
  /// Of row-major features; NaN is missing. `rounds` 0: all.
  Prediction predict(std::span<const float> values, std::size_t rows, std::size_t columns, bool margin,
                     std::size_t rounds = 0) const;
  Prediction predict(const DMatrix& matrix, bool margin, std::size_t rounds = 0) const;
  /// What each feature adds to the margin, by TreeSHAP: [row][output][feature, then the bias with the base margin].
  Prediction contributions(const DMatrix& matrix, std::size_t rounds = 0) const;

  std::string attribute(const std::string& key) const;  ///< "" where there is none
  void set_attribute(const std::string& key, const std::string& value);

  Handle handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

/// Throws Error{kind} "what (XGBoost's own first line)" when a call's return code is not 0.
void check(int code, std::string_view what, ErrorKind kind = ErrorKind::mismatch);

}  // namespace elver::xgboost
