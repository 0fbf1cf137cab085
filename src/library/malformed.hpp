#pragma once
#include <string>

#include "elver/error.hpp"

namespace elver {

/// Throws Error{input}: "malformed WHAT (why). todo".
[[noreturn]] inline void malformed(const std::string& what, const std::string& why, const std::string& todo = {}) {
  throw Error(ErrorKind::input, "malformed " + what, why, todo);
}

}  // namespace elver
