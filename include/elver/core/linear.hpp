#pragma once
#include "elver/core/host_device.hpp"

/// A sum of features with weights, in the one order that every back end keeps: the features of an edge from its first
/// to its last, from zero; then the intercept, and onto it the edges' sums in the order of the edges. Every product and
/// every sum is rounded to the lane's number type (float32 everywhere): no fused multiply-add, which not all processors
/// have.
namespace elver::core {

template <class Number>
ELVER_HD inline Number add_product(Number sum, Number weight, Number feature) {
  return sum + weight * feature;
}

}  // namespace elver::core
