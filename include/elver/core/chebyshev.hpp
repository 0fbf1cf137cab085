#pragma once
#include "elver/core/host_device.hpp"

namespace elver::core {

/// One step of Clenshaw's recurrence, which sums c0 + c1 T1(u) + c2 T2(u) + ... from the highest term down:
/// {b1, b2} becomes {c + 2u b1 - b2, b1}. Source: Clenshaw, Math. Tables Aids Comput. 9 (1955) 118.
template <class T>
ELVER_HD inline void clenshaw_step(T coefficient, T two_u, T& b1, T& b2) {
  const T b0 = coefficient + two_u * b1 - b2;
  b2 = b1;
  b1 = b0;
}
/// The sum, from the state after the steps for c_n ... c_1.
template <class T>
ELVER_HD inline T clenshaw_end(T c0, T two_u, T b1, T b2) {
  return c0 + T(0.5) * two_u * b1 - b2;
}
/// The whole sum for one argument u in [-1, 1]: `count` coefficients.
template <class T>
ELVER_HD inline T chebyshev(const T* coefficients, int count, T u) {
  T b1 = 0, b2 = 0;
  const T two_u = u + u;
  for (int k = count - 1; k > 0; --k) clenshaw_step(coefficients[k], two_u, b1, b2);
  return clenshaw_end(coefficients[0], two_u, b1, b2);
}

}  // namespace elver::core
