#include <gmock/gmock.h>
#include <hdf5.h>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "support.hpp"

/// HDF5 files that take values from other files.
namespace elver::test {
namespace {

using ::testing::HasSubstr;

constexpr hsize_t kShape[] = {2, 3, 8};

std::vector<float> counts() {
  std::vector<float> out(48);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i * i);
  return out;
}

/// far.h5 with the array "cube", and in near.h5 the same by a link, a virtual data set, and external storage.
class Links : public ::testing::Test {
 protected:
  Links() {
    const auto held = hdf5::lock();
    {
      const hdf5::Handle far = hdf5::create_file(dir / "far.h5");
      hdf5::write<float>(far.get(), "cube", counts(), {2, 3, 8}, false);
      const hdf5::Handle linked = hdf5::create_file(dir / "linked.h5");
      H5Lcreate_external("far.h5", "/cube", linked.get(), "cube", H5P_DEFAULT, H5P_DEFAULT);
      const hdf5::Handle space(H5Screate_simple(3, kShape, nullptr));
      const hdf5::Handle made_of(H5Pcreate(H5P_DATASET_CREATE));
      H5Pset_virtual(made_of.get(), space.get(), "far.h5", "/cube", space.get());
      create("virtual.h5", made_of.get(), space.get());
      const hdf5::Handle stored(H5Pcreate(H5P_DATASET_CREATE));
      H5Pset_external(stored.get(), "far.raw", 16, 48 * sizeof(float));
      create("external.h5", stored.get(), space.get());
    }
    const std::vector<float> values = counts();
    std::ofstream raw(dir / "far.raw", std::ios::binary);
    raw << std::string(16, 'x') << std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  void create(const char* name, hid_t creation, hid_t space) const {
    const hdf5::Handle file = hdf5::create_file(dir / name);
    const hdf5::Handle dataset(H5Dcreate2(file.get(), "cube", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    ASSERT_TRUE(static_cast<bool>(dataset));
  }
  OpenOptions options(bool follow) const {
    OpenOptions out;
    out.dataset = "cube";
    out.energy_axis = "2";
    out.follow_links = follow;
    return out;
  }
  std::string refusal(const std::string& name, bool follow) const {
    try {
      const auto image = open_image(dir / name, options(follow));
      std::vector<float> tile(48);
      image->read_tile({0, 6}, {0, 8}, tile);
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::input));
      return error.what();
    }
    return "";
  }
  TempDir dir;
};

TEST_F(Links, AreRefusedUnlessTheyAreToBeFollowed) {
  for (const char* name : {"linked.h5", "virtual.h5", "external.h5"}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(refusal(name, false), HasSubstr("--follow-links"));
    EXPECT_EQ(refusal(name, true), "");
    EXPECT_THAT(refusal(name, false), HasSubstr("--follow-links"));  // again: what was followed once is not for ever
    const auto image = open_image(dir / name, options(true));
    std::vector<float> values(48);
    image->read({0, 6}, {0, 8}, std::as_writable_bytes(std::span(values)));
    EXPECT_EQ(values, counts());
  }
  EXPECT_EQ(run_elver({"convert", dir / "linked.h5", dir / "out.hspy", "--dataset", "cube", "--energy-axis", "2"}).code, 3);
  const Ran ran = run_elver({"convert", dir / "linked.h5", dir / "out.hspy", "--dataset", "cube", "--energy-axis", "2", "--follow-links"});
  EXPECT_EQ(ran.code, 0) << ran.err;
}

// HDF5 itself would give zeros.
TEST_F(Links, WhatIsMissingOrTooShortIsAnErrorNotZeros) {
  fs::remove(dir / "far.h5");
  fs::resize_file(dir / "far.raw", 100);
  EXPECT_NE(refusal("linked.h5", true), "");
  EXPECT_THAT(refusal("virtual.h5", true), HasSubstr("far.h5"));
  EXPECT_THAT(refusal("external.h5", true), HasSubstr("has 100 bytes"));
}

}  // namespace
}  // namespace elver::test
