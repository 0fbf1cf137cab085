#include <algorithm>

#include "elver/error.hpp"
#include "elver/evaluate.hpp"
#include "evaluate/figures.hpp"

namespace elver {
namespace {

using evaluate::Paper;
using evaluate::PaperFigure;

/// Figures that are made together.
struct Maker {
  std::vector<std::string> names;
  std::vector<PaperFigure> (*make)(Paper&);
};

template <PaperFigure (*make)(Paper&)>
std::vector<PaperFigure> one(Paper& paper) {
  return {make(paper)};
}

const std::vector<Maker>& makers() {
  static const std::vector<Maker> kMakers{
      {{"fig3_li_content"}, one<evaluate::fig3_li_content>},
      {{"fig4a_local_counts", "fig4b_noise"}, evaluate::fig4ab_local_counts},
      {{"fig4c_oxygen_vacancy"}, one<evaluate::fig4c_vacancy>},
      {{"fig4d_antisite"}, one<evaluate::fig4d_antisite>},
      {{"fig6_importance"}, one<evaluate::fig6_importance>},
      {{"fig8_featurisation"}, one<evaluate::fig8_featurisation>},
      {{"table1_models"}, one<evaluate::table1_models>},
      {{"table2_reductions"}, one<evaluate::table2_reductions>},
      {{"learning_curve"}, one<evaluate::learning_curve>}};
  return kMakers;
}

bool wanted(const std::string& name, const PaperOptions& options) {
  return options.only.empty() ||
         std::ranges::any_of(options.only, [&](const std::string& only) { return name.starts_with(only); });
}

void check_names(const PaperOptions& options) {
  const std::vector<std::string> names = paper_figures();
  for (const std::string& only : options.only) {
    const bool any = std::ranges::any_of(names, [&](const std::string& name) { return name.starts_with(only); });
    if (any && !only.empty()) continue;
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    throw Error(ErrorKind::usage, "no figure " + only, "there are " + all, "The beginning of a name will do: fig4");
  }
}

constexpr double kMargin = 24;

void write(OutputSet& out, const PaperFigure& figure) {
  const std::string& name = figure.table.name;
  out.write_text(name + ".md", figure_markdown(figure.table));
  out.write_text(name + ".csv", figure_csv(figure.table));
  if (!figure.draw) return;
  report::Canvas canvas;
  figure.draw(canvas);
  canvas.save_png(out.stage(name + ".png"), kMargin);
  canvas.save_svg(out.stage(name + ".svg"), kMargin);
}

std::string joined(const std::vector<std::string>& cells, const std::string& between) {
  std::string out;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out += between;
    out += cells[i];
  }
  return out;
}

std::string quoted(std::string cell) {
  for (std::size_t at = 0; (at = cell.find('"', at)) != cell.npos; at += 2) cell.insert(at, 1, '"');
  return cell.find_first_of(",\"\n") == cell.npos ? cell : '"' + cell + '"';
}

}  // namespace

std::vector<std::string> paper_figures() {
  std::vector<std::string> out;
  for (const Maker& maker : makers()) out.insert(out.end(), maker.names.begin(), maker.names.end());
  return out;
}

std::vector<FigureTable> make_paper_figures(const Library& library, const PaperOptions& options, OutputSet& out,
                                            const RunContext& context) {
  check_names(options);
  if (options.folds < 2) throw Error(ErrorKind::usage, "folds", "there must be two at least");
  Paper paper(library, options, context);
  std::vector<FigureTable> tables;
  for (const Maker& maker : makers()) {
    if (std::ranges::none_of(maker.names, [&](const std::string& name) { return wanted(name, options); })) continue;
    for (const PaperFigure& figure : maker.make(paper)) {
      if (!wanted(figure.table.name, options)) continue;
      write(out, figure);
      tables.push_back(figure.table);
    }
  }
  if (std::ranges::all_of(tables, [](const FigureTable& table) { return table.rows.empty(); })) {
    throw Error(ErrorKind::mismatch, "none of the figures can be made of this library",
                tables.front().notes.front().substr(std::string_view("left out: ").size()));
  }
  return tables;
}

std::string figure_markdown(const FigureTable& table) {
  std::string out = "# " + table.title + "\n";
  if (!table.columns.empty()) {
    out += "\n| " + joined(table.columns, " | ") + " |\n|";
    for (std::size_t i = 0; i < table.columns.size(); ++i) out += " --- |";
    for (const std::vector<std::string>& row : table.rows) out += "\n| " + joined(row, " | ") + " |";
    out += "\n";
  }
  for (const std::string& note : table.notes) out += "\n- " + note;
  return out + "\n";
}

std::string figure_csv(const FigureTable& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::vector<std::string> safe;
    for (const std::string& cell : cells) safe.push_back(quoted(cell));
    return joined(safe, ",") + "\n";
  };
  std::string out = line(table.columns);
  for (const std::vector<std::string>& row : table.rows) out += line(row);
  return out;
}

}  // namespace elver
