#include "engine/kernels.hpp"

namespace elver::engine {

// All pixels of the block take a step before any takes the next, so that nobody waits for a node or a code alone;
// whoever has come to a leaf is not asked again.
void walk_tree(const WalkedNode* nodes, const std::uint8_t* codes, std::uint32_t* at) {
  const auto inner = [nodes](std::uint32_t i) { return (nodes[i].way & 255) != 0; };
  std::uint8_t going[kForestBlock];
  std::size_t count = 0;
  for (std::size_t p = 0; p < kForestBlock; ++p) {
    going[count] = static_cast<std::uint8_t>(p);
    count += inner(at[p]) ? 1 : 0;
  }
  while (count > 0) {
    std::size_t still = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t p = going[i];
      const WalkedNode node = nodes[at[p]];
      const std::uint32_t next = (node.way >> 8) + (codes[node.codes + p] >= (node.way & 255) ? 1U : 0U);
      at[p] = next;
      going[still] = static_cast<std::uint8_t>(p);
      still += inner(next) ? 1 : 0;
    }
    count = still;
  }
}

}  // namespace elver::engine
