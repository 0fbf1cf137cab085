#include "evaluate/network.hpp"

#include <dlib/dnn.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <set>

#include "elver/error.hpp"

// The only file that includes dlib, whose headers take long. Its layers are used without its losses and its trainer:
// the former know no classes whose number is found at run time, the latter has threads and a clock of its own.
namespace elver::evaluate::network {
namespace {

using Input = dlib::input<dlib::matrix<float>>;
using Perceptron = dlib::fc<1, dlib::relu<dlib::fc<64, dlib::relu<dlib::fc<128, Input>>>>>;
using Convolutional = dlib::fc<
    1, dlib::relu<dlib::fc<64, dlib::relu<dlib::con<16, 1, 5, 1, 2, dlib::relu<dlib::con<8, 1, 9, 1, 3, Input>>>>>>>;

constexpr std::size_t kBatch = 32;
constexpr std::size_t kHeldBack = 5;  ///< one structure in so many
constexpr float kDecay = 1e-4F, kMomentum = 0.9F, kMomentum2 = 0.999F;

/// (x - mean) / deviation of each column; a column that does not change is 0.
struct Scale {
  std::vector<float> mean, factor;

  Scale(const float* values, std::size_t columns, const std::vector<double>& weights) : mean(columns), factor(columns) {
    double total = 0;
    for (const double w : weights) total += w;
    for (std::size_t c = 0; c < columns; ++c) {
      double middle = 0, variance = 0;
      for (std::size_t r = 0; r < weights.size(); ++r)
        middle += weights[r] / total * static_cast<double>(values[r * columns + c]);
      for (std::size_t r = 0; r < weights.size(); ++r)
        variance += weights[r] / total * std::pow(static_cast<double>(values[r * columns + c]) - middle, 2);
      const double deviation = std::sqrt(variance);
      mean[c] = static_cast<float>(middle);
      // What is left of a constant column is rounding.
      factor[c] = deviation > 1e-6 * std::abs(middle) && deviation > 0 ? static_cast<float>(1 / deviation) : 0.0F;
    }
  }
  float operator()(float value, std::size_t column) const { return (value - mean[column]) * factor[column]; }
};

template <class Layer>
std::size_t outputs_of(const Layer& layer) {
  if constexpr (requires { layer.num_filters(); }) {
    return static_cast<std::size_t>(layer.num_filters());
  } else {
    return static_cast<std::size_t>(layer.get_num_outputs());
  }
}

/// A layer's parameters are its weights, then a bias an output.
template <class Layer>
void begin_layer(Layer& layer, std::mt19937_64& random) {
  dlib::tensor& parameters = layer.get_layer_params();
  const std::size_t biases = outputs_of(layer), weights = parameters.size() - biases;
  std::normal_distribution<float> draw(0.0F,
                                       std::sqrt(2.0F * static_cast<float>(biases) / static_cast<float>(weights)));
  float* const values = parameters.host();
  for (std::size_t i = 0; i < parameters.size(); ++i) values[i] = i < weights ? draw(random) : 0.0F;
}

template <class Net>
class Trained {
 public:
  Trained(const Examples& examples, std::uint64_t seed)
      : columns_(examples.columns),
        outputs_(examples.outputs),
        classes_(examples.classes),
        scale_(examples.features, examples.columns, examples.weights),
        random_(seed),
        target_(examples.targets.data(), 1, examples.weights) {
    dlib::layer<0>(net_).layer_details().set_num_outputs(static_cast<long>(outputs_));
    dlib::resizable_tensor unused;
    const dlib::matrix<float> blank = dlib::zeros_matrix<float>(1, static_cast<long>(columns_));
    net_.to_tensor(&blank, &blank + 1, unused);
    static_cast<void>(net_.forward(unused));  // sizes the layers, with weights that no seed decides
    begin_layer(dlib::layer<0>(net_).layer_details(), random_);
    begin_layer(dlib::layer<2>(net_).layer_details(), random_);
    begin_layer(dlib::layer<4>(net_).layer_details(), random_);
    if constexpr (Net::num_layers > 6) begin_layer(dlib::layer<6>(net_).layer_details(), random_);
  }

