#pragma once
#include <stdexcept>
#include <string>

namespace elver {

/// What went wrong, for a caller that must choose; the values are the program's exit codes.
enum class ErrorKind {
  usage = 2,        ///< the request itself: an option, a window, a name
  input = 3,        ///< a file that cannot be read, or is malformed
  mismatch = 4,     ///< input and model do not fit each other
  output = 5,       ///< a result that cannot be written
  resources = 6,    ///< not enough memory, or no such device
  interrupted = 130 ///< the user asked to stop
};

/// The user's input is wrong: reads "what (why). what to do". The library throws it and never prints.
class Error : public std::runtime_error {
 public:
  /// `what` names the thing, `why` the reason with its numbers, `todo` the remedy (may be empty).
  Error(ErrorKind kind, const std::string& what, const std::string& why, const std::string& todo = {})
      : std::runtime_error(what + " (" + why + ")" + (todo.empty() ? "" : ". " + todo)), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace elver
