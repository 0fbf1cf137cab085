#pragma once
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "elver/bench.hpp"
#include "elver/maps.hpp"
#include "engine/codes.hpp"

namespace elver::bench {

/// What one table of rows is measured on.
struct Case {
  const Model& model;
  const Image& image;               ///< in memory
  std::filesystem::path file;       ///< the same image in a file
  std::filesystem::path pixel_major;  ///< and in one spectrum after spectrum; "" without one
  OpenOptions open;
  std::filesystem::path scratch;    ///< a folder for maps
  const MachineLimits& machine;
  RunContext context;               ///< without progress
  std::vector<engine::BoosterRounds> boosters;
  ChannelRange plan_channels;
  double nodes_a_pixel = 0, visits_a_pixel = 0;

  /// Of moving so many bytes a pixel, read and written; a copied byte is moved twice.
  double memory_limit_mpx_s(double bytes) const;
  double compare_limit_mpx_s() const;
};

/// A row while it is measured.
struct Meter {
  BenchRow row;
  std::vector<double> seconds;
};

/// Rows, and what is to be done once in every run to add to them.
struct Steps {
  std::list<Meter> meters;
  std::vector<std::function<void()>> once;
  Meter& add(BenchRow row) { return meters.emplace_back(Meter{std::move(row), {}}); }
};

/// How many values of maps were compared, NaN for NaN and else bit for bit; throws Error{mismatch} where one differs.
std::uint64_t compare_maps(const MapResult& a, const MapResult& b, const std::string& what);

/// Each compares answers first (Error{mismatch} where they differ, counted in `parity`) and adds its rows.
void add_edge_rows(const Case& what, Steps& steps);
void add_forest_rows(const Case& what, Steps& steps, BenchParity& parity, std::vector<std::string>& skipped);
void add_map_rows(const Case& what, const std::vector<BenchScope>& scopes, Steps& steps, BenchParity& parity);
void add_device_rows(const Case& what, int device, const std::vector<BenchScope>& scopes, Steps& steps, BenchParity& parity);

}  // namespace elver::bench
