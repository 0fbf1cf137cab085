#pragma once
#include "elver/error.hpp"

namespace elver::hdf5 {

/// An object that this version of HDF5 is too old to open. No reader may take it for absent.
class Newer : public Error {
 public:
  Newer(const std::string& what, const std::string& why, const std::string& todo) : Error(ErrorKind::input, what, why, todo) {}
};

}  // namespace elver::hdf5
