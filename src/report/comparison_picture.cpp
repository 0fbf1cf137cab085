#include "elver/compare.hpp"
#include "report/canvas.hpp"
#include "report/curves.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {

void draw_comparison(const Comparison& c, const std::filesystem::path& png) {
  using namespace report;
  constexpr Colour kFirst{0, 84, 166}, kSecond{214, 96, 0};
  Canvas canvas;
  std::vector<double> difference;
  for (std::size_t i = 0; i < c.a.size(); ++i) difference.push_back(c.a[i] - c.b[i]);
  canvas.text(0, kTitle, text("cosine similarity %.4f, Pearson correlation %.4f", c.similarity.cosine, c.similarity.pearson), kTitle, kInk, true);
  double y = kTitle + 34;
  y = draw_legend(canvas, y, kFirst, drawable(c.first));
  y = draw_legend(canvas, y, kSecond, drawable(c.second) + (c.shift_ev != 0 ? text(" (moved by %+.2f eV)", c.shift_ev) : ""));
  const Curve curves[]{{c.a, kFirst}, {c.b, kSecond}};
  draw_spectra(canvas, y, c.energy_ev, curves, "over the mean", difference, "first minus second");
  canvas.save_png(png, kMargin);
}

}  // namespace elver
