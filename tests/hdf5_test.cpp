#include "io/hdf5.hpp"

#include <thread>

#include <gmock/gmock.h>
#include "elver/error.hpp"
#include "support.hpp"

namespace elver {
namespace {

using test::TempDir;

template <class Call>
std::string error_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

template <class Number>
void expect_round_trip(const std::filesystem::path& path, const std::vector<Number>& values,
                       const std::vector<hsize_t>& dims) {
  {
    hdf5::Handle file = hdf5::create_file(path.string());
    hdf5::write<Number>(file.get(), "a/b/values", values, dims);
    hdf5::close_file(std::move(file));
  }
  const hdf5::Handle file = hdf5::open_file(path.string());
  EXPECT_EQ(hdf5::shape(hdf5::open_dataset(file.get(), "a/b/values").get()), dims);
  EXPECT_EQ(hdf5::read<Number>(file.get(), "/a/b/values"), values);
}

TEST(Hdf5, NumbersComeBackAsTheyWentIn) {
  const TempDir dir;
  expect_round_trip<float>(dir / "f", {1.5F, -2, 0}, {3});
  expect_round_trip<double>(dir / "d", {0.1}, {});
  expect_round_trip<std::uint8_t>(dir / "u8", {0, 255}, {2, 1});
  expect_round_trip<std::int64_t>(dir / "i64", {-(1LL << 62), 7}, {1, 2});
  std::vector<std::uint16_t> many(600'000);  // several chunks, compressed
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint16_t>(i * 7);
  expect_round_trip<std::uint16_t>(dir / "many", many, {3, 200, 1000});
  EXPECT_LT(std::filesystem::file_size(dir / "many"), many.size());
}

TEST(Hdf5, TextsAndAttributesComeBackAsTheyWentIn) {
  const TempDir dir;
  const std::vector<std::string> texts{"O_K", "", "Ångström"};
  {
    hdf5::Handle file = hdf5::create_file((dir / "t").string());
    hdf5::write_strings(file.get(), "names", texts);
    const hdf5::Handle group = hdf5::create_group(file.get(), "x/y");
    hdf5::set_attribute(group.get(), "title", "a map");
    hdf5::set_attribute(group.get(), "title", std::string("a better map"));
    hdf5::set_attribute(group.get(), "scale", 0.1);
    hdf5::set_attribute(group.get(), "size", 7LL);
    hdf5::set_attribute(group.get(), "navigate", true);
    hdf5::close_file(std::move(file));
  }
  const hdf5::Handle file = hdf5::open_file((dir / "t").string());
  EXPECT_EQ(hdf5::read_strings(file.get(), "names"), texts);
  const hdf5::Handle group = hdf5::open_group(file.get(), "x/y");
  EXPECT_EQ(hdf5::string_attribute(group.get(), "title"), "a better map");
  EXPECT_EQ(hdf5::string_attribute(group.get(), "absent", "none"), "none");
  EXPECT_EQ(hdf5::number_attribute(group.get(), "scale", 0), 0.1);
  EXPECT_EQ(hdf5::number_attribute(group.get(), "size", 0), 7);
  EXPECT_EQ(hdf5::number_attribute(group.get(), "navigate", 0), 1);
  EXPECT_EQ(hdf5::number_attribute(group.get(), "absent", -1), -1);
  EXPECT_EQ(hdf5::children(file.get()), (std::vector<std::string>{"names", "x"}));
  EXPECT_TRUE(hdf5::exists(file.get(), "x/y"));
  EXPECT_FALSE(hdf5::exists(file.get(), "x/z/y"));
}

TEST(Hdf5, WhatCannotBeReadIsNamedWithItsFile) {
  const TempDir dir;
  const std::string path = (dir / "t.h5").string();
  {
    hdf5::Handle file = hdf5::create_file(path);
    hdf5::write<float>(file.get(), "values", std::vector<float>{1, 2}, {2});
    hdf5::close_file(std::move(file));
  }
  EXPECT_THAT(error_of(ErrorKind::input, [&] { hdf5::open_file((dir / "absent").string()); }),
              testing::HasSubstr("No such file"));
  std::ofstream(dir / "text") << "not HDF5";
  EXPECT_THAT(error_of(ErrorKind::input, [&] { hdf5::open_file((dir / "text").string()); }),
              testing::HasSubstr("not an HDF5 file"));
  const hdf5::Handle file = hdf5::open_file(path);
  const std::string absent = error_of(ErrorKind::input, [&] { hdf5::read<float>(file.get(), "a/other"); });
  EXPECT_THAT(absent, testing::AllOf(testing::HasSubstr("t.h5"), testing::HasSubstr("a/other")));
  error_of(ErrorKind::input, [&] { hdf5::read<int>(file.get(), "values"); });
  error_of(ErrorKind::input, [&] { hdf5::read_strings(file.get(), "values"); });
  error_of(ErrorKind::input, [&] { hdf5::open_group(file.get(), "values"); });
  EXPECT_THAT(error_of(ErrorKind::output, [&] { hdf5::create_file((dir / "no" / "such.h5").string()); }),
              testing::HasSubstr("No such file"));
}

// A file of some kB that says it holds 2^60 numbers is refused before anything is allocated.
TEST(Hdf5, AbsurdShapesAreRefused) {
  const TempDir dir;
  const std::string path = (dir / "t.h5").string();
  {
    hdf5::Handle file = hdf5::create_file(path);
    const auto held = hdf5::lock();
    const hsize_t dims[2] = {1ULL << 40, 1ULL << 20}, chunk[2] = {1, 1024};
    const hdf5::Handle space(H5Screate_simple(2, dims, nullptr));
    const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_chunk(creation.get(), 2, chunk);
    H5Pset_deflate(creation.get(), 4);
    const hdf5::Handle chunked(
        H5Dcreate2(file.get(), "chunked", H5T_NATIVE_FLOAT, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
    ASSERT_TRUE(chunked);
    const hdf5::Handle bare(
        H5Dcreate2(file.get(), "bare", H5T_NATIVE_FLOAT, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    ASSERT_TRUE(bare);
    H5Lcreate_external("other.h5", "/data", file.get(), "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/elsewhere", file.get(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    hdf5::close_file(std::move(file));
  }
  const hdf5::Handle file = hdf5::open_file(path);
  EXPECT_THAT(error_of(ErrorKind::input, [&] { hdf5::read<float>(file.get(), "chunked"); }),
              testing::HasSubstr("declares"));
  error_of(ErrorKind::input, [&] { hdf5::read<float>(file.get(), "bare"); });
  EXPECT_THAT(error_of(ErrorKind::input, [&] { hdf5::read<float>(file.get(), "elsewhere"); }),
              testing::HasSubstr("another file"));
  error_of(ErrorKind::input, [&] { hdf5::read<float>(file.get(), "soft"); });
}

TEST(Hdf5, ThreadsMayReadSideBySide) {
  const TempDir dir;
  const std::string path = (dir / "t.h5").string();
  const std::vector<float> values(200'000, 3.0F);
  {
    hdf5::Handle file = hdf5::create_file(path);
    hdf5::write<float>(file.get(), "values", values, {200'000});
    hdf5::close_file(std::move(file));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10; ++k) EXPECT_EQ(hdf5::read<float>(hdf5::open_file(path).get(), "values"), values);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace elver
