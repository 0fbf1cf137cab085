#include <sys/stat.h>

#include <limits>

#include "dm_writer.hpp"
#include "elver/library.hpp"
#include "elver/model.hpp"
#include "io_support.hpp"

// Whatever the bytes: an image whose values can be read, or one Error{input}. Nothing else, and no allocation that the
// file's own size does not justify (the sanitizers and fuzzers watch over the rest).
namespace elver {
namespace {

using test::bytes_of;
using test::DmImage;
using test::DmWriter;
using test::refusal_of;
using ::testing::HasSubstr;


/// Opens these bytes and reads all that can be read. False when they are refused.
bool survives(const Reader& reader, const std::string& content) {
  try {
    File file = read_with(reader, bytes_of(content), "test", {});
    finish_file(file, {});
    EXPECT_FALSE(info_json(file).empty());
    for (const auto& image : file.images) {
      if (image->info().refusal.empty()) test::tile_of(*image);
    }
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::input)) << error.what();
    return false;
  }
}

void expect_no_byte_matters(const Reader& reader, const std::string& content) {
  ASSERT_TRUE(survives(reader, content));
  for (std::size_t i = 0; i < content.size(); ++i) {
    survives(reader, content.substr(0, i));
    for (const char byte : {'\x00', '\x01', '\x7F', '\x80', '\xFF'}) {
      std::string changed = content;
      changed[i] = byte;
      survives(reader, changed);
    }
  }
}

DmImage small_cube(const DmWriter& writer) {
  DmImage image;
  image.axes = {{2, 0, 0.5, "nm"}, {1, 0, 0.5, "nm"}, {3, -100, 1, "eV"}};
  image.data_tag = writer.array("Data", std::vector<float>(6, 1.0F));
  return image;
}

TEST(Malformed, AnyByteOfADmFileMayBeWrong) {
  for (const int version : {3, 4}) {
    const DmWriter writer(version, version == 3);
    expect_no_byte_matters(dm_reader, writer.file_of({small_cube(writer)}));
  }
}

TEST(Malformed, ATruncatedDmFileIsRefusedWherever) {
  const DmWriter writer(3, true);
  const std::string whole = writer.file_of({small_cube(writer)});
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {  // its last 8 bytes say nothing
    ASSERT_FALSE(survives(dm_reader, whole.substr(0, size))) << size;
  }
}

std::string refusal(const std::string& content) {
  return refusal_of(ErrorKind::input, [&] {
    File file = read_with(dm_reader, bytes_of(content), "cube.dm4", {});
    finish_file(file, {});
  });
}

TEST(Malformed, AbsurdDmSizesAreRefusedInWords) {
  const DmWriter writer(4, true);
  const auto with_sizes = [&](std::vector<std::int64_t> sizes) {
    DmImage image = small_cube(writer);
    image.axes.resize(sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) image.axes[i].size = sizes[i];
    return writer.file_of({image});
  };
  EXPECT_THAT(refusal(with_sizes({2, 1, -3})), HasSubstr("size -3"));
  EXPECT_THAT(refusal(with_sizes({2, 0, 3})), HasSubstr("size 0"));
  EXPECT_THAT(refusal(with_sizes({2, 1, 4})), HasSubstr("24 bytes"));
  EXPECT_THAT(refusal(with_sizes({2147483647, 2147483647, 2147483647})), HasSubstr("do not fit"));
  EXPECT_THAT(refusal(with_sizes({6, 1, 1, 1, 1, 1, 1, 1, 1})), HasSubstr("more than 8"));
  EXPECT_THAT(refusal(writer.file({})), HasSubstr("no image"));
}

