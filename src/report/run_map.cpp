#include "elver/error.hpp"
#include "elver/report.hpp"
#include "types/memory.hpp"
#include "types/stopwatch.hpp"

namespace elver {
namespace {

/// The energy axis as the file has it, where the options put another in its place.
std::optional<EnergyAxis> axis_in_file(const MapJob& job) {
  if (!job.open.offset_ev && !job.open.dispersion_ev) return std::nullopt;
  OpenOptions plain = job.open;
  plain.offset_ev = plain.dispersion_ev = std::nullopt;
  try {
    return open_image(job.input, plain)->energy();
  } catch (const Error&) {
    return std::nullopt;  // it has none of its own
  }
}

}  // namespace

MapRun run_map(const MapJob& job, const Model& model, const RunContext& context) {
  const Stopwatch before;
  RunRecord record = job.record;
  record.input = job.input;
  record.mask = job.mask;
  record.threads = context.thread_count();
  if (record.memory_bytes == 0) record.memory_bytes = context.memory_bytes;
  Prepared prepared = prepare(open_image(job.input, job.open), job.preparation, context);
  const Image& image = *prepared.image;
  record.preparation = std::move(prepared.record);
  record.axis_in_file = axis_in_file(job);
  OutputSet out(job.out);
  std::vector<std::uint8_t> mask;
  if (job.mask.automatic || job.mask.minimum_counts >= 0) mask = make_mask(image, job.mask, context);
  const double opening = job.seconds_before + before.seconds();
  MapRun run;
  constexpr std::uint64_t kToWrite = 24 << 20;  // bytes that writing takes of any image; measured, with pictures
  run.result = map_image(image, model, mask, less_memory(context, kToWrite, 0, "to write maps takes"));
  run.result.seconds.read += opening;
  run.result.seconds.total += opening;
  run.json = write_maps(out, image, model, run.result, record, context);
  run.files = out.names().size();
  out.commit();
  run.preparation = std::move(record.preparation);
  return run;
}

}  // namespace elver