  void fit(const Examples& examples, const Settings& settings, const std::function<void()>& each_batch) {
    const auto [learned, judged] = split(examples);
    std::vector<double> weights;
    for (const std::size_t row : learned) weights.push_back(examples.weights[row]);
    std::discrete_distribution<std::size_t> draw(weights.begin(), weights.end());
    std::vector<dlib::adam> solvers(Net::num_computational_layers, dlib::adam(kDecay, kMomentum, kMomentum2));
    std::vector<float> best = parameters();
    double least = std::numeric_limits<double>::infinity();
    std::size_t since = 0;
    const std::size_t epochs = judged.empty() ? std::max<std::size_t>(1, settings.epochs / 3) : settings.epochs;
    for (std::size_t epoch = 0; epoch < epochs && since < settings.patience; ++epoch) {
      for (std::size_t done = 0; done < learned.size(); done += kBatch) {
        each_batch();
        std::vector<std::size_t> rows;
        for (std::size_t i = 0; i < kBatch; ++i) rows.push_back(learned[draw(random_)]);
        const dlib::tensor& said = ask(examples, rows);
        set_gradient(said, examples, rows);
        net_.back_propagate_error(batch_);
        net_.update_parameters(dlib::make_sstack(solvers), settings.learning_rate);
      }
      if (judged.empty()) continue;
      const double loss = loss_of(examples, judged);
      ++since;
      if (loss < least) least = loss, since = 0, best = parameters();
    }
    if (!judged.empty()) set_parameters(best);
  }

  std::vector<float> predict(const float* features, std::size_t rows) {
    std::vector<float> out;
    out.reserve(rows * outputs_);
    for (std::size_t first = 0; first < rows; first += kBatch) {
      const std::size_t count = std::min(kBatch, rows - first);
      fill(count, [&](std::size_t i) { return features + (first + i) * columns_; });
      const float* const said = net_.forward(batch_).host();
      for (std::size_t i = 0; i < count; ++i) {
        if (classes_) {
          const std::vector<float> p = softmax(said + i * outputs_);
          out.insert(out.end(), p.begin(), p.end());
        } else {
          for (std::size_t k = 0; k < outputs_; ++k) out.push_back(said[i * outputs_ + k] * spread() + target_.mean[0]);
        }
      }
    }
    return out;
  }

 private:
  using Split = std::pair<std::vector<std::size_t>, std::vector<std::size_t>>;
  Split split(const Examples& examples) {
    const std::set<std::size_t> all(examples.structures.begin(), examples.structures.end());
    std::vector<std::size_t> order(all.begin(), all.end());
    std::shuffle(order.begin(), order.end(), random_);
    order.resize(order.size() > 1 ? (order.size() + kHeldBack - 1) / kHeldBack : 0);
    const std::set<std::size_t> held(order.begin(), order.end());
    Split out;
    for (std::size_t r = 0; r < examples.rows; ++r) {
      if (examples.weights[r] > 0) (held.contains(examples.structures[r]) ? out.second : out.first).push_back(r);
    }
    return out;
  }

  float spread() const { return target_.factor[0] > 0 ? 1 / target_.factor[0] : 0.0F; }

  template <class Row>
  void fill(std::size_t count, Row row) {
    batch_.set_size(static_cast<long>(count), 1, 1, static_cast<long>(columns_));
    float* out = batch_.host_write_only();
    for (std::size_t i = 0; i < count; ++i) {
      const float* const values = row(i);
      for (std::size_t c = 0; c < columns_; ++c) *out++ = scale_(values[c], c);
    }
  }

