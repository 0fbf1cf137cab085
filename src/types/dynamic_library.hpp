#pragma once
#include <string>
#include <type_traits>

namespace elver {

/// A shared library that is looked for and opened at run time, and stays open: its threads may outlive us.
class DynamicLibrary {
 public:
  /// The file that the environment variable names and no other; where it names none: `configured` (may be empty),
  /// ../lib beside the program, and wherever the system keeps libraries.
  DynamicLibrary(const char* variable, const std::string& configured, const std::string& file);

  const std::string& path() const { return path_; }        ///< where it was found; "" if it was not
  const std::string& problem() const { return problem_; }  ///< why it cannot be used; "" if it was found

  /// Sets the function, null where the library lacks it; whether it has it.
  template <class Function>
  bool resolve(Function& function, const char* name) const {
    static_assert(std::is_pointer_v<Function>);
    function = reinterpret_cast<Function>(symbol(name));
    return function != nullptr;
  }

 private:
  void* symbol(const char* name) const;
  void* handle_ = nullptr;
  std::string path_, problem_;
};

}  // namespace elver
