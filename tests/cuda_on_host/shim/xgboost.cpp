#include <cstdint>

// A libxgboost for tests on a machine without a GPU: device memory is host memory there, so features "on the device"
// are predicted by XGBoost's CPU predictor. Everything else is the real library's, which this one is linked with.
extern "C" {
int XGBoosterPredictFromDense(void* booster, const char* array, const char* config, void* matrix,
                              const std::uint64_t** shape, std::uint64_t* dimensions, const float** out);

int XGBoosterPredictFromCudaArray(void* booster, const char* array, const char* config, void* matrix,
                                  const std::uint64_t** shape, std::uint64_t* dimensions, const float** out) {
  return XGBoosterPredictFromDense(booster, array, config, matrix, shape, dimensions, out);
}
}
