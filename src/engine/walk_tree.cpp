#include "engine/kernels.hpp"

namespace elver::engine {
namespace {

/// Pixels on their way at once: while one waits for a node or a code, the others go on.
constexpr std::size_t kTogether = 8;

/// One step of each; what has changed in their indices.
inline std::uint32_t step(const WalkedNode* nodes, const std::uint8_t* codes, std::uint32_t* at) {
  std::uint32_t moved = 0;
  for (std::size_t p = 0; p < kTogether; ++p) {
    const WalkedNode node = nodes[at[p]];
    const std::uint32_t next = (node.way >> 8) + (codes[node.codes + p] >= (node.way & 255) ? 1U : 0U);
    moved |= next ^ at[p];
    at[p] = next;
  }
  return moved;
}

}  // namespace

void walk_tree(const WalkedNode* nodes, const std::uint8_t* codes, std::uint32_t* at) {
  for (std::size_t first = 0; first < kForestBlock; first += kTogether) {
    std::uint32_t here[kTogether] = {};
    do {  // whoever has arrived stays, so nobody asks at every step
      for (int i = 0; i < 3; ++i) step(nodes, codes + first, here);
    } while (step(nodes, codes + first, here) != 0);
    for (std::size_t p = 0; p < kTogether; ++p) at[first + p] = here[p];
  }
}

}  // namespace elver::engine
