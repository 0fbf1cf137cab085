#include <algorithm>

#include "check.hpp"
#include "device.hpp"
#include "stages.hpp"

namespace elver::cuda {
namespace {

constexpr unsigned kMostWarps = 16;  ///< of a block
constexpr unsigned kLanes = 32;

/// How trees of one depth pass through a warp's stage: as many together as the warp loads with 16 bytes a lane.
template <unsigned D>
struct Stage {
  static constexpr unsigned kQuads = core::tree_words(D) / 4;
  static constexpr unsigned kTrees = kQuads < kLanes ? kLanes / kQuads : 1;
  static constexpr unsigned kLoads = kQuads < kLanes ? 1 : kQuads / kLanes;
};
ELVER_HD constexpr unsigned stage_bytes(std::uint32_t most_depth) {
  return 4 * (core::tree_words(most_depth) < 4 * kLanes ? 4 * kLanes : core::tree_words(most_depth));
}

/// A lane's `kRows` rows on their way through one list of trees. Codes lie in shared memory, [code row][lane][kRows].
template <unsigned kRows>
struct Rows {
  device::shared_ptr<const std::uint8_t> code;  ///< of the lane's first row
  float sum[kRows];

  __device__ __forceinline__ std::uint32_t code_at(std::uint32_t word, unsigned row) const {
    return code[core::node_place(word) / (core::kTileRows / (kLanes * kRows)) + row];
  }

  template <unsigned D>
  __device__ __forceinline__ void walk(device::shared_ptr<const std::uint32_t> node) {
    std::uint32_t at[kRows];
    const std::uint32_t root = node[0];
#pragma unroll
    for (unsigned r = 0; r < kRows; ++r) at[r] = core::descend(0U, code_at(root, r), core::node_code(root));
#pragma unroll
    for (unsigned d = 1; d < D; ++d) {
#pragma unroll
      for (unsigned r = 0; r < kRows; ++r) {
        const std::uint32_t word = node[(1U << d) - 1 + at[r]];
        at[r] = core::descend(at[r], code_at(word, r), core::node_code(word));
      }
    }
#pragma unroll
    for (unsigned r = 0; r < kRows; ++r) sum[r] += __uint_as_float(node[(1U << D) + at[r]]);
  }

  /// Perfect trees of one depth: while the warp walks those in its stage, the next are on their way into registers.
  template <unsigned D>
  __device__ __forceinline__ void walk_perfect(const std::uint32_t* words, std::uint32_t count, std::uint32_t* stage) {
    using S = Stage<D>;
    const unsigned lane = threadIdx.x % kLanes;
    const device::global_ptr<const uint4> from = reinterpret_cast<const uint4*>(words);
    const device::shared_ptr<uint4> to = reinterpret_cast<uint4*>(stage);
    const std::uint32_t quads = count * S::kQuads;
    uint4 next[S::kLoads] = {};
    const auto load = [&](std::uint32_t first) {
#pragma unroll
      for (unsigned i = 0; i < S::kLoads; ++i) {
        if (first + i * kLanes + lane < quads) next[i] = from[first + i * kLanes + lane];
      }
    };
    load(0);
    for (std::uint32_t tree = 0; tree < count; tree += S::kTrees) {
      __syncwarp();  // nobody reads the stage any more
#pragma unroll
      for (unsigned i = 0; i < S::kLoads; ++i) to[i * kLanes + lane] = next[i];
      __syncwarp();
      load((tree + S::kTrees) * S::kQuads);
      if constexpr (S::kTrees == 1) {
        walk<D>(stage);
      } else {
        const std::uint32_t here = count - tree < S::kTrees ? count - tree : S::kTrees;
        for (std::uint32_t t = 0; t < here; ++t) walk<D>(stage + t * core::tree_words(D));
      }
    }
  }

  /// Trees of any shape, read where they lie: a lane's rows go on together, so that their loads overlap.
  __device__ void walk_others(const core::TreeNode* nodes, const std::uint32_t* roots, std::uint32_t count) {
    for (std::uint32_t t = 0; t < count; ++t) {
      core::TreeNode node[kRows];
      node[0] = nodes[roots[t]];
#pragma unroll
      for (unsigned r = 1; r < kRows; ++r) node[r] = node[0];
      for (bool going = node[0].word != core::kLeaf; going;) {
        going = false;
#pragma unroll
        for (unsigned r = 0; r < kRows; ++r) {
          if (node[r].word == core::kLeaf) continue;
          node[r] = nodes[node[r].next + (code_at(node[r].word, r) < core::node_code(node[r].word) ? 0U : 1U)];
          going = going || node[r].word != core::kLeaf;
        }
      }
#pragma unroll
      for (unsigned r = 0; r < kRows; ++r) sum[r] += __uint_as_float(node[r].next);
    }
  }

