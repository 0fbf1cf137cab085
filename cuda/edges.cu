#include <algorithm>

#include "check.hpp"
#include "device.hpp"
#include "elver/core/edge_fit.hpp"
#include "elver/core/features.hpp"
#include "elver/core/linear.hpp"
#include "stages.hpp"

namespace elver::cuda {
namespace {

constexpr unsigned kThreads = 64;

/// The edge's fit in one pixel, but for the signal. Counts of the fit window are read once and wait in `kept`,
/// [channel][thread].
template <class Number>
__device__ core::EdgeSums fit_edge(const EdgesView& edges, const engine::DeviceEdge& edge,
                                   device::global_ptr<const Number> counts, std::size_t stride,
                                   device::shared_ptr<float> kept) {
  const float* const x = edges.x + edge.fit_x;
  const unsigned step = blockDim.x;
  core::EdgeSums s;
  for (unsigned c = 0; c < edge.fit_count; ++c) {
    const float y = static_cast<float>(counts[(edge.fit_row + c) * stride]);
    kept[c * step] = y;
    s.window.add(y, x[c]);
  }
  const float n = static_cast<float>(edge.fit_count);
  if (!(s.window.counts > 0)) s.status = PixelStatus::non_positive_window;
  const float q = s.window.moment / s.window.counts;
  const float u = (q - edge.q_centre) * edge.q_half_inverse;
  const core::PoissonState<float> state =
      core::poisson_state(edges.series + edge.series, static_cast<int>(edge.series_count), u);
  s.r = state.r;
  s.amplitude = core::amplitude(state, s.window.counts, n, edge.log2_e0);
  if (!core::in_series(u) && s.status == PixelStatus::ok) s.status = PixelStatus::r_out_of_range;
  s.curve = core::poisson_curve(state, q, s.window.counts, n, 1.0f);
  for (unsigned c = 0; c < edge.fit_count; ++c) {
    s.chi_square = s.chi_square + core::chi_square_term(core::straight(s.curve, x[c]), float(kept[c * step]));
  }
  s.chi_square = s.chi_square / (n - 2.0f);
  s.phi = core::variance_of_counts(s.chi_square, s.window.counts, n, edge.phi);
  s.curve = core::unbiased_poisson_curve(state, q, s.window.counts, n, s.phi);
  return s;
}

/// lane = pixel, the block's second index is the edge: fit, subtract, resample, sum, rank. Counts are read in the order
/// of the channels, each once; running sums wait in shared memory until their divisor is known.
template <class Number>
__global__ void __launch_bounds__(kThreads, 8)
    edge_kernel(EdgesView edges, CodeTableView table, LinearView linear, const Number* __restrict__ tile,
                std::size_t stride, const std::uint32_t* __restrict__ pixel_of_row, std::size_t rows, EdgeResults out) {
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const engine::DeviceEdge edge = edges.edges[blockIdx.y];
  const device::shared_ptr<float> kept = device::dynamic_shared<float>() + threadIdx.x;
  const unsigned step = blockDim.x;
  const device::global_ptr<const Number> counts = tile + (pixel_of_row == nullptr ? row : pixel_of_row[row]);

  core::EdgeSums s = fit_edge<Number>(edges, edge, counts, stride, kept);
  core::Accumulator<float> sums;
  const float* const x = edges.x + edge.net_x;
  const engine::DevicePoint* const points = edges.points + edge.point;
  float previous = 0;
  unsigned point = 0;
  for (unsigned c = 0; c < edge.net_count; ++c) {
    const float y = static_cast<float>(counts[(edge.net_row + c) * stride]);
    s.spoiled = s.spoiled + y * 0.0f;
    const float xc = x[c];
    float net = y;  // no power law at and below 0 eV
    if (xc < 1e30f) {
      net = c >= edge.signal_first && c < edge.signal_last ? s.signal.add(s.curve(xc), xc, y) : y - s.curve(xc);
    }
    for (; point < edge.point_count && points[point].at == c; ++point) {
      const float weight = points[point].weight;
      const float value =
          core::interpolated(weight > 0 ? previous : net, net, weight, edges.rule.clip_negative);
      kept[point * step] = core::accumulate(sums, value, edges.rule, point == 0);
    }
    previous = net;
  }

  EdgeFit fit = core::finished(s, edge.limits);
  const bool usable = sums.divisor > 0 && sums.divisor <= core::kLargest;
  if (fit.status == PixelStatus::ok && (!usable || core::edge_absent(fit))) fit.status = PixelStatus::edge_absent;
  const bool absent = fit.status == PixelStatus::edge_absent;
  const std::size_t at = blockIdx.y * out.stride + row;
  out.status[at] = fit.status;
  out.A[at] = fit.A;
  out.r[at] = fit.r;
  out.snr[at] = fit.snr;
  if (out.fits != nullptr) out.fits[at] = fit;

  std::uint8_t* const codes =
      out.codes + row / core::kTileRows * table.row_count * core::kTileRows + row % core::kTileRows;
  for (unsigned i = 0; i < edge.point_count; ++i) {
    const engine::DevicePoint p = points[i];
    const float feature = absent ? p.absent : kept[i * step] / sums.divisor;
    for (unsigned r = p.first_row; r < p.last_row; ++r) codes[r * core::kTileRows] = code_of(table, r, feature);
    if (out.features != nullptr) out.features[(edge.feature + i) * out.stride + row] = feature;
    if (linear.count > 0) kept[i * step] = feature;
  }
  for (unsigned k = 0; k < linear.count; ++k) {
    const float* const weights = linear.weights + std::size_t{k} * linear.feature_count + edge.feature;
    float sum = 0.0f;
    for (unsigned i = 0; i < edge.point_count; ++i) sum = core::add_product(sum, weights[i], float(kept[i * step]));
    out.linear[(std::size_t{k} * edges.edge_count + blockIdx.y) * out.stride + row] = sum;
  }
}

/// lane = place in `valid`, the block's second index is the linear output.
__global__ void __launch_bounds__(256)
    start_kernel(LinearView linear, const float* __restrict__ parts, unsigned edge_count, RowsView rows,
                 std::size_t stride, float* __restrict__ margins) {
  const std::size_t place = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::size_t count = rows.count == nullptr ? rows.most : *rows.count;
  if (place >= count) return;
  const std::size_t row = rows.valid == nullptr ? place : rows.valid[place];
  const std::uint32_t output = linear.outputs[blockIdx.y];
  float total = linear.intercept[output];
  for (unsigned e = 0; e < edge_count; ++e)
    total = total + parts[(std::size_t{blockIdx.y} * edge_count + e) * stride + row];
  margins[output * stride + place] = total;
}

/// A pixel's status from its edges'; rows that have a value get their places in `valid`, those of a block together. By hand,
/// since Thrust's copy_if hands its count to the host and would make every tile wait, and CUB, which need not, has no host
/// system to prove it on; both would read the statuses once more. Memory has owners of its own (owners.hpp) because it
/// comes and goes with a stream and may be refused, which thrust::device_vector's does not.
__global__ void __launch_bounds__(256)
    select_kernel(const PixelStatus* __restrict__ edge_status, unsigned edge_count, std::size_t stride, std::size_t rows,
                  PixelStatus* __restrict__ status, std::uint32_t* __restrict__ valid, std::uint32_t* valid_count) {
  struct Place;
  struct First;
  std::uint32_t* const before = device::static_shared<Place, std::uint32_t, 8>();
  std::uint32_t* const first = device::static_shared<First, std::uint32_t, 1>();
  const std::size_t row = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  PixelStatus worst = PixelStatus::masked;
  if (row < rows) {
    worst = PixelStatus::ok;
    for (unsigned e = 0; e < edge_count; ++e) worst = core::worse(worst, edge_status[e * stride + row]);
    status[row] = worst;
  }
  const unsigned kept = __ballot_sync(0xFFFFFFFFU, !failed(worst));
  if (lane == 0) before[warp] = static_cast<std::uint32_t>(__popc(kept));
  __syncthreads();
  if (threadIdx.x == 0) {
    std::uint32_t total = 0;
    for (unsigned w = 0; w < 8; ++w) {
      const std::uint32_t here = before[w];
      before[w] = total;
      total += here;
    }
    *first = atomicAdd(valid_count, total);
  }
  __syncthreads();
  if (!failed(worst)) {
    const unsigned place = *first + before[warp] + static_cast<unsigned>(__popc(kept & ((1U << lane) - 1)));
    valid[place] = static_cast<std::uint32_t>(row);
  }
}

template <class Number>
void start_edges(const EdgesView& edges, const CodeTableView& table, const LinearView& linear, const CountsView& counts,
                 const EdgeResults& out, std::size_t shared_limit, cudaStream_t stream) {
  unsigned threads = kThreads;
  while (threads > 32 && edges.kept * sizeof(float) * threads > shared_limit) threads /= 2;
  const std::size_t shared = edges.kept * sizeof(float) * threads;
  if (shared > shared_limit) too_many_points(edges.kept, shared_limit);
  check(cudaFuncSetAttribute(edge_kernel<Number>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
        "cudaFuncSetAttribute");
  const dim3 grid(static_cast<unsigned>((counts.rows + threads - 1) / threads), edges.edge_count);
  check(device::launch(edge_kernel<Number>, grid, dim3(threads), shared, stream, edges, table, linear,
                       static_cast<const Number*>(counts.values), counts.stride, counts.pixel_of_row, counts.rows, out),
        "edge_kernel");
}

}  // namespace

void start_margins(const LinearView& linear, const EdgeResults& edges, unsigned edge_count, const RowsView& rows,
                   std::size_t stride, float* margins, cudaStream_t stream) {
  if (rows.most == 0 || linear.count == 0) return;
  const dim3 grid(static_cast<unsigned>((rows.most + 255) / 256), linear.count);
  check(device::launch(start_kernel, grid, dim3(256), 0, stream, linear, edges.linear, edge_count, rows, stride, margins),
        "start_kernel");
}

void run_edges(const EdgesView& edges, const CodeTableView& table, const LinearView& linear, const CountsView& counts,
               const EdgeResults& out, std::size_t shared_limit, cudaStream_t stream) {
  if (counts.rows == 0) return;
  const auto start = [&]<class Number>(Number) { start_edges<Number>(edges, table, linear, counts, out, shared_limit, stream); };
  switch (counts.type) {
    case NumberType::u8:
      start(std::uint8_t{});
      break;
    case NumberType::u16:
      start(std::uint16_t{});
      break;
    case NumberType::i16:
      start(std::int16_t{});
      break;
    case NumberType::u32:
      start(std::uint32_t{});
      break;
    case NumberType::i32:
      start(std::int32_t{});
      break;
    case NumberType::f64:
      start(double{});
      break;
    default:
      start(float{});
  }
}

void select_rows(const EdgeResults& edges, unsigned edge_count, std::size_t rows, PixelStatus* status,
                 std::uint32_t* valid, std::uint32_t* valid_count, cudaStream_t stream) {
  check(cudaMemsetAsync(valid_count, 0, sizeof(std::uint32_t), stream), "cudaMemsetAsync");
  if (rows == 0) return;
  check(device::launch(select_kernel, dim3(static_cast<unsigned>((rows + 255) / 256)), dim3(256), 0, stream, edges.status,
                       edge_count, edges.stride, rows, status, valid, valid_count),
        "select_kernel");
}

}  // namespace elver::cuda
