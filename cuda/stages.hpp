#pragma once
#include <cuda_runtime.h>

#include "views.hpp"

/// One call a stage: each puts its kernels on the stream and returns. They throw Error{resources} as check() does.
namespace elver::cuda {

/// From counts to codes: fits, features, their share of linear bases, and what each edge's status is.
void run_edges(const EdgesView& edges, const CodeTableView& table, const LinearView& linear, const CountsView& counts,
               const EdgeResults& out, std::size_t shared_limit, cudaStream_t stream);
/// The status of each row, and which rows have a value.
void select_rows(const EdgeResults& edges, unsigned edge_count, std::size_t rows, PixelStatus* status,
                 std::uint32_t* valid, std::uint32_t* valid_count, cudaStream_t stream);
/// Codes of `count` rows of features that lie there as numbers, [feature][row], features `stride` apart.
void rank_rows(const CodeTableView& table, const float* features, std::size_t stride, std::size_t count,
               std::uint8_t* codes, cudaStream_t stream);
/// What the trees of outputs with linear bases add to, in their margins: intercept and the edges' parts, edge by edge.
void start_margins(const LinearView& linear, const EdgeResults& edges, unsigned edge_count, const RowsView& rows,
                   std::size_t stride, float* margins, cudaStream_t stream);
/// Margins [output][place], outputs `stride` apart: place i is the i-th of `rows`. There is room up to the end of a tile.
void run_forest(const ForestView& forest, const std::uint8_t* codes, const RowsView& rows, std::size_t stride,
                float* margins, std::size_t shared_limit, cudaStream_t stream);
/// [pixel][channel] to [channel][stride], numbers of `bytes` bytes.
void transpose(const void* from, std::size_t pixels, std::size_t channels, std::size_t bytes, void* to,
               std::size_t stride, cudaStream_t stream);

}  // namespace elver::cuda
