#include "elver/error.hpp"
#include "evaluate/network.hpp"

namespace elver::evaluate::network {

std::string problem() { return "elver was built without dlib (libdlib-dev)"; }

Network train(Shape, const Examples&, const Settings&, const std::function<void()>&) {
  throw Error(ErrorKind::resources, "no neural network can be trained", problem(),
              "Install libdlib-dev and build elver again");
}

}  // namespace elver::evaluate::network
