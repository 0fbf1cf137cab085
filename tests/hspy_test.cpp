#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "support.hpp"

namespace elver {
namespace {

using test::TempDir;
namespace fs = std::filesystem;

Axis pixels(const std::string& name, std::uint64_t size, double scale = 0.5, double offset = -1.0) {
  return {name, "nm", scale, offset, size, AxisRole::navigation};
}
Axis energies(std::uint64_t size) { return {"Energy loss", "eV", 0.25, 440.0, size, AxisRole::energy}; }

/// An image that is held in memory: [pixel][channel], value i = i modulo 251.
class MemoryImage : public Image {
 public:
  MemoryImage(ImageInfo info) : Image(std::move(info)), bytes_(pixels() * channels() * bytes_of(this->info().type)) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i * i % 251);
    if (this->info().type == NumberType::boolean) {
      for (std::byte& b : bytes_) b &= std::byte{1};
    }
  }
  void read(PixelRange range, ChannelRange channels, std::span<std::byte> out) const override {
    const std::size_t one = bytes_of(info().type);
    for (std::uint64_t p = range.first; p < range.last; ++p) {
      std::memcpy(out.data() + (p - range.first) * channels.size() * one,
                  bytes_.data() + (p * this->channels() + channels.first) * one, channels.size() * one);
    }
  }
  void read_tile(PixelRange, ChannelRange, std::span<float>) const override { FAIL(); }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

ImageInfo an_image(const std::string& title, NumberType type, std::vector<Axis> axes) {
  ImageInfo info;
  info.title = title;
  info.type = type;
  info.axes = std::move(axes);
  return info;
}

TEST(HspyWriter, ExistsOnlyWhenCommitted) {
  const TempDir dir;
  const MemoryImage image(an_image("spectrum", NumberType::f32, {pixels("x", 3), energies(16)}));
  {
    HspyWriter writer(dir / "a.hspy");
    writer.add(header_of(image), image);
  }
  EXPECT_TRUE(fs::is_empty(dir.path())) << "an abandoned file was left behind";
  HspyWriter writer(dir / "a.hspy");
  writer.add(header_of(image), image);
  EXPECT_FALSE(fs::exists(dir / "a.hspy"));
  writer.commit();
  EXPECT_TRUE(fs::exists(dir / "a.hspy"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace elver
