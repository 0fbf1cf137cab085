#include "elver/calibrate_library.hpp"
#include "report/canvas.hpp"
#include "report/curves.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {

void draw_calibration(const LibraryCalibration& calibration, const EdgeCalibration& e, const std::filesystem::path& png) {
  using namespace report;
  constexpr Colour kMeasured{0, 84, 166}, kPlain{150, 150, 150}, kFitted{214, 96, 0};
  Canvas canvas;
  std::vector<double> difference;
  for (std::size_t i = 0; i < e.measured.size(); ++i) difference.push_back(e.measured[i] - e.calibrated[i]);
  canvas.text(0, kTitle, e.edge + ": the library and the reference", kTitle, kInk, true);
  double y = kTitle + 34;
  y = draw_legend(canvas, y, kMeasured, drawable("measured: " + calibration.reference, 80));
  y = draw_legend(canvas, y, kPlain, text("the library as it is: cosine %.4f, Pearson %.4f", e.before.cosine, e.before.pearson));
  y = draw_legend(canvas, y, kFitted, text("calibrated: cosine %.4f, Pearson %.4f", e.after.cosine, e.after.pearson));
  const Curve curves[]{{e.as_it_is, kPlain}, {e.measured, kMeasured}, {e.calibrated, kFitted}};
  draw_spectra(canvas, y, e.energy_ev, curves, "net counts over their mean", difference, "measured minus calibrated");
  canvas.save_png(png, kMargin);
}

}  // namespace elver
