#include "elver/error.hpp"
#include "engine/cuda.hpp"

/// The CUDA back end of a build without a CUDA compiler: it links, and says so.
namespace elver::cuda {

struct Pipeline::Impl {};

DeviceList devices() { return {{}, "this elver was built without CUDA, which the preset cuda builds", ""}; }

std::vector<double> copy_rates(int, std::size_t, int) { return {}; }
void copy_to_host(int, const float*, std::span<float>) {}

Pipeline::Pipeline(const Job&, int) {
  throw Error(ErrorKind::resources, "cannot compute on a GPU", devices().why_none, "Use --backend cpu");
}
Pipeline::~Pipeline() = default;
std::size_t Pipeline::tile_pixels() const { return 0; }
std::span<std::byte> Pipeline::counts(std::size_t) { return {}; }
std::span<std::uint32_t> Pipeline::pixels(std::size_t) { return {}; }
void Pipeline::start(std::size_t, std::size_t, std::size_t) {}
TileResult Pipeline::finish(std::size_t) { return {}; }

}  // namespace elver::cuda
