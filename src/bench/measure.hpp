#pragma once
#include <string>
#include <vector>

#include "elver/bench.hpp"

namespace elver::bench {

/// One table: all the rows that the job asks for, of one model on one image. `trees`: where they come from, in words.
/// What is left out is told in `skipped`. `devices`: the first of them is measured.
BenchResult measure(const BenchJob& job, const Model& model, const std::string& trees, const MachineLimits& machine,
                    const std::vector<int>& devices, const RunContext& context, std::vector<std::string>& skipped);

}  // namespace elver::bench
