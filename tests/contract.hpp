#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

/// How often a contract held, for the table of bench/contracts.py: a line for each case that was compared and equal.
namespace elver::test {

/// `law`: "margins", ...; `on`: what was held against the plain path; `shape`: what sets this case apart; `values`: numbers
/// compared bit for bit. Nothing is noted in a test that has failed, where `on` is "", or where nobody
/// asks ($ELVER_CONTRACTS, a file).
inline void held(const std::string& law, const std::string& on, const std::string& shape, std::uint64_t values) {
  const char* const path = std::getenv("ELVER_CONTRACTS");
  if (path == nullptr || on.empty() || ::testing::Test::HasFailure()) return;
  std::ostringstream line;
  line << law << '\t' << on << '\t' << shape << '\t' << values << '\n';
  std::ofstream(path, std::ios::app) << line.str();
}

}  // namespace elver::test
