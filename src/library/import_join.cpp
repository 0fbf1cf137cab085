#include <algorithm>
#include <cmath>
#include <map>

#include "elver/compare.hpp"
#include "library/import_run.hpp"
#include "types/piecewise_linear.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// "NAME_2" of the run NAME: 2; 0 if it is none.
int site_number(const std::string& stem, const std::string& run) {
  if (!stem.starts_with(run + "_") || stem.size() == run.size() + 1 || stem.size() > run.size() + 4) return 0;
  const std::string digits = stem.substr(run.size() + 1);
  return digits.find_first_not_of("0123456789") == std::string::npos ? std::stoi(digits) : 0;
}

}  // namespace

/// Says which FDMNES files are one run: NAME.txt or NAME_1.txt, NAME_2.txt, ... (sites, not convolved), NAME_conv.txt
/// (all of them together) or NAME_1_conv.txt, ...
void ImportRun::join_fdmnes() {
  std::map<std::filesystem::path, std::vector<SpectrumFile*>> folders;
  for (SpectrumFile& file : spectra) {
    if (file.spectrum.code == SpectrumCode::fdmnes) folders[file.folder].push_back(&file);
  }
  for (auto& [folder, files] : folders) {
    // The names of runs: what inputs say, then what stands before _conv.
    std::vector<std::string> runs;
    for (const StructureFile& s : structures) {
      if (s.folder == folder && s.found.format == "FDMNES input" && !s.found.output.empty()) runs.push_back(s.found.output);
    }
    for (const SpectrumFile* file : files) {
      const auto part_of = [&](const std::string& run) { return run == file->spectrum.stem || site_number(file->spectrum.stem, run) > 0; };
      if (file->spectrum.convolved && std::none_of(runs.begin(), runs.end(), part_of)) runs.push_back(file->spectrum.stem);
    }
    for (const SpectrumFile* file : files) {  // sites whose convolution and input are not here
      const std::string& stem = file->spectrum.stem;
      const auto part_of = [&](const std::string& run) { return run == stem || site_number(stem, run) > 0; };
      if (std::any_of(runs.begin(), runs.end(), part_of)) continue;
      const std::size_t bar = stem.rfind('_');
      runs.push_back(bar != std::string::npos && site_number(stem, stem.substr(0, bar)) > 0 ? stem.substr(0, bar) : stem);
    }
    for (const std::string& run : runs) {
      SpectrumFile* together = nullptr;
      std::map<int, SpectrumFile*> raw, ready;
      for (SpectrumFile* file : files) {
        ReadSpectrum& s = file->spectrum;
        const int number = site_number(s.stem, run);
        if (s.stem != run && number == 0) continue;
        s.site = number;
        if (s.convolved && number == 0) together = file;
        else if (s.convolved) ready[number] = file;
        else raw[number] = file;
        s.stem = run;
      }
      double lowest = INFINITY;
      for (const auto& [number, file] : raw) lowest = std::min(lowest, file->spectrum.core_level_ev);
      const auto inherit = [&](ReadSpectrum& s, const ReadSpectrum& from) {
        s.edge = s.edge.empty() ? from.edge : s.edge;
        s.edge_ev = s.edge_ev > 0 ? s.edge_ev : from.edge_ev;
        s.fermi_ev = s.fermi_ev ? s.fermi_ev : from.fermi_ev;
        s.atoms = from.atoms;
        s.square_angstrom = from.square_angstrom;
      };
      for (auto& [number, file] : ready) {
        if (raw.count(number) != 0) {
          inherit(file->spectrum, raw[number]->spectrum);
          leave_out(*raw[number], "its convolution is read in its place: " + file->path.filename().string());
          raw[number]->spectrum.energy_ev.clear();
          raw.erase(number);
        }
      }
      if (together != nullptr && raw.size() == 1 && ready.empty()) {
        SpectrumFile* only = raw.begin()->second;
        inherit(together->spectrum, only->spectrum);
        together->spectrum.site = only->spectrum.site;
        leave_out(*only, "its convolution is read in its place: " + together->path.filename().string());
        only->spectrum.energy_ev.clear();
        continue;
      }
      if (raw.empty()) {
        if (together != nullptr && !ready.empty()) {
          leave_out(*together, "the mean of sites that are in the library");
          together->spectrum.energy_ev.clear();
        }
        continue;
      }
      // Sites that are not convolved: as FDMNES does it, with the hole's width that makes their sum most like NAME_conv.txt.
      double best = -2, width = 0;
      const auto correlation = [&](double tried) {
        std::vector<double> sum(together->spectrum.energy_ev.size(), 0.0);
        for (const auto& [number, file] : raw) {
          const std::vector<double> wide = fdmnes_convolution(file->spectrum, tried);
          const double shift = file->spectrum.core_level_ev - lowest;
          for (std::size_t i = 0; i < sum.size(); ++i)
            sum[i] += piecewise_linear<double, double>(file->spectrum.energy_ev, wide, together->spectrum.energy_ev[i] - shift);
        }
        const double r = similarity(sum, together->spectrum.absorption).pearson;
        if (r > best) best = r, width = tried;
        return r;
      };
      constexpr double kGolden = 0.6180339887;
      double low = 0.05, high = 6.0;  // eV: from O K to beyond the K edges of 4d metals
      if (together != nullptr) {
        double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
        double at_a = correlation(a), at_b = correlation(b);
        for (int step = 0; step < 9; ++step) {
          if (at_a > at_b) {
            high = b, b = a, at_b = at_a, a = high - kGolden * (high - low), at_a = correlation(a);
          } else {
            low = a, a = b, at_a = at_b, b = low + kGolden * (high - low), at_b = correlation(b);
          }
        }
      }
      for (auto& [number, file] : raw) {
        ReadSpectrum& s = file->spectrum;
        const double shift = s.core_level_ev - lowest;
        if (together != nullptr) {
          s.absorption = fdmnes_convolution(s, width);
          s.note = text("convolved by elver with a core hole of %.2f eV; the sites' sum correlates with %s by %.5f", width,
                        together->path.filename().c_str(), best);
        } else {
          const double fermi = s.fermi_ev.value_or(s.energy_ev.front());
          for (std::size_t i = 0; i < s.energy_ev.size(); ++i) {
            if (s.energy_ev[i] < fermi) s.absorption[i] = 0;
          }
          s.note = "cut at the Fermi level; no lifetime is in, for want of a _conv.txt";
        }
        for (double& e : s.energy_ev) e += shift;
        if (s.fermi_ev) *s.fermi_ev += shift;
      }
      if (together != nullptr) {
        leave_out(*together, text("the sum of %zu sites that are in the library, site by site", raw.size()));
        together->spectrum.energy_ev.clear();
      }
    }
  }
}

/// OCEAN writes a file a polarisation: their mean is the site's.
void ImportRun::join_polarisations() {
  std::map<std::pair<std::filesystem::path, std::string>, std::vector<SpectrumFile*>> sites;
  for (SpectrumFile& file : spectra) {
    if (file.spectrum.code == SpectrumCode::ocean) sites[{file.folder, file.spectrum.stem}].push_back(&file);
  }
  for (auto& [key, files] : sites) {
    ReadSpectrum& first = files.front()->spectrum;
    const double share = 1.0 / static_cast<double>(files.size());
    std::vector<double> mean(first.energy_ev.size(), 0.0);
    for (const SpectrumFile* file : files) {
      for (std::size_t i = 0; i < mean.size(); ++i)
        mean[i] += share * piecewise_linear<double, double>(file->spectrum.energy_ev, file->spectrum.absorption, first.energy_ev[i]);
    }
    for (std::size_t k = 1; k < files.size(); ++k) {
      leave_out(*files[k], "in the library as part of the mean over polarisations: " + files.front()->path.filename().string());
      files[k]->spectrum.energy_ev.clear();
    }
    if (files.size() > 1) first.note = text("mean over %zu polarisations", files.size());
    first.absorption = std::move(mean);
  }
}

}  // namespace elver
