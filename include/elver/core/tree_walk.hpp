#pragma once
#include <cstdint>

#include "elver/core/host_device.hpp"

/// Trees as a GPU walks them: rows of byte codes (see rank.hpp) down nodes of 4 bytes.
namespace elver::core {

/// Rows whose codes lie together, [code row][row of the tile]: lane i of a warp has rows 4i to 4i + 3, so it reads the
/// codes of its four rows from one word, and from a bank of its own whatever code row a node asks for.
inline constexpr std::uint32_t kTileRows = 128;

/// A node of a perfect tree in one word: the least code that goes right (1 to 255; 0: everything does), and where its
/// code row begins in the tile.
ELVER_HD constexpr std::uint32_t node_word(std::uint32_t code_row, std::uint32_t code) {
  return code << 24 | code_row * kTileRows;
}
inline constexpr std::uint32_t kMostCodeRows = (1U << 24) / kTileRows;
ELVER_HD constexpr std::uint32_t node_code(std::uint32_t word) { return word >> 24; }
ELVER_HD constexpr std::uint32_t node_place(std::uint32_t word) { return word & 0xFFFFFFU; }

/// One step down a perfect tree, where node i of a level has the children 2i (right) and 2i + 1 (left) in the next: left
/// if `code` is below the node's. Unsigned arithmetic instead of a comparison, and an or: it compiles to the fewest
/// instructions, on sm_120 to one funnel shift.
ELVER_HD constexpr std::uint32_t descend(std::uint32_t i, std::uint32_t code, std::uint32_t node_code) {
  return (i << 1) | ((code - node_code) >> 31);
}

/// A perfect tree of depth D is 2^(D+1) words: its nodes level by level, one word that nobody reads, its leaves' bits.
inline constexpr std::uint32_t kLeastDepth = 2, kMostDepth = 8;
ELVER_HD constexpr std::uint32_t tree_words(std::uint32_t depth) { return 2U << depth; }

/// A node of a tree of any shape: the same word, and the index of the left child, which the right one follows. A leaf
/// has the word kLeaf and its value's bits.
struct TreeNode {
  std::uint32_t word = 0, next = 0;
};
inline constexpr std::uint32_t kLeaf = 0xFFFFFFFFU;

/// Trees that follow one another and add to the same output.
struct TreeRun {
  std::uint32_t first = 0;   ///< perfect: first word; any shape: the first of their roots
  std::uint32_t count = 0;
  std::uint32_t output = 0;
  std::uint32_t depth = 0;   ///< of perfect trees, kLeastDepth to kMostDepth; 0: any shape
};

}  // namespace elver::core