  __device__ __forceinline__ void walk_run(const ForestView& forest, const core::TreeRun& run, std::uint32_t* stage) {
    const std::uint32_t* const words = forest.words + run.first;
    switch (run.depth) {
      case 0:
        return walk_others(forest.nodes, forest.roots + run.first, run.count);
      case 2:
        return walk_perfect<2>(words, run.count, stage);
      case 3:
        return walk_perfect<3>(words, run.count, stage);
      case 4:
        return walk_perfect<4>(words, run.count, stage);
      case 5:
        return walk_perfect<5>(words, run.count, stage);
      case 6:
        return walk_perfect<6>(words, run.count, stage);
      case 7:
        return walk_perfect<7>(words, run.count, stage);
      case 8:
        return walk_perfect<8>(words, run.count, stage);
      default:
        return;
    }
  }
};

/// Where the codes of four rows, which follow one another in shared memory, come from.
struct FourRows {
  std::size_t from[4] = {};
  bool there[4] = {};    ///< it is a row at all
  bool together = false; ///< they lie in one word

  __device__ FourRows(const ForestView& forest, const RowsView& rows, std::size_t count, std::size_t first) {
#pragma unroll
    for (unsigned k = 0; k < 4; ++k) {
      there[k] = first + k < count;
      if (!there[k]) continue;
      const std::size_t row = rows.valid == nullptr ? first + k : rows.valid[first + k];
      from[k] = row / core::kTileRows * forest.code_rows * core::kTileRows + row % core::kTileRows;
    }
    together = there[3] && from[0] % 4 == 0 && from[1] == from[0] + 1 && from[2] == from[0] + 2 && from[3] == from[0] + 3;
  }
  __device__ unsigned codes(const std::uint8_t* all, unsigned code_row) const {
    const device::global_ptr<const std::uint8_t> bytes = all + code_row * core::kTileRows;
    if (together) return device::global_ptr<const unsigned>(reinterpret_cast<const unsigned*>(all))[(from[0] + code_row * core::kTileRows) / 4];
    unsigned word = 0;
#pragma unroll
    for (unsigned k = 0; k < 4; ++k) {
      if (there[k]) word |= static_cast<unsigned>(bytes[from[k]]) << (8 * k);
    }
    return word;
  }
};

/// A block holds the codes of `parts` parts of kLanes * kRows rows. Each warp takes one list of trees down one of them.
template <unsigned kRows>
__global__ void __launch_bounds__(kMostWarps* kLanes, 2)
    forest_kernel(ForestView forest, const std::uint8_t* __restrict__ codes, RowsView rows_view, unsigned parts,
                  std::size_t stride, float* __restrict__ margins) {
  unsigned char* const memory = device::dynamic_shared<unsigned char>();
  constexpr unsigned kPartRows = kLanes * kRows, kPartWords = kPartRows / 4;
  const unsigned part_bytes = forest.code_rows * kPartRows;
  const std::size_t count = rows_view.count == nullptr ? rows_view.most : *rows_view.count;
  const std::size_t first_row = static_cast<std::size_t>(blockIdx.x) * parts * kPartRows;
  if (first_row >= count) return;
  const std::size_t left = (count - first_row + kPartRows - 1) / kPartRows;
  const unsigned here = left < parts ? static_cast<unsigned>(left) : parts;
  const device::shared_ptr<unsigned> to = reinterpret_cast<unsigned*>(memory);
  for (unsigned part = 0; part < here; ++part) {
    const FourRows four(forest, rows_view, count, first_row + part * kPartRows + threadIdx.x % kPartWords * 4);
    for (unsigned i = threadIdx.x; i < part_bytes / 4; i += blockDim.x) {
      to[part * (part_bytes / 4) + i] = four.codes(codes, i / kPartWords);
    }
  }
  __syncthreads();

  const unsigned lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes;
  const unsigned part = warp / forest.list_count, list = warp % forest.list_count;
  if (part >= here) return;
  std::uint32_t* const stage =
      reinterpret_cast<std::uint32_t*>(memory + parts * part_bytes + warp * stage_bytes(forest.most_depth));
  Rows<kRows> rows;
  rows.code = memory + part * part_bytes + lane * kRows;
  float* const out = margins + first_row + part * kPartRows + lane * kRows;
  const std::uint32_t end = forest.lists[list + 1];
  for (std::uint32_t i = forest.lists[list]; i < end;) {
    const std::uint32_t output = forest.runs[i].output;
#pragma unroll
    for (unsigned r = 0; r < kRows; ++r)
      rows.sum[r] = forest.linear[output] != 0 ? out[output * stride + r] : forest.base[output];
    for (; i < end && forest.runs[i].output == output; ++i) rows.walk_run(forest, forest.runs[i], stage);
#pragma unroll
    for (unsigned r = 0; r < kRows; ++r) out[output * stride + r] = rows.sum[r];
  }
}

/// lane = row, the block's second index is the code row. Rows up to the end of the last tile get a code, too.
__global__ void __launch_bounds__(core::kTileRows)
    rank_kernel(CodeTableView table, const float* __restrict__ features, std::size_t stride, std::size_t count,
                std::uint8_t* __restrict__ codes) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * core::kTileRows + threadIdx.x;
  const std::uint32_t code_row = blockIdx.y;
  const device::global_ptr<const float> values = features + table.rows[code_row].feature * stride;
  const std::uint8_t code = row < count ? code_of(table, code_row, values[row]) : std::uint8_t{0};
  codes[(static_cast<std::size_t>(blockIdx.x) * table.row_count + code_row) * core::kTileRows + threadIdx.x] = code;
}

template <unsigned kRows>
bool start_forest(const ForestView& forest, const std::uint8_t* codes, const RowsView& rows, std::size_t stride,
                  float* margins, std::size_t shared_limit, cudaStream_t stream) {
  constexpr unsigned kPartRows = kLanes * kRows;
  const std::size_t bytes = std::size_t{forest.code_rows} * kPartRows + forest.list_count * stage_bytes(forest.most_depth);
  if (bytes > shared_limit) return false;
  // Few outputs leave warps free: they take more rows, as far as two blocks still fit a multiprocessor.
  const std::size_t part_count = (rows.most + kPartRows - 1) / kPartRows;
  const std::size_t wanted = std::min<std::size_t>(kMostWarps / forest.list_count, part_count);
  const auto parts = static_cast<unsigned>(std::max<std::size_t>(1, std::min(wanted, shared_limit / 2 / bytes)));
  check(cudaFuncSetAttribute(forest_kernel<kRows>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(parts * bytes)),
        "cudaFuncSetAttribute");
  check(device::launch(forest_kernel<kRows>, dim3(static_cast<unsigned>((part_count + parts - 1) / parts)),
                       dim3(kLanes * forest.list_count * parts), parts * bytes, stream, forest, codes, rows, parts,
                       stride, margins),
        "forest_kernel");
  return true;
}

}  // namespace

void run_forest(const ForestView& forest, const std::uint8_t* codes, const RowsView& rows, std::size_t stride,
                float* margins, std::size_t shared_limit, cudaStream_t stream) {
  if (rows.most == 0 || forest.list_count == 0) return;
  // Four rows a lane where a block's shared memory holds their codes, else fewer.
  if (start_forest<4>(forest, codes, rows, stride, margins, shared_limit, stream)) return;
  if (start_forest<2>(forest, codes, rows, stride, margins, shared_limit, stream)) return;
  if (start_forest<1>(forest, codes, rows, stride, margins, shared_limit, stream)) return;
  too_many_features(forest.code_rows, shared_limit);
}

void rank_rows(const CodeTableView& table, const float* features, std::size_t stride, std::size_t count,
               std::uint8_t* codes, cudaStream_t stream) {
  if (count == 0 || table.row_count == 0) return;
  check(device::launch(rank_kernel, dim3(static_cast<unsigned>(tiles_of(count)), table.row_count), dim3(core::kTileRows),
                       0, stream, table, features, stride, count, codes),
        "rank_kernel");
}

}  // namespace elver::cuda
