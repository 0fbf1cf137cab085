#include <fstream>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "train/search.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

std::string key_of(const std::string& task, const std::vector<double>& point) {
  std::string key = task;
  for (const double value : point) key += text(" %.12g", value);
  return key;
}

std::string line_of(const std::string& key, const Outcome& o) {
  const nlohmann::json line{{"key", key}, {"loss", o.loss}, {"rounds", o.rounds}, {"first", o.first}, {"pruned", o.pruned}};
  return line.dump() + "\n";
}

}  // namespace

Journal::Journal(std::filesystem::path path, std::string fingerprint) : path_(std::move(path)) {
  if (path_.empty()) return;
  std::ifstream in(path_);
  std::string line;
  const bool ours = std::getline(in, line) && line == fingerprint;
  while (ours && std::getline(in, line)) {
    const nlohmann::json trial = nlohmann::json::parse(line, nullptr, false);
    if (trial.is_discarded() || !trial.contains("key") || !trial.contains("loss") || !trial.contains("rounds") ||
        !trial.contains("first") || !trial.contains("pruned"))
      continue;
    trials_[trial["key"].get<std::string>()] = {trial["loss"].get<double>(), trial["rounds"].get<std::size_t>(),
                                                trial["first"].get<double>(), trial["pruned"].get<bool>()};
  }
  found_ = trials_.size();
  std::ofstream out(path_, std::ios::trunc);
  out << fingerprint << "\n";
  for (const auto& [key, outcome] : trials_) out << line_of(key, outcome);
  if (!out.flush()) {
    throw Error(ErrorKind::output, "cannot write " + path_.string(), "the journal of the search must be writable",
                "Choose another place with --out");
  }
}

std::optional<Outcome> Journal::find(const std::string& task, const std::vector<double>& point) const {
  const auto found = trials_.find(key_of(task, point));
  return found == trials_.end() ? std::nullopt : std::optional(found->second);
}

void Journal::add(const std::string& task, const std::vector<double>& point, const Outcome& outcome) {
  trials_[key_of(task, point)] = outcome;
  if (path_.empty()) return;
  std::ofstream out(path_, std::ios::app);
  out << line_of(key_of(task, point), outcome);
}

}  // namespace elver::train
