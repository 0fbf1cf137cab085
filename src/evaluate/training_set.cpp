#include "evaluate/training_set.hpp"

#include <nlohmann/json.hpp>
#include <set>

namespace elver::evaluate {
namespace {

/// A list of words; empty where there is none.
std::set<std::string> words_at(const nlohmann::json& facts, const char* group, const char* key) {
  std::set<std::string> out;
  if (!facts.is_object() || !facts.contains(group) || !facts[group].is_object()) return out;
  const nlohmann::json found = facts[group].value(key, nlohmann::json());
  if (!found.is_array()) return out;
  for (const nlohmann::json& word : found) {
    if (word.is_string()) out.insert(word.get<std::string>());
  }
  return out;
}

std::string library_hash(const nlohmann::json& facts) {
  if (!facts.is_object() || !facts.contains("library") || !facts["library"].is_object()) return "";
  const nlohmann::json found = facts["library"].value("sha256", nlohmann::json());
  return found.is_string() ? found.get<std::string>() : "";
}

}  // namespace

TrainingSet training_set(const Model& model, const Library& library) {
  const nlohmann::json facts = nlohmann::json::parse(model.training_json, nullptr, false);
  TrainingSet out{false, std::vector<std::uint8_t>(library.structures.size(), 0)};
  if (facts.is_discarded()) return out;
  const std::set<std::string> networks = words_at(facts, "split", "trained_on_networks");
  const std::set<std::string> held_out = words_at(facts, "split", "held_out");
  const bool same_library = !library.sha256.empty() && library_hash(facts) == library.sha256;
  out.known = !networks.empty() || same_library;
  for (std::size_t s = 0; out.known && s < library.structures.size(); ++s) {
    const Structure& cell = library.structures[s];
    const bool in = networks.empty() ? !held_out.contains(cell.id) : networks.contains(network_name(cell));
    out.contains[s] = in ? 1 : 0;
  }
  return out;
}

}  // namespace elver::evaluate
