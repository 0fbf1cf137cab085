#include "evaluate/lightgbm.hpp"

#include <cstdint>

#include "elver/error.hpp"
#include "types/dynamic_library.hpp"

namespace elver::lightgbm {
namespace {

constexpr int kFloat32 = 0, kNormalPrediction = 0;  ///< C_API_DTYPE_FLOAT32, C_API_PREDICT_NORMAL

struct Functions {
  const char* (*LGBM_GetLastError)() = nullptr;
  int (*LGBM_DatasetCreateFromMat)(const void* data, int type, std::int32_t rows, std::int32_t columns, int row_major,
                                   const char* settings, const void* reference, void** out) = nullptr;
  int (*LGBM_DatasetSetField)(void* data, const char* field, const void* values, int count, int type) = nullptr;
  int (*LGBM_DatasetFree)(void* data) = nullptr;
  int (*LGBM_BoosterCreate)(const void* data, const char* settings, void** out) = nullptr;
  int (*LGBM_BoosterFree)(void* booster) = nullptr;
  int (*LGBM_BoosterUpdateOneIter)(void* booster, int* finished) = nullptr;
  int (*LGBM_BoosterPredictForMat)(void* booster, const void* data, int type, std::int32_t rows, std::int32_t columns,
                                   int row_major, int prediction, int first, int rounds, const char* settings,
                                   std::int64_t* size, double* out) = nullptr;
};

struct Library {
  Functions functions;
  std::string problem;
};

Library load() {
  Library out;
  const DynamicLibrary opened("ELVER_LIGHTGBM_LIBRARY", ELVER_LIGHTGBM_LIBRARY, "lib_lightgbm.so");
  if (!opened.problem().empty()) {
    out.problem = "LightGBM's library: " + opened.problem();
    return out;
  }
  const auto resolve = [&](auto& function, const char* name) {
    if (!opened.resolve(function, name)) out.problem = std::string("LightGBM's library lacks ") + name;
  };
  Functions& f = out.functions;
  resolve(f.LGBM_GetLastError, "LGBM_GetLastError");
  resolve(f.LGBM_DatasetCreateFromMat, "LGBM_DatasetCreateFromMat");
  resolve(f.LGBM_DatasetSetField, "LGBM_DatasetSetField");
  resolve(f.LGBM_DatasetFree, "LGBM_DatasetFree");
  resolve(f.LGBM_BoosterCreate, "LGBM_BoosterCreate");
  resolve(f.LGBM_BoosterFree, "LGBM_BoosterFree");
  resolve(f.LGBM_BoosterUpdateOneIter, "LGBM_BoosterUpdateOneIter");
  resolve(f.LGBM_BoosterPredictForMat, "LGBM_BoosterPredictForMat");
  return out;
}

const Library& library() {
  static const Library kLibrary = load();
  return kLibrary;
}

void check(int code, const char* what) {
  if (code != 0) throw Error(ErrorKind::mismatch, what, std::string("LightGBM: ") + library().functions.LGBM_GetLastError());
}

}  // namespace

std::string problem() { return library().problem; }

Booster::Booster(std::span<const float> values, std::size_t rows, std::size_t columns, std::span<const float> labels,
                 std::span<const float> weights, const std::string& settings) {
  if (!problem().empty()) throw Error(ErrorKind::resources, "LightGBM is not at hand", problem());
  const Functions& f = library().functions;
  const auto n = static_cast<std::int32_t>(rows);
  void* made = nullptr;
  check(f.LGBM_DatasetCreateFromMat(values.data(), kFloat32, n, static_cast<std::int32_t>(columns), 1, settings.c_str(),
                                    nullptr, &made),
        "cannot make LightGBM's data");
  data_ = Handle(made, f.LGBM_DatasetFree);
  check(f.LGBM_DatasetSetField(data_.get(), "label", labels.data(), n, kFloat32), "cannot set labels");
  check(f.LGBM_DatasetSetField(data_.get(), "weight", weights.data(), n, kFloat32), "cannot set weights");
  check(f.LGBM_BoosterCreate(data_.get(), settings.c_str(), &made), "cannot make a booster");
  booster_ = Handle(made, f.LGBM_BoosterFree);
}

bool Booster::update() {
  int finished = 0;
  check(library().functions.LGBM_BoosterUpdateOneIter(booster_.get(), &finished), "cannot train LightGBM");
  return finished == 0;
}

std::vector<float> Booster::predict(std::span<const float> values, std::size_t rows, std::size_t columns) const {
  constexpr std::size_t kMostClasses = 16;
  std::vector<double> out(rows * kMostClasses);
  std::int64_t size = 0;
  check(library().functions.LGBM_BoosterPredictForMat(booster_.get(), values.data(), kFloat32, static_cast<std::int32_t>(rows),
                                                      static_cast<std::int32_t>(columns), 1, kNormalPrediction, 0, -1,
                                                      "num_threads=1", &size, out.data()),
        "cannot predict with LightGBM");
  return {out.begin(), out.begin() + size};
}

}  // namespace elver::lightgbm
