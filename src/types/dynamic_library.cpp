#include "types/dynamic_library.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace elver {
namespace {

std::vector<std::string> places(const char* variable, const std::string& configured, const std::string& file) {
  const char* const given = std::getenv(variable);
  if (given != nullptr && *given != '\0') return {given};  // who names one means that one
  std::vector<std::string> out;
  if (!configured.empty()) out.push_back(configured);
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) out.push_back((program.parent_path().parent_path() / "lib" / file).string());
  out.push_back(file);
  return out;
}

}  // namespace

DynamicLibrary::DynamicLibrary(const char* variable, const std::string& configured, const std::string& file) {
  std::string tried;
  for (const std::string& place : places(variable, configured, file)) {
    handle_ = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      path_ = place;
      return;
    }
    const char* const why = dlerror();
    tried += (tried.empty() ? "" : "; ") + std::string(why != nullptr ? why : place);
  }
  problem_ = "it is not here: " + tried;
}

void* DynamicLibrary::symbol(const char* name) const { return handle_ == nullptr ? nullptr : dlsym(handle_, name); }

}  // namespace elver
