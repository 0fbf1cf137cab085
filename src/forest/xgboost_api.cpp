#include "forest/xgboost_api.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "types/dynamic_library.hpp"
#include "types/text.hpp"

namespace elver::xgboost {
namespace {

/// XGBoost keeps its callback and its verbosity by thread, so each thread that calls it is set up once.
struct ThreadState {
  bool ready = false;
  std::string warnings;
};
thread_local ThreadState thread_state;

void on_log(const char* message) noexcept {
  constexpr std::size_t kEnough = 1 << 16;
  try {
    if (thread_state.warnings.size() < kEnough) thread_state.warnings += message;
  } catch (...) {  // a lost warning is better than an exception through foreign frames
  }
}

Library load() {
  Library found;
  const DynamicLibrary opened("ELVER_XGBOOST_LIBRARY", ELVER_XGBOOST_LIBRARY, "libxgboost.so");
  found.path = opened.path();
  found.problem = opened.problem();
  if (!found.problem.empty()) return found;
  std::string missing;
  const auto resolve = [&](auto& function, const char* name, bool needed = true) {
    if (!opened.resolve(function, name) && needed) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  Functions& f = found.functions;
#define ELVER_RESOLVE(name, ...) resolve(f.name, #name __VA_OPT__(, ) __VA_ARGS__)
  ELVER_RESOLVE(XGBGetLastError);
  ELVER_RESOLVE(XGBoostVersion);
  ELVER_RESOLVE(XGBuildInfo, false);
  ELVER_RESOLVE(XGBSetGlobalConfig);
  ELVER_RESOLVE(XGBRegisterLogCallback);
  ELVER_RESOLVE(XGDMatrixCreateFromMat);
  ELVER_RESOLVE(XGDMatrixCreateFromDense);
  ELVER_RESOLVE(XGProxyDMatrixCreate, false);
  ELVER_RESOLVE(XGProxyDMatrixSetDataDense, false);
  ELVER_RESOLVE(XGQuantileDMatrixCreateFromCallback, false);
  ELVER_RESOLVE(XGDMatrixSetFloatInfo);
  ELVER_RESOLVE(XGDMatrixSetUIntInfo);
  ELVER_RESOLVE(XGDMatrixSetInfoFromInterface);
  ELVER_RESOLVE(XGDMatrixSetStrFeatureInfo);
  ELVER_RESOLVE(XGDMatrixFree);
  ELVER_RESOLVE(XGBoosterCreate);
  ELVER_RESOLVE(XGBoosterFree);
  ELVER_RESOLVE(XGBoosterSetParam);
  ELVER_RESOLVE(XGBoosterUpdateOneIter);
  ELVER_RESOLVE(XGBoosterEvalOneIter);
  ELVER_RESOLVE(XGBoosterSaveModelToBuffer);
  ELVER_RESOLVE(XGBoosterLoadModelFromBuffer);
  ELVER_RESOLVE(XGBoosterPredictFromDense);
  ELVER_RESOLVE(XGBoosterPredictFromCudaArray, false);
  ELVER_RESOLVE(XGBoosterPredictFromDMatrix);
  ELVER_RESOLVE(XGBoosterGetAttr);
  ELVER_RESOLVE(XGBoosterSetAttr);
#undef ELVER_RESOLVE
  if (f.XGBoostVersion != nullptr) f.XGBoostVersion(&found.version[0], &found.version[1], &found.version[2]);
  if (!missing.empty()) {
    found.problem = text("%s, version %d.%d.%d, lacks %s", found.path.c_str(), found.version[0], found.version[1],
                         found.version[2], missing.c_str());
    return found;
  }
  const char* info = nullptr;
  if (f.XGBuildInfo != nullptr && f.XGBuildInfo(&info) == 0 && info != nullptr) found.build_info = info;
  return found;
}

/// A NumPy array interface, as XGBoost's newer calls take their arrays.
std::string array_of(const float* values, std::size_t rows, std::size_t columns) {
  return text(R"({"data":[%llu,true],"shape":[%zu,%zu],"typestr":"<f4","version":3})",
              static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(values)), rows, columns);
}

std::string predict_config(bool margin, std::size_t rounds, bool dense) {
  return text(R"({"type":%d,"training":false,"iteration_begin":0,"iteration_end":%zu,"strict_shape":true%s})",
              margin ? 1 : 0, rounds, dense ? R"(,"missing":NaN,"cache_id":0)" : "");
}

XgbBooster::Prediction copy_prediction(const std::uint64_t* shape, std::uint64_t dimensions, const float* values) {
  XgbBooster::Prediction out;
  std::size_t size = 1;
  for (std::uint64_t i = 0; i < dimensions; ++i) size *= shape[i];
  const std::size_t rows = dimensions > 0 ? shape[0] : 0;
  out.outputs = rows > 0 ? size / rows : 1;
  out.values.assign(values, values + size);
  return out;
}

}  // namespace

const Library& library() {
  static const Library found = load();
  return found;
}

const Functions& functions() {
  const Library& found = library();
  if (!found.problem.empty()) {
    throw Error(ErrorKind::resources, "cannot use XGBoost", found.problem,
                "Run scripts/install-deps, or set ELVER_XGBOOST_LIBRARY to a libxgboost.so, 1.7 or newer");
  }
  if (!thread_state.ready) {
    thread_state.ready = true;
    found.functions.XGBRegisterLogCallback(on_log);
    found.functions.XGBSetGlobalConfig(R"({"verbosity":1})");
  }
  return found.functions;
}

bool built_with_cuda(const std::string& build_info) {
  const nlohmann::json info = nlohmann::json::parse(build_info, nullptr, false);
  if (!info.is_object()) return false;
  const auto found = info.find("USE_CUDA");
  return found != info.end() && (found->is_boolean() ? found->get<bool>() : *found == "ON" || *found == 1);
}

std::string take_warnings() { return std::exchange(thread_state.warnings, {}); }

void check(int code, std::string_view what, ErrorKind kind) {
  if (code == 0) return;
  const char* const last = library().functions.XGBGetLastError();
  std::string why = last != nullptr ? last : "no reason given";
  // "[12:00:00] /path/to/source.cc:123: reason\nStack trace: ...": the reason is enough.
  if (const std::size_t stack = why.find("Stack trace"); stack != std::string::npos) why.resize(stack);
  if (const std::size_t colon = why.find(": "); why.starts_with('[') && colon != std::string::npos)
    why.erase(0, colon + 2);
  for (char& c : why) c = c == '\n' ? ' ' : c;
  constexpr std::size_t kEnough = 200;  // it may list all that it would have accepted
  if (why.size() > kEnough) why = why.substr(0, kEnough) + "...";
  why.erase(why.find_last_not_of(' ') + 1);
  throw Error(kind, std::string(what), "XGBoost says: " + why);
}

DMatrix::DMatrix(std::span<const float> values, std::size_t rows, std::size_t columns) : rows_(rows) {
  check(functions().XGDMatrixCreateFromMat(values.data(), rows, columns, std::numeric_limits<float>::quiet_NaN(),
                                           &handle_),
        "cannot make a matrix of training data");
}

DMatrix DMatrix::by_one_thread(std::span<const float> values, std::size_t rows, std::size_t columns) {
  Handle handle = nullptr;
  check(functions().XGDMatrixCreateFromDense(array_of(values.data(), rows, columns).c_str(), R"({"missing":NaN,"nthread":1})",
                                             &handle),
        "cannot make a matrix of features");
  return DMatrix(handle, rows);
}

DMatrix DMatrix::without_features(std::size_t rows) {
  Handle handle = nullptr;
  check(functions().XGProxyDMatrixCreate(&handle), "cannot make a matrix");
  return DMatrix(handle, rows);
}

DMatrix DMatrix::quantile(std::span<const float> values, std::size_t rows, std::size_t columns,
                          std::span<const float> labels, std::span<const float> weights, int max_bin,
                          const DMatrix* reference) {
  const Functions& f = functions();
  if (f.XGQuantileDMatrixCreateFromCallback == nullptr || f.XGProxyDMatrixCreate == nullptr ||
      f.XGProxyDMatrixSetDataDense == nullptr) {  // an older XGBoost: the same result from the plain matrix
    DMatrix plain(values, rows, columns);
    if (!labels.empty()) plain.set_labels(labels);
    if (!weights.empty()) plain.set_weights(weights);
    return plain;
  }
  struct OneBatch {
    DMatrix* proxy = nullptr;
    std::string array;
    std::span<const float> labels, weights;
    bool given = false;
    int failure = 0;
  };
  Handle proxy_handle = nullptr;
  check(f.XGProxyDMatrixCreate(&proxy_handle), "cannot make a matrix of training data");
  DMatrix proxy(proxy_handle, rows);
  OneBatch batch{&proxy, array_of(values.data(), rows, columns), labels, weights};
  const auto next = [](Handle iterator) -> int {
    auto& one = *static_cast<OneBatch*>(iterator);
    if (one.given) return 0;
    one.given = true;
    try {
      if (functions().XGProxyDMatrixSetDataDense(one.proxy->handle(), one.array.c_str()) != 0) return 0;
      if (!one.labels.empty()) one.proxy->set_labels(one.labels);
      if (!one.weights.empty()) one.proxy->set_weights(one.weights);
    } catch (...) {  // not through XGBoost's frames; it reports an empty matrix
      return 0;
    }
    return 1;
  };
  const auto reset = [](Handle iterator) { static_cast<OneBatch*>(iterator)->given = false; };
  const std::string config = text(R"({"missing":NaN,"nthread":0,"max_bin":%d})", max_bin);
  Handle handle = nullptr;
  check(f.XGQuantileDMatrixCreateFromCallback(&batch, proxy.handle(),
                                              reference != nullptr ? reference->handle() : nullptr, reset, next,
                                              config.c_str(), &handle),
        "cannot make a quantile matrix of training data");
  return DMatrix(handle, rows);
}

DMatrix::~DMatrix() {
  if (handle_ != nullptr) library().functions.XGDMatrixFree(handle_);
}

DMatrix& DMatrix::operator=(DMatrix&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(rows_, other.rows_);
  return *this;
}

void DMatrix::set_labels(std::span<const float> labels) {
  if (rows_ == 0 || labels.size() <= rows_ || labels.size() % rows_ != 0) return set_float("label", labels);
  const std::string array = array_of(labels.data(), rows_, labels.size() / rows_);
  check(functions().XGDMatrixSetInfoFromInterface(handle_, "label", array.c_str()), "cannot set the labels");
}

void DMatrix::set_weights(std::span<const float> weights) { set_float("weight", weights); }

void DMatrix::set_float(const char* field, std::span<const float> values) {
  check(functions().XGDMatrixSetFloatInfo(handle_, field, values.data(), values.size()),
        std::string("cannot set ") + field);
}

void DMatrix::set_uint(const char* field, std::span<const unsigned> values) {
  check(functions().XGDMatrixSetUIntInfo(handle_, field, values.data(), values.size()),
        std::string("cannot set ") + field);
}

namespace {
void set_strings(Handle handle, const char* field, std::span<const std::string> words) {
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  check(functions().XGDMatrixSetStrFeatureInfo(handle, field, pointers.data(), pointers.size()),
        std::string("cannot set ") + field);
}
}  // namespace

void DMatrix::set_feature_types(std::span<const std::string> types) { set_strings(handle_, "feature_type", types); }
void DMatrix::set_feature_names(std::span<const std::string> names) { set_strings(handle_, "feature_name", names); }

XgbBooster::XgbBooster(std::span<const DMatrix* const> matrices) {
  std::vector<Handle> handles;
  for (const DMatrix* matrix : matrices) handles.push_back(matrix->handle());
  check(functions().XGBoosterCreate(handles.data(), handles.size(), &handle_), "cannot make a booster");
}

XgbBooster::XgbBooster(const Booster& accepted) : XgbBooster() {
  const std::vector<std::byte>& bytes = accepted.bytes();
  check(functions().XGBoosterLoadModelFromBuffer(handle_, bytes.data(), bytes.size()), "XGBoost cannot load a booster");
}

XgbBooster::~XgbBooster() {
  if (handle_ != nullptr) library().functions.XGBoosterFree(handle_);
}

XgbBooster& XgbBooster::operator=(XgbBooster&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

void XgbBooster::set(const std::string& name, const std::string& value) {
  check(functions().XGBoosterSetParam(handle_, name.c_str(), value.c_str()), "cannot set " + name + " to " + value);
}

void XgbBooster::update(int round, const DMatrix& training) {
  check(functions().XGBoosterUpdateOneIter(handle_, round, training.handle()), text("cannot train round %d", round));
}

std::string XgbBooster::evaluate(int round, std::span<const std::pair<const DMatrix*, std::string>> matrices) {
  std::vector<Handle> handles;
  std::vector<const char*> names;
  for (const auto& [matrix, name] : matrices) {
    handles.push_back(matrix->handle());
    names.push_back(name.c_str());
  }
  const char* out = nullptr;
  check(functions().XGBoosterEvalOneIter(handle_, round, handles.data(), names.data(), handles.size(), &out),
        text("cannot evaluate round %d", round));
  return out != nullptr ? out : "";
}

std::vector<std::byte> XgbBooster::save(const std::string& format) const {
  std::uint64_t size = 0;
  const char* out = nullptr;
  const std::string config = R"({"format":")" + format + R"("})";
  check(functions().XGBoosterSaveModelToBuffer(handle_, config.c_str(), &size, &out), "cannot save the booster");
  const std::span<const char> bytes(out, size);
  const auto view = std::as_bytes(bytes);
  return {view.begin(), view.end()};
}

XgbBooster::Prediction XgbBooster::predict(std::span<const float> values, std::size_t rows, std::size_t columns,
                                           bool margin, std::size_t rounds) const {
  const std::uint64_t* shape = nullptr;
  std::uint64_t dimensions = 0;
  const float* out = nullptr;
  check(functions().XGBoosterPredictFromDense(handle_, array_of(values.data(), rows, columns).c_str(),
                                              predict_config(margin, rounds, true).c_str(), nullptr, &shape,
                                              &dimensions, &out),
        "cannot predict");
  return copy_prediction(shape, dimensions, out);
}

XgbBooster::Prediction XgbBooster::predict(const DMatrix& matrix, bool margin, std::size_t rounds) const {
  const std::uint64_t* shape = nullptr;
  std::uint64_t dimensions = 0;
  const float* out = nullptr;
  check(functions().XGBoosterPredictFromDMatrix(handle_, matrix.handle(), predict_config(margin, rounds, false).c_str(),
                                                &shape, &dimensions, &out),
        "cannot predict");
  return copy_prediction(shape, dimensions, out);
}

XgbBooster::Prediction XgbBooster::contributions(const DMatrix& matrix, std::size_t rounds) const {
  const std::uint64_t* shape = nullptr;
  std::uint64_t dimensions = 0;
  const float* out = nullptr;
  const std::string config =
      text(R"({"type":2,"training":false,"iteration_begin":0,"iteration_end":%zu,"strict_shape":true})", rounds);
  check(functions().XGBoosterPredictFromDMatrix(handle_, matrix.handle(), config.c_str(), &shape, &dimensions, &out),
        "cannot explain a prediction");
  return copy_prediction(shape, dimensions, out);
}

std::string XgbBooster::attribute(const std::string& key) const {
  const char* out = nullptr;
  int found = 0;
  check(functions().XGBoosterGetAttr(handle_, key.c_str(), &out, &found), "cannot read attribute " + key);
  return found != 0 && out != nullptr ? out : "";
}

void XgbBooster::set_attribute(const std::string& key, const std::string& value) {
  check(functions().XGBoosterSetAttr(handle_, key.c_str(), value.c_str()), "cannot set attribute " + key);
}

}  // namespace elver::xgboost
