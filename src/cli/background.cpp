#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/background.hpp"
#include "io/writer.hpp"

namespace elver::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  InputOptions input;
  MaskOptions mask;
  RunOptions run;
  std::string fit, signal, method = "poisson-ml", r_range, out;
  BackgroundOptions background;
  bool cube = false;
};

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json number(float value) { return number(static_cast<double>(value)); }

Json status_json(const BackgroundResult& result) {
  Json counts;
  for (std::size_t code = 0; code < status_count; ++code) {
    counts[std::string(name_of(static_cast<PixelStatus>(code)))] = result.status_counts[code];
  }
  return counts;
}

void print_json(const Options& options, const BackgroundJob& job, const EnergyAxis& axis,
                const BackgroundResult& result, const PreparationRecord& record) {
  const ChannelRange fit = axis.channels(job.fit), signal = axis.channels(job.signal);
  Json out{{"file", options.input.file},
           {"method", std::string(name_of(job.options.method))},
           {"fit_ev", {job.fit.start_ev, job.fit.stop_ev}},
           {"fit_channels", {fit.first, fit.last}},
           {"signal_ev", {job.signal.start_ev, job.signal.stop_ev}},
           {"signal_channels", {signal.first, signal.last}},
           {"pixels", result.fits.size()},
           {"status", status_json(result)},
           {"A", number(result.median_A)},
           {"r", number(result.median_r)},
           {"median_r", number(result.median_r)},
           {"reduced_chi_square", number(result.median_reduced_chi_square)},
           {"phi", number(result.median_phi)}};
  if (result.fits.size() == 1) {
    const EdgeFit& only = result.fits.front();
    out["background"] = number(only.background);
    out["background_error"] = number(only.background_error);
    out["signal"] = number(only.signal);
    out["snr"] = number(only.snr);
  }
  out["preparation"] = Json::parse(preparation_json(record));
  out["notes"] = record.notes;
  out["out"] = options.out.empty() ? Json(nullptr) : Json(options.out);
  std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print_summary(const Options& options, const BackgroundJob& job, const EnergyAxis& axis,
                   const BackgroundResult& result) {
  const ChannelRange fit = axis.channels(job.fit), signal = axis.channels(job.signal);
  std::printf("%s, fit %g:%g eV (channels %zu to %zu), signal %g:%g eV (channels %zu to %zu)\n",
              std::string(name_of(job.options.method)).c_str(), job.fit.start_ev, job.fit.stop_ev, fit.first,
              fit.last - 1, job.signal.start_ev, job.signal.stop_ev, signal.first, signal.last - 1);
  const bool single = result.fits.size() == 1;
  std::printf("%sA %.7g counts per channel at 1 eV, r %.6g, reduced chi-square %.4g\n",
              single ? "" : "median of the pixels: ", result.median_A, result.median_r,
              result.median_reduced_chi_square);
  if (single) {
    const EdgeFit& only = result.fits.front();
    std::printf("background %.7g counts, standard error %.3g, signal %.7g counts, signal-to-noise ratio %.4g\n",
                static_cast<double>(only.background), static_cast<double>(only.background_error),
                static_cast<double>(only.signal), static_cast<double>(only.snr));
  }
  if (std::abs(result.median_phi - 1.0) > 0.5) {
    std::printf("note: the counts scatter as if one electron gave %.3g counts; the errors take this into account\n",
                result.median_phi);
  }
  std::printf("%zu pixel%s:", result.fits.size(), single ? "" : "s");
  const char* separator = " ";
  for (std::size_t code = 0; code < status_count; ++code) {
    if (result.status_counts[code] == 0) continue;
    std::printf("%s%s %llu", separator, std::string(name_of(static_cast<PixelStatus>(code))).c_str(),
                static_cast<unsigned long long>(result.status_counts[code]));
    separator = ", ";
  }
  std::printf("\n");
  if (!options.out.empty()) std::printf("written: %s\n", options.out.c_str());
}

void background(const Options& options) {
  BackgroundJob job;
  job.fit = parse_window(options.fit, "--fit");
  job.signal = parse_window(options.signal, "--signal");
  job.options = options.background;
  job.options.method = background_method(options.method);
  if (!options.r_range.empty()) {
    const EnergyWindow range = parse_window(options.r_range, "--r-range");
    job.options.r_minimum = range.start_ev;
    job.options.r_maximum = range.stop_ev;
    job.options.r_standard_errors = 0;
  }
  if (!options.out.empty()) static_cast<void>(writer_of_signals(options.out));
  const Run run(options.run);
  PreparationRecord record;
  const std::unique_ptr<Image> image = open_input(options.input, run.context(), &record);
  if (options.mask.automatic || options.mask.minimum_counts >= 0)
    job.mask = make_mask(*image, options.mask, run.context());
  job.preparation_json = preparation_json(record);
  job.beside = record.maps;
  const BackgroundResult result = fit_background(*image, job, run.context());
  if (!options.out.empty()) {
    PicturesBeside pictures(options.out, *image, record);
    write_background(options.out, *image, job, result, options.cube, run.context());
    pictures.commit();
  }
  if (options.run.json) {
    print_json(options, job, image->energy(), result, record);
  } else if (!options.run.quiet) {
    print_preparation(record);
    print_summary(options, job, image->energy(), result);
  }
  print_notes(record.notes, options.run);
}

}  // namespace

void add_background(CLI::App& program) {
  CLI::App* command = program.add_subcommand("background", "Fit A*E^-r before an edge in every pixel and subtract it");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command->add_option("--fit", options->fit, "Energies of the fit, START:STOP in eV (half-open)")->required();
  command
      ->add_option("--signal", options->signal,
                   "Energies over which signal and background are summed, START:STOP in eV")
      ->required();
  command->add_option("--method", options->method, "poisson-ml (default), log-lsq or two-area");
  command->add_option("--out", options->out, "The file of maps, .hspy or .nxs; without it only the summary is printed");
  command->add_flag("--cube", options->cube, "Also write the whole subtracted spectra, as \"net\"")->needs("--out");
  CLI::Option_group* group = command->add_option_group("Limits");
  group
      ->add_option("--minimum-counts", options->background.minimum_counts,
                   "Electrons in the fit window below which a pixel has too few counts (default 10)")
      ->check(CLI::NonNegativeNumber);
  group->add_option("--r-range", options->r_range,
                    "Exponents LOW:HIGH beyond which r is out of range (default -2:12, and four standard errors of r "
                    "on either side)");
  group
      ->add_option("--phi", options->background.phi,
                   "Counts that one electron gives (their variance over their mean); default: judged from each pixel's "
                   "own scatter")
      ->check(CLI::NonNegativeNumber);
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  command->footer("Example: elver background cathode.dm3 --fit 490:520 --signal 520:580 --out oxygen.hspy");
  command->callback([options] { background(*options); });
}

}  // namespace elver::cli
