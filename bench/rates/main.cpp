#include <oneapi/tbb/parallel_for.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "rates.hpp"

namespace elver::rates {

void for_each_index(std::uint64_t n, const std::function<void(std::uint64_t)>& work) {
  oneapi::tbb::parallel_for(std::uint64_t{0}, n, work);
}

}  // namespace elver::rates

int main(int count, char** words) {
  using namespace elver::rates;
  Options options;
  std::string table;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const bool more = i + 1 < count;
    if (word == "--scale" && more) {
      options.scale = std::stod(words[++i]);
    } else if (word == "--seed" && more) {
      options.seed = std::stoull(words[++i]);
    } else if (word == "--only" && more) {
      options.only = words[++i];
    } else {
      table = word;
    }
  }
  if (table == "detect") {
    detect_rates(options);
  } else if (table == "alignment") {
    alignment_rates(options);
  } else if (table == "auto-axis") {
    auto_axis_rates(options);
  } else {
    std::puts(
        "rates detect|alignment|auto-axis [--seed N] [--scale X] [--only WORD]\n"
        "Success tables on images whose truth is known. --scale 0.1: a tenth of the images.");
    return 2;
  }
  return 0;
}
