#include <nlohmann/json.hpp>

#include "elver/bench.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

Json spread_json(const RunSpread& s) {
  return {{"runs", s.runs}, {"minimum", s.minimum}, {"median", s.median}, {"maximum", s.maximum}};
}

/// Of what is reached from memory; 0 for other rows than those from a file, and where that was not measured.
double share_of_host(const BenchResult& result, const BenchRow& row) {
  if (row.scope != BenchScope::file_to_maps) return 0;
  for (const BenchRow& other : result.rows) {
    if (other.scope == BenchScope::host_to_host && other.engine == row.engine && other.on == row.on) return row.mpx_s.median / other.mpx_s.median;
  }
  return 0;
}

Json result_json(const BenchResult& result) {
  const BenchCase& w = result.what;
  Json rows = Json::array();
  for (const BenchRow& row : result.rows) {
    Json entry{{"stage", row.stage},
               {"scope", name_of(row.scope)},
               {"engine", row.engine},
               {"on", row.on},
               {"pixels", row.pixels},
               {"mpx_s", spread_json(row.mpx_s)},
               {"bytes_a_pixel", row.bytes_a_pixel},
               {"nodes_a_pixel", row.nodes_a_pixel},
               {"visits_a_pixel", row.visits_a_pixel}};
    if (!row.limit_by.empty()) {
      entry["limit"] = {{"by", row.limit_by}, {"mpx_s", row.limit_mpx_s}, {"share_reached", row.share_of_limit()}};
    }
    if (const double share = share_of_host(result, row); share > 0) entry["share_of_host_to_host"] = share;
    rows.push_back(std::move(entry));
  }
  return {{"trees",
           {{"are", w.model},
            {"count", w.trees},
            {"tasks", w.tasks},
            {"outputs", w.outputs},
            {"most_depth", w.most_depth},
            {"mean_depth", w.mean_depth},
            {"mean_inner_nodes", w.mean_inner_nodes},
            {"features", w.features},
            {"features_used", w.features_used},
            {"code_rows", w.code_rows},
            {"most_thresholds", w.most_thresholds}}},
          {"image",
           {{"is", w.image},
            {"rows", w.rows},
            {"columns", w.columns},
            {"channels", w.channels},
            {"plan_channels", w.plan_channels},
            {"counts", w.counts},
            {"order", w.order},
            {"file_bytes", result.file_bytes}}},
          {"parity",
           {{"pixels", result.parity.pixels},
            {"margins_equal", result.parity.margins},
            {"margins_equal_to_xgboost", result.parity.xgboost},
            {"map_values_equal", result.parity.map_values}}},
          {"peak_bytes_of_file_to_maps", result.peak_bytes},
          {"rows", rows}};
}

std::string rate(double mpx_s) { return text(mpx_s < 0.095 ? "%.4f" : mpx_s < 0.95 ? "%.3f" : "%.2f", mpx_s); }

std::string table_of(const BenchResult& result) {
  const BenchCase& w = result.what;
  std::string out = text("trees    %llu, %s: depth %.1f on average, %llu at most, %.1f inner nodes each; %llu outputs; %llu of %llu "
                         "features used, up to %llu thresholds each\n",
                         static_cast<unsigned long long>(w.trees), w.model.c_str(), w.mean_depth,
                         static_cast<unsigned long long>(w.most_depth), w.mean_inner_nodes,
                         static_cast<unsigned long long>(w.outputs), static_cast<unsigned long long>(w.features_used),
                         static_cast<unsigned long long>(w.features), static_cast<unsigned long long>(w.most_thresholds));
  out += text("image    %llu x %llu pixels, %llu channels (%llu read), %s, %s: %s\n", static_cast<unsigned long long>(w.rows),
              static_cast<unsigned long long>(w.columns), static_cast<unsigned long long>(w.channels),
              static_cast<unsigned long long>(w.plan_channels), w.counts.c_str(), w.order.c_str(), w.image.c_str());
  out += text("equal    %llu margins, %llu of them XGBoost's too; %llu values of maps\n",
              static_cast<unsigned long long>(result.parity.margins), static_cast<unsigned long long>(result.parity.xgboost),
              static_cast<unsigned long long>(result.parity.map_values));
  if (result.peak_bytes > 0) {
    out += text("memory   %.0f MB at most, file to maps (file: %.0f MB)\n", static_cast<double>(result.peak_bytes) / 1e6,
                static_cast<double>(result.file_bytes) / 1e6);
  }
  out += text("\n%-12s %-13s %-24s %-22s %9s  %-17s %8s %8s  %s\n", "stage", "scope", "engine", "on", "Mpx/s", "least to most",
              "bytes", "nodes", "limit");
  for (const BenchRow& row : result.rows) {
    out += text("%-12s %-13s %-24s %-22s %9s  %-17s %8.0f %8.0f", row.stage.c_str(), std::string(name_of(row.scope)).c_str(),
                row.engine.c_str(), row.on.c_str(), rate(row.mpx_s.median).c_str(),
                (rate(row.mpx_s.minimum) + " to " + rate(row.mpx_s.maximum)).c_str(), row.bytes_a_pixel, row.nodes_a_pixel);
    if (!row.limit_by.empty())
      out += text("  %s Mpx/s by %s, %.0f %% reached", rate(row.limit_mpx_s).c_str(), row.limit_by.c_str(), 100 * row.share_of_limit());
    if (const double share = share_of_host(result, row); share > 0) out += text(", %.0f %% of host to host", 100 * share);
    out += "\n";
  }
  return out;
}