TEST(Malformed, AbsurdDmTagsAreRefusedInWords) {
  const DmWriter writer(4, true);
  const auto root_of = [&](const std::string& tag) { return writer.file({tag}); };
  const auto group_of = [&](std::int64_t tags) {
    return root_of(writer.tag(20, "a", std::string(2, '\0') + writer.word(tags)));
  };
  EXPECT_THAT(refusal(group_of(std::numeric_limits<std::int64_t>::max())), HasSubstr("9223372036854775807 tags"));
  EXPECT_THAT(refusal(group_of(std::numeric_limits<std::int64_t>::min())), HasSubstr("negative"));
  const auto array_of = [&](std::int64_t code, std::int64_t count) {
    return root_of(
        writer.tag(21, "a", "%%%%" + writer.word(3) + writer.word(20) + writer.word(code) + writer.word(count)));
  };
  EXPECT_THAT(refusal(array_of(7, std::numeric_limits<std::int64_t>::max())), HasSubstr("absurdly large"));
  EXPECT_THAT(refusal(array_of(10, std::int64_t{1} << 62)), HasSubstr("the file ends within"));
  EXPECT_THAT(refusal(array_of(99, 1)), HasSubstr("unknown type code 99"));
  EXPECT_THAT(refusal(root_of(writer.tag(21, "a", "####"))), HasSubstr("mark"));
  EXPECT_THAT(refusal(root_of(writer.tag(7, "a", "content"))), HasSubstr("unknown kind 7"));
  std::string nested = writer.group("", {});
  for (int i = 0; i < 1000; ++i) nested = writer.group("", {nested});
  EXPECT_THAT(refusal(root_of(nested)), HasSubstr("nested deeper"));
  // An array of arrays of arrays ...
  std::string type;
  for (int i = 0; i < 1000; ++i) type += writer.word(20);
  EXPECT_THAT(refusal(root_of(writer.tag(21, "a", "%%%%" + writer.word(1000) + type))), HasSubstr("nested too deep"));
}

TEST(Malformed, AnUnusableAxisIsRefusedButNotTheOtherImages) {
  const DmWriter writer(3, true);
  DmImage bad = small_cube(writer);
  bad.axes[0].scale = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(writer.file_of({bad})), HasSubstr("axis \"x\" has scale nan"));
  File file = read_with(dm_reader, bytes_of(writer.file_of({bad, small_cube(writer)})), "two.dm3", {});
  finish_file(file, {});
  EXPECT_THAT(file.images[0]->info().refusal, HasSubstr("scale"));
  EXPECT_EQ(file.images[1]->info().refusal, "");
}

TEST(Malformed, AnyByteOfAnNpyFileMayBeWrong) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }\n";
  expect_no_byte_matters(npy_reader, std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' +
                                       header + std::string(24, '\x01'));
}

TEST(Malformed, AnyByteOfAnMsaFileMayBeWrong) {
  expect_no_byte_matters(
      msa_reader,
      "#FORMAT : EMSA/MAS Spectral Data File\r\n#NPOINTS : 3\r\n#DATATYPE : XY\r\n#XPERCHAN : 0.5\r\n"
      "#OFFSET : 100\r\n#XUNITS : eV\r\n#SPECTRUM\r\n100, 1\r\n100.5, 2\r\n101, 3\r\n#ENDOFDATA\r\n");
}

TEST(Malformed, WhatIsNoFileIsSaidInOneSentence) {
  const test::TempDir dir;
  const auto refused = [&](const std::filesystem::path& path) {
    return refusal_of(ErrorKind::input, [&] { open_file(path); });
  };
  EXPECT_THAT(refused(dir.path()), HasSubstr("it is a folder"));
  EXPECT_THAT(refused(dir / "missing.dm3"), HasSubstr("No such file"));
  EXPECT_THAT(refused(test::write_text(dir / "empty.dm3", "")), HasSubstr("it is empty"));
  EXPECT_THAT(refused(test::write_text(dir / "a.dm3", "hello world")), HasSubstr("no format that elver knows"));
  // A pipe that nobody writes into: said at once, not waited for; whoever opens it.
  const std::string pipe = (dir / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refused(pipe), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { load_model(pipe); }), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { make_model(pipe); }), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { load_library(pipe); }), HasSubstr("not a regular file"));
  EXPECT_THAT(refused(test::write_text(dir / "a.dm5", "\x89HDF\r\n\x1a\n")), HasSubstr("cannot read"));
}

// Linux answers a read behind the end of a mapped file with a signal that would end the program.
TEST(Malformed, AFileThatBecomesShorterIsAnErrorNotACrash) {
  const test::TempDir dir;
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (64, 64, 64), }\n";
  const std::string path = test::write_text(dir / "cube.npy", std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' +
                                                                  header + std::string(std::size_t{4} << 18, '\x01')).string();
  const std::unique_ptr<Image> image = open_image(path);
  std::vector<float> tile(64 * 64 * 64);
  image->read_tile({0, 4096}, {0, 64}, tile);
  std::filesystem::resize_file(path, 5000);
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { image->read_tile({0, 4096}, {0, 64}, tile); }),
              testing::AllOf(HasSubstr("cube.npy"), HasSubstr("become shorter")));
  std::vector<std::byte> values(tile.size() * 4);
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { image->read({0, 4096}, {0, 64}, values); }), HasSubstr("become shorter"));
}

}  // namespace
}  // namespace elver
