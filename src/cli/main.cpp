#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/version.hpp"
#include "types/inputs.hpp"
#include "types/large_pages.hpp"

/// libhwy measures, in a constructor, for a timer that elver does not use, how finely the clock ticks: 4 ms of every start. It
/// finds this in its own function's place.
namespace hwy::platform {
std::uint64_t TimerResolution() { return 1; }
}  // namespace hwy::platform

namespace {

/// One line on stderr, whatever happened.
int fail(int code, std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fprintf(stderr, "elver: error: %s\n", message.c_str());
  return code;
}

/// Ends the program: what is still held the system takes back sooner than we could tidy it up, and every file is closed.
[[noreturn]] void leave(int code) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::exit(code);  // which looks for leaks, and says by the code that there were races
#else
  std::_Exit(code);
#endif
}

/// libhdf5 falls over some damaged files (it follows their metadata out of its buffers). What elver had begun to write is
/// hidden, and swept away by the next run; so a sentence and the code of a malformed input are all that is owed. Nothing
/// but what a signal handler may do.
extern "C" void on_memory_fault(int /*signal*/) {
  constexpr char kSaid[] =
      "elver: error: unexpected failure (a memory fault, most likely over a damaged file). Copy the file again from its source, or report it with the file\n";
  static_cast<void>(!::write(STDERR_FILENO, kSaid, sizeof kSaid - 1));
  ::_exit(3);
}

void speak_of_memory_faults() {
  static std::array<std::byte, 64 << 10> stack;  // the program's own may be what is exhausted
  const stack_t other{stack.data(), 0, stack.size()};
  struct sigaction ours {};
  ours.sa_handler = on_memory_fault;
  ours.sa_flags = ::sigaltstack(&other, nullptr) == 0 ? SA_ONSTACK : 0;
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) {  // the last: the allocator met what was overwritten
    struct sigaction now {};
    const bool free = ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;  // else a sanitizer's
    if (free) ::sigaction(signal, &ours, nullptr);
  }
}

/// Memory that is let go of is asked for again soon, tile by tile and picture by picture: fresh pages from the system cost more
/// than what is done with them. So some tens of megabytes are kept, and the first of them come as large pages.
void keep_memory() {
#ifdef __GLIBC__
  constexpr std::size_t kAtFirst = 16 << 20;
  ::mallopt(M_MMAP_THRESHOLD, 2 * kAtFirst);
  ::mallopt(M_TRIM_THRESHOLD, 4 * kAtFirst);
  void* const first = std::malloc(kAtFirst);
  elver::ask_for_large_pages(first, kAtFirst);
  std::free(first);
#endif
}

/// Where standard input, output or error is closed, the next file to be opened would take its number, and what is printed would
/// go into it. Printing is refused as before: /dev/null is open for reading there.
void fill_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(number, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(::open("/dev/null", number == STDERR_FILENO ? O_WRONLY : O_RDONLY));
  }
}

/// What to do about words that the command line does not know.
std::string todo_about(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] == '-' && ::access(argv[i], F_OK) == 0)
      return std::string("A name that begins with - reads like an option: write ./") + argv[i];
  }
  return "Try: elver --help";
}

/// Done, if what was printed has arrived.
int finish(int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) leave(code);
  const std::string why = std::strerror(errno != 0 ? errno : EIO);
  return fail(5, "cannot write to standard output (" + why + "). Check where it goes to, and the space left there");
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  keep_memory();
  speak_of_memory_faults();
  CLI::App program{"elver: maps of Li, transition metals and defects from EELS spectrum images", "elver"};
  program.require_subcommand(1);
  program.set_version_flag("--version", [] { return "elver " + elver::version() + "\n" + elver::build_summary(); });
  program.footer("Example: elver map cathode.dm3 --model samples/nmc.elver --out maps\n"
                 "Exit codes: 0 done; 2 usage; 3 unreadable input; 4 input and model do not fit; 5 cannot write;\n"
                 "6 not enough memory or no device; 130 interrupted.");
  using namespace elver::cli;
  for (auto* add : {add_info, add_convert, add_calibrate, add_background, add_detect, add_features, add_predict, add_model, add_train, add_evaluate,
                    add_library, add_compare, add_phantom, add_map, add_explain, add_overlay, add_check, add_devices, add_bench, add_formats}) {
    add(program);
  }
  command_line() = quoted_words(argc, argv);
  const elver::KeepInputs inputs;
  try {
    program.parse(argc, argv);
    return finish(0);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return finish(program.exit(error));  // --help, --version
    return fail(2, std::string(error.what()) + ". " + todo_about(argc, argv));
  } catch (const elver::Error& error) {
    return fail(static_cast<int>(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(6, "not enough memory (an allocation failed). Lower --threads or give --memory");
  } catch (const std::exception& error) {
    return fail(3, std::string("unexpected failure (") + error.what() + "). Please report it with the file");
  }
}
