#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "elver/model.hpp"

namespace elver {

/// The largest number of grid points that an edge may have; a real one has some hundred.
inline constexpr std::size_t kMostGridPoints = 1000000;

/// Throws Error{input} unless the model makes sense by itself: names that can be file and map names, windows, grids,
/// boosters whose features and outputs are the model's. `where` names the file in the error.
void validate(const Model& model, const std::string& where);

/// The recipe of a model, as make_model reads it. `booster` gives the path to write for a task.
nlohmann::ordered_json recipe_json(const Model& model, const std::function<std::string(const Task&)>& booster);

/// A model from a recipe; `load` gives a task's booster from its path. Validated.
/// Throws Error{input} naming `where`, the key, and what is expected there.
Model read_recipe(const nlohmann::json& recipe, const std::string& where,
                  const std::function<Booster(const std::string&)>& load);

/// The model in a file's bytes, whose seal is not looked at. Throws Error{input}.
Model read_model(std::span<const std::byte> bytes, const std::string& where);

/// "li_content.json" or "li_content.ubj", by what the booster's bytes are.
std::string booster_file_name(const Task& task);
/// Rounds that are used: 0 for all of them.
std::size_t rounds_used(const Task& task);

}  // namespace elver
