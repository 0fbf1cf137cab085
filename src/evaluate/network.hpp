#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace elver::evaluate::network {

/// "" where elver was built with dlib and finds the library of its own that has it; else why no network can be trained.
std::string problem();

/// In words, for the notes of tables.
inline constexpr const char* kPerceptron = "two layers of 128 and 64 rectified units";
inline constexpr const char* kConvolutional =
    "over the features in their order, 8 filters of 9 points in steps of 3, 16 of 5 in steps of 2, a layer of 64 units, "
    "all rectified";
inline constexpr const char* kTraining =
    "by dlib: Adam at 0.001, batches of 32, weight decay 0.0001, the best epoch on a fifth of the training structures, held "
    "back; ended after 10 without a better one";

/// Sizes that a sensible person would begin with.
enum class Shape : std::uint8_t {
  perceptron,    ///< kPerceptron
  convolutional  ///< kConvolutional
};
/// The fewest columns that the convolutions leave something of.
inline constexpr std::size_t kFewestColumns = 21;

/// Rows to learn from. What is learned is a class (`outputs` of them, softmax and cross entropy) or values (squared
/// error).
struct Examples {
  const float* features = nullptr;  ///< [row][column]
  std::size_t rows = 0, columns = 0, outputs = 1;
  bool classes = false;
  std::vector<float> targets;           ///< [row]: the value, or the number of the class
  std::vector<double> weights;          ///< [row]: how often a row is drawn
  std::vector<std::size_t> structures;  ///< [row]
};

struct Settings {
  std::uint64_t seed = 1;
  std::size_t epochs = 100;   ///< at most
  std::size_t patience = 10;  ///< epochs without a better loss on the structures held back, then training ends
  double learning_rate = 1e-3;
};

/// Features [row][column] to probabilities [row][class] or values [row].
using Network = std::function<std::vector<float>(const float* features, std::size_t rows)>;

/// Trains by Adam on batches of 32, features (and values) standardised. Rows of a fifth of the structures are held
/// back, and the weights are those of the epoch with the least loss on them; of a single structure all rows are trained
/// on, a third of the epochs. On the calling thread; the same seed gives the same network. `each_batch` may throw, to
/// stop. Throws Error{resources} without dlib, Error{input} where there are too few columns. Source: Kingma and Ba,
/// ICLR (2015); He et al., ICCV (2015) for the first weights.
Network train(Shape shape, const Examples& examples, const Settings& settings, const std::function<void()>& each_batch);

/// The same, within that library.
using TrainHere = void (*)(Network& out, Shape shape, const Examples& examples, const Settings& settings,
                           const std::function<void()>& each_batch);

}  // namespace elver::evaluate::network
