#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/codes.hpp"

namespace elver::engine {

/// Pixels whose codes lie together: a byte each is one register of the widest kind, and a bit each one 64-bit word.
inline constexpr std::size_t kForestBlock = 64;

/// How trees find the leaves that a block of pixels reaches.
enum class TreeForm : std::uint8_t {
  perfect,  ///< every node asked, then eight trees side by side turn by turn, from the root down
  folded,   ///< every node asked, and from the leaves up told which of the leaves below it a pixel would reach
  walked,   ///< the same for the top of a tree; from there on each pixel goes from node to node, of which it meets few
};

/// An inner node of a perfect tree, where the children of slot s are slots 2s+1 (left) and 2s+2 (right).
struct PackedNode {
  std::uint32_t codes = 0;  ///< where its row of codes begins: kForestBlock times its number in CodeTable
  std::uint16_t place = 0;  ///< 8 times its slot, plus its tree's number in the group
  std::uint8_t code = 0;    ///< go right where the pixel's code is at least this
};

/// An inner node of a folded tree, or of the top of a walked one; whatever a fold ends at is a leaf to it. The leaves
/// below a node are counted from its leftmost. Children stand before their parents; the i-th inner node has slot i + 1,
/// and slot 0 stands for every leaf.
struct FoldedNode {
  std::uint32_t codes = 0;           ///< as in PackedNode
  std::uint8_t code = 0;             ///< as in PackedNode
  std::uint8_t left_leaves = 0;      ///< how many leaves its left child has
  std::uint8_t left = 0, right = 0;  ///< slots of its children
};

/// A node of a walked tree; the right child follows the left one. A leaf has no code.
struct WalkedNode {
  std::uint32_t codes = 0;  ///< as in PackedNode
  std::uint32_t way =
      0;  ///< the left child's index in the tree, 24 bits, and below it the code as in PackedNode, at least 1
};
static_assert(sizeof(PackedNode) == 8 && sizeof(FoldedNode) == 8 && sizeof(WalkedNode) == 8);

/// Up to eight perfect trees that follow one another, all brought to the depth of the deepest; leaves that lie higher
/// are repeated below, so that a node which is not there may answer anything. Or one tree of another form.
struct TreeGroup {
  static constexpr std::size_t kTrees = 8;
  TreeForm form = TreeForm::perfect;
  std::uint32_t depth = 1;                        ///< perfect: 1 to 8; folded: 6 to 8
  std::uint32_t trees = 0;                        ///< 1 to 8
  std::uint32_t first_fold = 0, last_fold = 0;    ///< folded and walked: in PackedForest::folded
  std::uint32_t twigs = 0;                        ///< of them, those above two leaves, which stand first
  std::uint32_t ends = 0;                         ///< walked: first of PackedForest::ends
  std::array<std::uint32_t, kTrees + 1> nodes{};  ///< perfect and walked: tree i's are [nodes[i], nodes[i + 1])
  std::array<std::uint32_t, kTrees> leaves{};     ///< tree i's first leaf value: [value][2^depth], walked [value][node]
  std::array<std::uint32_t, kTrees> planes{};     ///< first of its PackedForest::planes, the same values
  std::array<std::uint32_t, kTrees> output{};     ///< the first output that it adds to
  std::array<std::uint32_t, kTrees> values{};     ///< outputs that it adds to: 1, or all of its booster's
};

/// Trees of one or more boosters, one after the other, as plain arrays. The outputs of the boosters follow one another
/// too. Which leaf of a perfect tree a pixel reaches: its turns from the root down, as a binary number, right is 1.
struct PackedForest {
  static constexpr std::size_t kMostDepth = 8;     ///< of perfect trees
  static constexpr std::size_t kMostFolded = 256;  ///< leaves of folded trees
  static constexpr std::size_t kTopEnds = 128;     ///< where the tops of walked trees end: a level more would not pay
  CodeTable codes;
  std::vector<TreeGroup> groups;
  std::vector<PackedNode> nodes;
  std::vector<FoldedNode> folded;
  std::vector<WalkedNode> walked;
  std::vector<std::uint32_t> ends;  ///< the walked nodes that tops end at, by their numbers
  std::vector<float> leaves;
  /// The leaves of perfect and folded trees by bytes: [value][byte of the float, lowest first][leaf], 64 leaves at
  /// least.
  std::vector<std::uint8_t> planes;
  std::vector<float> base;                ///< [output]: margin before any tree
  std::vector<std::size_t> first_output;  ///< [booster], and how many outputs there are at the end

  std::size_t output_count() const { return base.size(); }
};

/// Why a booster cannot be packed, or "" where it can: it has no trees, a threshold is NaN, or a tree has 2^24 nodes.
std::string why_not_packable(const Booster& booster);

/// Whether XGBoost is asked for a booster where it is to walk the trees: for all but elver's own, which have none.
/// Throws Error{resources} where there is no XGBoost, Error{mismatch} where it cannot run the booster.
bool run_by_xgboost(const Booster& booster);

/// Throws nothing but what allocation throws; boosters must be packable.
PackedForest pack_forest(std::span<const BoosterRounds> boosters, Missing missing);

}  // namespace elver::engine
