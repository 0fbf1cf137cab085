#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "io_support.hpp"
#include "types/memory.hpp"

namespace elver {
namespace {

using test::refusal_of;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1 << 20;

// 128 MiB asked for, 40 held, 16 for what comes between: 72 for the work. 8 are the least that is worth beginning with.
TEST(Memory, OfTheWorkIsWhatTheProgramLeaves) {
  EXPECT_EQ(memory_for_work(128 * kMiB, 40 * kMiB), 72 * kMiB);
  EXPECT_EQ(memory_for_work(64 * kMiB, 40 * kMiB), 8 * kMiB);
  const std::string said = refusal_of(ErrorKind::resources, [] { memory_for_work(64 * kMiB - 1, 40 * kMiB); });
  EXPECT_THAT(said, AllOf(HasSubstr("--memory 64M is too little"), HasSubstr("itself takes 56 MiB"), HasSubstr("Give 64M or more")));
  refusal_of(ErrorKind::resources, [] { memory_for_work(1, 40 * kMiB); });
}

TEST(Memory, IsSharedOut) {
  RunContext context;
  EXPECT_EQ(less_memory(context, 100 * kMiB, 1, "maps need").memory_bytes, 0U) << "no limit stays none";
  context.memory_bytes = 72 * kMiB;
  context.threads = 3;
  const RunContext left = less_memory(context, 60 * kMiB, 12 * kMiB, "maps need");
  EXPECT_EQ(left.memory_bytes, 12 * kMiB);
  EXPECT_EQ(left.threads, 3U);
  EXPECT_THAT(refusal_of(ErrorKind::resources, [&] { less_memory(context, 60 * kMiB, 13 * kMiB, "maps need"); }),
              AllOf(HasSubstr("maps need 73 MiB"), HasSubstr("72 are left"), HasSubstr("by 1M")));
}

#ifdef __linux__
// Pages count once they are written, and until they are given back. An eighth for what else happens meanwhile.
TEST(Memory, ThatIsHeldIsWhatWasWritten) {
  const std::uint64_t before = resident_bytes();
  ASSERT_GT(before, kMiB);
  {
    const std::vector<char> held(64 * kMiB, 1);
    EXPECT_NEAR(static_cast<double>(resident_bytes() - before), 64.0 * kMiB, 8.0 * kMiB);
  }
  EXPECT_LT(resident_bytes(), before + 8 * kMiB);
}

struct Used {
  int code = -1;
  std::uint64_t most_bytes = 0;
};

/// Runs the program; the most memory that it held, as GNU time says it.
Used run_measured(std::vector<std::string> words) {
  words.insert(words.begin(), ELVER_PROGRAM);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv(ELVER_PROGRAM, arguments.data());
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, static_cast<std::uint64_t>(used.ru_maxrss) * 1024};
}

/// 300 MB of zeros that take no disk: 1000 channels of 384 x 400 pixels, channels or pixels first.
std::vector<std::string> large_file(const test::TempDir& dir, bool energy_major) {
  std::string header = std::string("{'descr': '<u2', 'fortran_order': False, 'shape': (") +
                       (energy_major ? "1000, 384, 400" : "384, 400, 1000") + "), }";
  header.resize(117, ' ');
  const std::string path = (dir / (energy_major ? "energy.npy" : "pixel.npy")).string();
  test::write_text(path, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n");
  std::filesystem::resize_file(path, 128 + std::uint64_t{2} * 1000 * 384 * 400);
  std::vector<std::string> words{path, "--offset-ev", "450", "--dispersion-ev", "0.5"};
  if (energy_major) words.insert(words.end(), {"--energy-axis", "0"});
  return words;
}

TEST(Memory, IsWhatWasAskedFor) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory counts, too";
#endif
  const test::TempDir dir;
  for (const bool energy_major : {false, true}) {
    const std::vector<std::string> file = large_file(dir, energy_major);
    for (const std::uint64_t memory : {128, 192}) {
      std::vector<std::string> words{"map"};
      words.insert(words.end(), file.begin(), file.end());
      words.insert(words.end(), {"--model", ELVER_SOURCE_DIR "/samples/nmc.elver", "--out", (dir / "maps").string(), "--quiet",
                                 "--threads", "2", "--memory", std::to_string(memory) + "M"});
      const Used used = run_measured(words);
      EXPECT_EQ(used.code, 0);
      EXPECT_LE(used.most_bytes, memory * kMiB) << (energy_major ? "channels" : "pixels") << " first, " << used.most_bytes / kMiB << " of " << memory << " MiB";
    }
  }
}

// Without --memory: two stretches, maps and program, not the file.
TEST(Memory, DoesNotHoldAMappedFile) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory counts, too";
#endif
  const test::TempDir dir;
  std::vector<std::string> words{"detect"};
  const std::vector<std::string> file = large_file(dir, true);
  words.insert(words.end(), file.begin(), file.end());
  words.insert(words.end(), {"--edge", "Mn_L", "--out", (dir / "maps").string(), "--quiet", "--threads", "2"});
  const Used used = run_measured(words);
  EXPECT_EQ(used.code, 0);
  EXPECT_LT(used.most_bytes, 256 * kMiB) << used.most_bytes / kMiB;
}
#endif

}  // namespace
}  // namespace elver
