#include "elver/error.hpp"
#include "evaluate/network.hpp"
#include "types/dynamic_library.hpp"

namespace elver::evaluate::network {
namespace {

struct Library {
  TrainHere train = nullptr;
  std::string problem = "elver was built without dlib (libdlib-dev)";

  Library() {
#ifdef ELVER_NETWORKS_LIBRARY
    const DynamicLibrary file("ELVER_NETWORKS_LIBRARY", ELVER_NETWORKS_LIBRARY, "libelver_networks.so");
    const TrainHere* found = nullptr;
    problem = file.problem();
    if (!file.resolve(found, "elver_train_network")) {
      if (problem.empty()) problem = file.path() + " is not elver's";
      problem = "libelver_networks.so cannot be used: " + problem;
      return;
    }
    train = *found;
#endif
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

}  // namespace

std::string problem() { return library().problem; }

Network train(Shape shape, const Examples& examples, const Settings& settings, const std::function<void()>& each_batch) {
  if (library().train == nullptr) {
    throw Error(ErrorKind::resources, "no neural network can be trained", problem(),
                "Install libdlib-dev and build elver again");
  }
  Network out;
  library().train(out, shape, examples, settings, each_batch);
  return out;
}

}  // namespace elver::evaluate::network