/// A line a value: the rows that a sweep is about.
std::string table_of(const BenchSweep& sweep) {
  std::string out = text("\n%-10s", sweep.over.c_str());
  if (sweep.results.empty()) return out + "\n";
  for (const BenchRow& row : sweep.results.front().rows) {
    out += text("  %18s", (row.scope == BenchScope::kernel ? row.stage + (row.engine == "elver" ? "" : " XGBoost")
                                                           : std::string(name_of(row.scope)) + (row.stage == "map" ? "" : " (p)")).c_str());
  }
  out += text("  %9s  %9s  %8s\n", "nodes", "file MB", "peak MB");
  for (std::size_t i = 0; i < sweep.values.size(); ++i) {
    const BenchResult& result = sweep.results[i];
    out += text("%-10llu", static_cast<unsigned long long>(sweep.values[i]));
    for (const BenchRow& row : sweep.results.front().rows) {
      std::string cell = "-";
      for (const BenchRow& other : result.rows) {
        if (other.stage == row.stage && other.scope == row.scope && other.engine == row.engine && other.on == row.on) {
          cell = rate(other.mpx_s.median);
        }
      }
      out += text("  %18s", cell.c_str());
    }
    out += text("  %9.0f  %9.0f  %8.0f\n", result.what.mean_inner_nodes * static_cast<double>(result.what.trees),
                static_cast<double>(result.file_bytes) / 1e6, static_cast<double>(result.peak_bytes) / 1e6);
  }
  return out;
}

}  // namespace

std::string bench_json(const BenchReport& report) {
  const MachineLimits& m = report.machine;
  Json sweeps = Json::array();
  for (const BenchSweep& sweep : report.sweeps) {
    Json points = Json::array();
    for (std::size_t i = 0; i < sweep.values.size(); ++i) {
      Json point{{sweep.over, sweep.values[i]}};
      point.update(result_json(sweep.results[i]));
      points.push_back(std::move(point));
    }
    sweeps.push_back({{"over", sweep.over}, {"points", points}});
  }
  Json out{{"elver", report.elver},
           {"date", report.date},
           {"machine",
            {{"cpu", m.cpu},
             {"cores", m.cores},
             {"threads", m.threads},
             {"vector_registers", m.vector_registers},
             {"copy_bytes_s", spread_json(m.copy_bytes_s)},
             {"compares_of_64_bytes_s", spread_json(m.compares_s)}}}};
  if (m.gpu.empty()) {
    out["machine"]["why_no_gpu"] = m.why_no_gpu;
  } else {
    out["machine"]["gpu"] = m.gpu;
    out["machine"]["gpu_versions"] = m.gpu_versions;
    out["machine"]["link_bytes_s"] = spread_json(m.link_bytes_s);
  }
  out.update(result_json(report.main));
  out["sweeps"] = sweeps;
  out["skipped"] = report.skipped;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string bench_table(const BenchReport& report) {
  const MachineLimits& m = report.machine;
  std::string out = text("machine  %s, %u cores, %u threads, %s; %s\n", m.cpu.c_str(), m.cores, m.threads,
                         m.vector_registers.c_str(), report.date.c_str());
  out += text("limits   memory copies %.1f GB/s (%.1f to %.1f); %.2f G compares of 64 bytes a second (%.2f to %.2f)\n",
              m.copy_bytes_s.median * 1e-9, m.copy_bytes_s.minimum * 1e-9, m.copy_bytes_s.maximum * 1e-9, m.compares_s.median * 1e-9,
              m.compares_s.minimum * 1e-9, m.compares_s.maximum * 1e-9);
  if (!m.gpu.empty()) out += text("gpu      %s; %.1f GB/s from pinned memory\n", m.gpu.c_str(), m.link_bytes_s.median * 1e-9);
  out += table_of(report.main);
  for (const BenchSweep& sweep : report.sweeps) out += table_of(sweep);
  for (const std::string& why : report.skipped) out += "left out: " + why + "\n";
  return out;
}

}  // namespace elver
