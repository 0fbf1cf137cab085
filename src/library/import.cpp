#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "library/elements.hpp"
#include "library/import_run.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

struct Item {
  fs::path path;
  std::string name;  ///< relative to its folder, the folder's own name in front
};

std::vector<Item> list_files(const std::vector<fs::path>& folders) {
  std::vector<Item> out;
  for (const fs::path& folder : folders) {
    std::error_code error;
    if (fs::is_regular_file(folder, error)) {
      out.push_back({folder, folder.filename().string()});
      continue;
    }
    if (!fs::is_directory(folder, error))
      throw Error(ErrorKind::input, "cannot read " + folder.string(), "there is no such file or folder");
    const fs::path whole = fs::absolute(folder).lexically_normal();
    const std::string own = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
    fs::recursive_directory_iterator walk(folder, fs::directory_options::skip_permission_denied, error), end;
    if (error) throw Error(ErrorKind::input, "cannot read " + folder.string(), error.message());
    for (; walk != end; walk.increment(error)) {
      if (error) throw Error(ErrorKind::input, "cannot read " + folder.string(), error.message());
      if (walk->is_regular_file(error)) out.push_back({walk->path(), own + "/" + walk->path().lexically_relative(folder).string()});
    }
  }
  std::sort(out.begin(), out.end(), [](const Item& a, const Item& b) { return a.name < b.name; });
  return out;
}

/// Reads one file: a structure, a spectrum, or the reason why it is neither.
void read_file(const Item& item, FileReport& report, ImportRun& run, std::size_t index) {
  const std::string extension = upper_case(item.path.extension().string());
  const std::string file = item.path.filename().string();
  const auto take = [&](FoundStructure found) {
    report.fate = FileFate::structure;
    report.format = found.format;
    report.reason = found.note;
    run.structures.push_back({item.path, item.path.parent_path(), std::move(found)});
  };
  if (extension == ".CIF") return take(read_cif(item.path));
  const std::vector<std::string> lines = read_lines(item.path);
  if (file == "INCAR") return run.read_incar(item.path, lines, report);
  const std::string kind = structure_kind(lines);
  if (kind == "feff") return take(read_feff_input(lines));
  if (kind == "fdmnes") return take(read_fdmnes_input(lines, item.path.parent_path()));
  if (kind == "poscar") return take(read_poscar(lines));
  std::optional<ReadSpectrum> spectrum = read_spectrum(item.path, lines);
  if (!spectrum) {
    report.reason = "it holds no spectrum and no structure that elver knows";
    return;
  }
  report.format = spectrum->format;
  report.points = spectrum->energy_ev.size();
  report.edge = spectrum->edge;
  report.fate = FileFate::left_out;
  run.spectra.push_back({item.path, item.path.parent_path(), item.name, index, std::move(*spectrum)});
}

}  // namespace

std::string_view name_of(FileFate fate) {
  constexpr std::array<std::string_view, 4> kNames{"imported", "structure", "left out", "refused"};
  return kNames[static_cast<std::size_t>(fate)];
}

ImportResult import_library(const std::vector<fs::path>& folders, const ImportOptions& options, const RunContext& context) {
  ImportResult out;
  out.tables.title = options.title;
  ImportRun run(options, out);
  const std::vector<Item> items = list_files(folders);
  if (context.progress != nullptr) context.progress->begin("read", items.size(), "files");
  for (std::size_t i = 0; i < items.size(); ++i) {
    context.check_interrupt();
    FileReport report;
    report.file = items[i].name;
    std::error_code error;
    if (!options.labels.empty() && fs::equivalent(items[i].path, options.labels, error)) {
      report.fate = FileFate::structure;
      report.format = "labels";
    } else {
      try {
        read_file(items[i], report, run, i);
      } catch (const Error& wrong) {
        if (wrong.kind() != ErrorKind::input) throw;
        report.fate = FileFate::refused;
        report.reason = wrong.what();
      } catch (const std::logic_error&) {  // of the standard library's own conversions
        report.fate = FileFate::refused;
        report.reason = "a whole number in it is out of range";
      }
    }
    out.files.push_back(std::move(report));
    if (context.progress != nullptr) context.progress->advance(1);
  }
  if (context.progress != nullptr) context.progress->end();
  run.finish(context);
  return out;
}

std::string import_json(const ImportResult& result) {
  nlohmann::ordered_json json;
  std::map<std::string, std::size_t> fates;
  json["files"] = nlohmann::ordered_json::array();
  for (const FileReport& file : result.files) {
    nlohmann::ordered_json row{{"file", file.file}, {"fate", name_of(file.fate)}, {"format", file.format}};
    if (!file.edge.empty()) row["edge"] = file.edge;
    if (!file.structure.empty()) row["structure"] = file.structure;
    if (file.points > 0) row["points"] = file.points;
    if (!file.reason.empty()) row["reason"] = file.reason;
    json["files"].push_back(std::move(row));
    ++fates[std::string(name_of(file.fate))];
  }
  json["counts"] = fates;
  json["structures"] = result.tables.structures.size();
  json["spectra"] = result.tables.spectra.size();
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace elver
