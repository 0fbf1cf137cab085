#pragma once
#include <cstdio>
#include <string>

namespace elver {

/// Text by a printf format, for error messages and labels (g++ 12 has no std::format). Not affected by locale as long
/// as nobody calls setlocale, which elver does not.
template <class... Values>
std::string text(const char* format, Values... values) {
  const int size = std::snprintf(nullptr, 0, format, values...);
  std::string out(static_cast<std::size_t>(size), '\0');
  std::snprintf(out.data(), out.size() + 1, format, values...);
  return out;
}

}  // namespace elver