  const dlib::tensor& ask(const Examples& examples, const std::vector<std::size_t>& rows) {
    fill(rows.size(), [&](std::size_t i) { return examples.features + rows[i] * columns_; });
    return net_.forward(batch_);
  }

  std::vector<float> softmax(const float* said) const {
    std::vector<float> out(said, said + outputs_);
    const float highest = *std::max_element(out.begin(), out.end());
    float sum = 0;
    for (float& v : out) sum += v = std::exp(v - highest);
    for (float& v : out) v /= sum;
    return out;
  }

  /// Of the mean loss over a batch, with respect to what the last layer says.
  void set_gradient(const dlib::tensor& said, const Examples& examples, const std::vector<std::size_t>& rows) {
    const float* const values = said.host();
    float* const gradient = net_.get_gradient_input().host_write_only();
    const float share = 1 / static_cast<float>(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float target = examples.targets[rows[i]];
      if (classes_) {
        const std::vector<float> p = softmax(values + i * outputs_);
        for (std::size_t k = 0; k < outputs_; ++k)
          gradient[i * outputs_ + k] = share * (p[k] - (k == static_cast<std::size_t>(target) ? 1.0F : 0.0F));
      } else {
        gradient[i] = share * (values[i] - target_(target, 0));
      }
    }
  }

  double loss_of(const Examples& examples, const std::vector<std::size_t>& rows) {
    double sum = 0, of = 0;
    for (std::size_t first = 0; first < rows.size(); first += kBatch) {
      const std::vector<std::size_t> part(
          rows.begin() + static_cast<std::ptrdiff_t>(first),
          rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), first + kBatch)));
      const float* const said = ask(examples, part).host();
      for (std::size_t i = 0; i < part.size(); ++i) {
        const float target = examples.targets[part[i]];
        const double weight = examples.weights[part[i]];
        const double error =
            classes_ ? -std::log(std::max(
                           1e-12, static_cast<double>(softmax(said + i * outputs_)[static_cast<std::size_t>(target)])))
                     : std::pow(static_cast<double>(said[i] - target_(target, 0)), 2);
        sum += weight * error;
        of += weight;
      }
    }
    return sum / of;
  }

  std::vector<float> parameters() {
    std::vector<float> out;
    dlib::visit_layer_parameters(
        net_, [&](std::size_t, dlib::tensor& t) { out.insert(out.end(), t.host(), t.host() + t.size()); });
    return out;
  }
  void set_parameters(const std::vector<float>& values) {
    std::size_t at = 0;
    dlib::visit_layer_parameters(net_, [&](std::size_t, dlib::tensor& t) {
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(at), t.size(), t.host());
      at += t.size();
    });
  }

  std::size_t columns_, outputs_;
  bool classes_;
  Scale scale_;
  std::mt19937_64 random_;
  Scale target_;
  Net net_;
  dlib::resizable_tensor batch_;
};

template <class Net>
Network make(const Examples& examples, const Settings& settings, const std::function<void()>& each_batch) {
  const auto trained = std::make_shared<Trained<Net>>(examples, settings.seed);
  trained->fit(examples, settings, each_batch);
  return [trained](const float* features, std::size_t rows) { return trained->predict(features, rows); };
}

}  // namespace

void train_here(Network& out, Shape shape, const Examples& examples, const Settings& settings,
                const std::function<void()>& each_batch) {
  if (shape == Shape::perceptron) {
    out = make<Perceptron>(examples, settings, each_batch);
    return;
  }
  if (examples.columns < kFewestColumns)
    throw Error(ErrorKind::input, "too few features for convolutions", "they need 21 points");
  out = make<Convolutional>(examples, settings, each_batch);
}

}  // namespace elver::evaluate::network

/// What load_network.cpp looks for.
extern "C" {
extern const elver::evaluate::network::TrainHere elver_train_network;
const elver::evaluate::network::TrainHere elver_train_network = &elver::evaluate::network::train_here;
}
