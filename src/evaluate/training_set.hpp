#pragma once
#include <vector>

#include "elver/library.hpp"
#include "elver/model.hpp"

namespace elver::evaluate {

/// What a model's card says about a library's structures.
struct TrainingSet {
  bool known = false;                  ///< the card says what the model was trained on
  std::vector<std::uint8_t> contains;  ///< [structure] it, or a symmetry copy, was trained on; all 0 where not known
};
/// By the bond networks that the card names; a card that names none is believed about the library it was trained on,
/// the file of the same hash, and about no other.
TrainingSet training_set(const Model& model, const Library& library);

}  // namespace elver::evaluate
