#pragma once
#include <string>

namespace elver {

/// One of this unit in metres; 0 where it is not a length that elver knows.
double metres_in(const std::string& unit);

}  // namespace elver
