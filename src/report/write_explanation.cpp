#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/explain.hpp"
#include "elver/io.hpp"
#include "report/canvas.hpp"
#include "report/curves.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace report;
using Json = nlohmann::ordered_json;

constexpr Colour kPixel{0, 84, 166}, kReference{150, 150, 150}, kUp{214, 96, 0}, kDown{0, 130, 120};

double of_edge(const OutputExplanation& o, std::size_t first, std::size_t count) {
  double sum = 0;
  for (std::size_t i = first; i < first + count; ++i) sum += o.trees[i] + o.linear[i];
  return sum;
}

/// Over the mean of what is positive, so that pixel and reference can be laid over each other.
std::vector<double> over_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += std::max(0.0, v) / static_cast<double>(values.size());
  std::vector<double> out;
  for (const double v : values) out.push_back(sum > 0 ? v / sum : 0.0);
  return out;
}

void draw_edge(Canvas& canvas, double left, double top, const ExplainedEdge& view, const OutputExplanation& output, std::size_t first,
               double largest) {
  constexpr double kWidth = 380, kUpper = 220, kLower = 220, kGap = 22;
  const Grid& grid = view.edge.grid;
  std::vector<double> e, v;
  for (std::size_t i = 0; i < view.reference_ev.size(); ++i) {
    if (view.reference_ev[i] < grid.start_ev || view.reference_ev[i] >= grid.stop_ev) continue;
    e.push_back(view.reference_ev[i]);
    v.push_back(view.reference[i]);
  }
  const std::vector<double> pixel = over_mean(view.net), reference = over_mean(v);
  double low = 0, high = 1;
  for (const std::vector<double>* values : {&pixel, &reference}) {
    for (const double x : *values) low = std::min(low, x), high = std::max(high, x);
  }
  canvas.text(left, top + 4,
              text("%s: %+.3g, signal to noise %.3g%s", view.edge.name.c_str(), of_edge(output, first, grid.count), view.snr,
                   view.absent ? ", absent" : ""),
              kNote, kInk, true);
  const Frame upper{left, top + 16, kWidth, kUpper, grid.start_ev, grid.stop_ev, low, high + 0.05 * (high - low)};
  draw_axes(canvas, upper, AxisLabels::none);
  if (!reference.empty()) draw_curve(canvas, upper, e, reference, kReference);
  draw_curve(canvas, upper, view.energy_ev, pixel, kPixel);
  const Frame lower{left, upper.top + kUpper + kGap, kWidth, kLower, grid.start_ev, grid.stop_ev, -1.05 * largest, 1.05 * largest};
  draw_axes(canvas, lower, AxisLabels::below);
  const double bar = kWidth / static_cast<double>(grid.count);
  for (std::size_t i = 0; i < grid.count; ++i) {
    const double value = output.trees[first + i] + output.linear[first + i];
    const double zero = lower.y(0), end = lower.y(value);
    canvas.fill(lower.x(grid.energy(i)), std::min(zero, end), bar, std::abs(end - zero), value > 0 ? kUp : kDown);
  }
  canvas.line({{lower.left, lower.y(0)}, {lower.left + kWidth, lower.y(0)}}, 1, kFaint);
  canvas.text(left + kWidth / 2, lower.top + kLower + 44, "energy (eV)", kNote, kInk, false, Canvas::Align::centre);
}

void draw_output(const Explanation& x, const OutputExplanation& output, const std::filesystem::path& png) {
  Canvas canvas;
  double largest = 1e-12;
  for (std::size_t i = 0; i < output.trees.size(); ++i) largest = std::max(largest, std::abs(output.trees[i] + output.linear[i]));
  canvas.text(0, kTitle, text("%s, pixel %llu,%llu: margin %.4g = %.4g + what the energies add", output.output.c_str(),
                              static_cast<unsigned long long>(x.row), static_cast<unsigned long long>(x.column), output.margin, output.bias),
              kTitle, kInk, true);
  double left = 0;
  std::size_t first = 0;
  for (const ExplainedEdge& view : x.edges) {
    draw_edge(canvas, left, kTitle + 40, view, output, first, largest);
    first += view.edge.grid.count;
    left += 460;
  }
  const double below = kTitle + 40 + 16 + 220 + 22 + 220 + 84;
  draw_swatches(canvas, below, left, {{kPixel, "net counts of the pixel, over their mean"}, {kReference, "the model's reference"},
                                      {kUp, "raises the margin"}, {kDown, "lowers it"}});
  canvas.save_png(png, kMargin);
}

}  // namespace

std::string explanation_json(const Explanation& x) {
  Json edges = Json::array(), outputs = Json::array();
  for (const ExplainedEdge& view : x.edges) {
    edges.push_back({{"edge", view.edge.name}, {"features", view.edge.grid.count}, {"from_ev", view.edge.grid.start_ev},
                     {"to_ev", view.edge.grid.stop_ev}, {"snr", view.snr}, {"absent", view.absent}});
  }
  for (const OutputExplanation& o : x.outputs) {
    Json by_edge = Json::object();
    std::size_t first = 0;
    for (const ExplainedEdge& view : x.edges) {
      by_edge[view.edge.name] = of_edge(o, first, view.edge.grid.count);
      first += view.edge.grid.count;
    }
    outputs.push_back({{"task", o.task}, {"output", o.output}, {"predicted", o.predicted}, {"margin", o.margin}, {"bias", o.bias},
                       {"by_edge", by_edge}});
  }
  const Json json{{"row", x.row}, {"column", x.column}, {"edges", edges}, {"outputs", outputs}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_explanation(const Explanation& x, const std::filesystem::path& folder) {
  OutputSet out(folder);
  {
    std::ofstream csv(out.stage("explanation.csv"));
    csv << "edge,energy_ev,feature";
    for (const OutputExplanation& o : x.outputs) csv << ',' << o.output << " trees," << o.output << " linear";
    csv << '\n';
    std::size_t i = 0;
    for (const ExplainedEdge& view : x.edges) {
      for (std::size_t k = 0; k < view.edge.grid.count; ++k, ++i) {
        csv << view.edge.name << text(",%.6g,%.9g", view.edge.grid.energy(k), static_cast<double>(x.features[i]));
        for (const OutputExplanation& o : x.outputs) csv << text(",%.9g,%.9g", o.trees[i], o.linear[i]);
        csv << '\n';
      }
    }
    if (!csv.flush()) throw Error(ErrorKind::output, "cannot write " + (folder / "explanation.csv").string(), "the disk refuses it");
  }
  {
    std::ofstream json(out.stage("explanation.json"));
    json << explanation_json(x);
    if (!json.flush()) throw Error(ErrorKind::output, "cannot write " + (folder / "explanation.json").string(), "the disk refuses it");
  }
  for (const OutputExplanation& o : x.outputs) {
    if (o.predicted) draw_output(x, o, out.stage("explanation_" + o.task + ".png"));
  }
  out.commit();
}

}  // namespace elver
