#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "elver/image.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_chunks.hpp"
#include "io/strided_image.hpp"

namespace elver {

/// The number type of a data set, and in `refusal` why its values cannot be read: complex, RGB, text, ragged, or
/// compressed with a filter that is not at hand.
NumberType number_type(hid_t dataset, std::string& refusal);

/// The in-memory HDF5 type of a number type (a boolean's is int8); invalid for complex and RGB.
hid_t memory_type(NumberType type);

/// An image whose values lie in an HDF5 data set. Where they lie in one piece, as numbers of this machine's kinds, the file is
/// mapped and HDF5 no longer asked. Stretches unpack each chunk once, side by side (hdf5_chunks.hpp). Tiles
/// without one that follow each other unpack each chunk once as long as a row of chunks fits the cache (a quarter of the
/// machine's memory, 1 GiB at most).
class Hdf5Image : public Image {
 public:
  /// `places`: for each axis of `info` its place in the data set, in whatever order; places that no axis has are of size
  /// 1. The data set must not be open meanwhile: its chunk cache would be that of the first who opened it.
  Hdf5Image(ImageInfo info, hid_t location, const std::string& path, std::vector<std::size_t> places);
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override;
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override;
  void stay_within(std::uint64_t bytes) const override;
  Grain grain() const override;
  std::unique_ptr<Stretch> stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const override;
  bool channels_first() const override { return plain_ && plain_->channels_first(); }
  void read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override;

 private:
  struct Box;
  std::vector<Box> boxes(PixelRange pixels) const;
  void read_box(const Box& box, ChannelRange channels, std::byte* out) const;
  template <class Out>
  void read_arranged(const Box& box, ChannelRange channels, Out* out, std::size_t pixel_step,
                     std::size_t channel_step) const;
  void check(PixelRange pixels, ChannelRange channels, std::size_t values) const;

  struct Cache {
    std::size_t bytes = 0, chunks = 0;
    std::vector<hsize_t> chunk;  ///< its extent; empty where there are none
  };
  static Cache cache_for(hid_t dataset, const std::vector<hsize_t>& dims, std::size_t first_navigation);

  hdf5::Handle file_;
  std::string path_;     ///< of the data set in the file
  mutable Cache cache_;  ///< of unpacked chunks
  std::optional<ChunkLayout> chunks_;  ///< where elver unpacks them itself
  std::unique_ptr<const StridedImage> plain_;  ///< where they lie in one piece
  mutable hdf5::Handle dataset_;
  std::vector<hsize_t> navigation_;  ///< sizes of the navigation axes, C order
  std::vector<std::size_t> places_;  ///< of the axes in the data set
  std::size_t rank_ = 0;             ///< of the data set
};

}  // namespace elver
