#include "engine/device_xgboost.hpp"

#include "engine/packed_forest.hpp"

namespace elver::engine {

std::string why_not_on_device(const Booster& booster, ForestEngine engine) {
  if (engine == ForestEngine::own) return why_not_packable(booster);
  return booster.bytes().empty() ? "" : xgboost::why_not_on_gpu(booster);
}

DeviceXgboost::DeviceXgboost(std::span<const BoosterRounds> boosters) : boosters_(boosters.begin(), boosters.end()) {
  bare_.reserve(boosters.size());  // rest_ points into it
  for (const BoosterRounds& b : boosters) {
    bare_.push_back(Booster::bare(b.booster->feature_count(), b.booster->output_count()));
    foreign_.push_back(run_by_xgboost(*b.booster) ? 1 : 0);
    rest_.push_back(foreign_.back() != 0 ? BoosterRounds{&bare_.back(), 0, b.base} : b);
    output_count_ += b.booster->output_count();
  }
}

std::vector<xgboost::Predictor>& DeviceXgboost::predictors_of(int device) {
  const std::lock_guard lock(mutex_);
  const auto [place, made] = predictors_.try_emplace(device);
  for (std::size_t b = 0; made && b < boosters_.size(); ++b) {
    if (foreign_[b] != 0) place->second.emplace_back(*boosters_[b].booster, device);
  }
  return place->second;
}

std::vector<float> DeviceXgboost::margins(const cuda::TileResult& tile) {
  std::vector<float> out(tile.margins, tile.margins + output_count_ * tile.stride);
  if (tile.values == 0) return out;
  std::vector<xgboost::Predictor>& predictors = predictors_of(tile.device);
  const auto row_of = [&](std::size_t value) { return tile.valid != nullptr ? tile.valid[value] : value; };
  std::vector<float> base, found;
  std::size_t output = 0, next = 0;
  for (std::size_t b = 0; b < boosters_.size(); ++b) {
    const std::size_t outputs = boosters_[b].booster->output_count();
    float* const margins = out.data() + output * tile.stride;
    output += outputs;
    if (foreign_[b] == 0) continue;
    base.assign(boosters_[b].linear() ? tile.rows * outputs : 0, 0.0F);
    for (std::size_t k = 0; k < outputs && !base.empty(); ++k) {
      for (std::size_t v = 0; v < tile.values; ++v) base[row_of(v) * outputs + k] = margins[k * tile.stride + v];
    }
    found.resize(tile.rows * outputs);
    const float* const there =
        predictors[next++].margins({tile.device_features, tile.rows, 1, tile.device_stride}, base, boosters_[b].rounds);
    cuda::copy_to_host(tile.device, there, found);
    for (std::size_t k = 0; k < outputs; ++k) {
      for (std::size_t v = 0; v < tile.values; ++v) margins[k * tile.stride + v] = found[row_of(v) * outputs + k];
    }
  }
  return out;
}

}  // namespace elver::engine
