#include <algorithm>
#include <array>

#include "io/hdf5_image.hpp"
#include "types/text.hpp"

/// Number types of HDF5 data sets.
namespace elver {
namespace {

std::vector<std::string> members(hid_t type) {
  std::vector<std::string> names;
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    char* const name = H5Tget_member_name(type, static_cast<unsigned>(i));
    names.emplace_back(name != nullptr ? name : "");
    H5free_memory(name);
  }
  return names;
}

NumberType integer_type(hid_t type, std::string& refusal) {
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  switch (H5Tget_size(type)) {
    case 1:
      return is_signed ? NumberType::i8 : NumberType::u8;
    case 2:
      return is_signed ? NumberType::i16 : NumberType::u16;
    case 4:
      return is_signed ? NumberType::i32 : NumberType::u32;
    case 8:
      return is_signed ? NumberType::i64 : NumberType::u64;
    default:
      refusal = text("its values are integers of %zu bytes", H5Tget_size(type));
      return NumberType::i64;
  }
}

}  // namespace

hid_t memory_type(NumberType type) {
  const auto held = hdf5::lock();
  const std::array types{H5T_NATIVE_UINT8,  H5T_NATIVE_INT8,   H5T_NATIVE_UINT16, H5T_NATIVE_INT16,
                         H5T_NATIVE_UINT32, H5T_NATIVE_INT32,  H5T_NATIVE_UINT64, H5T_NATIVE_INT64,
                         H5T_NATIVE_FLOAT,  H5T_NATIVE_DOUBLE, H5T_NATIVE_INT8};  // in the order of NumberType
  const auto place = static_cast<std::size_t>(type);
  return place < types.size() ? types[place] : H5I_INVALID_HID;
}

NumberType number_type(hid_t dataset, std::string& refusal) {
  const auto held = hdf5::lock();
  const hdf5::Handle type(H5Dget_type(dataset));
  if (const std::string filter = hdf5::missing_filter(dataset); !filter.empty()) {
    refusal = "it is compressed with the filter " + filter + ", which is not at hand; install HDF5's plug-in for it, or save it with gzip";
  }
  const std::size_t size = H5Tget_size(type.get());
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
      return integer_type(type.get(), refusal);
    case H5T_FLOAT:
      return size <= 4 ? NumberType::f32 : NumberType::f64;
    case H5T_ENUM: {
      std::vector<std::string> names = members(type.get());
      std::sort(names.begin(), names.end());
      if (names == std::vector<std::string>{"FALSE", "TRUE"}) return NumberType::boolean;
      refusal = "its values are names";
      return NumberType::i8;
    }
    case H5T_COMPOUND: {
      const std::vector<std::string> names = members(type.get());
      if (names.size() == 2) {
        refusal = "its values are complex";
        return size <= 8 ? NumberType::c64 : NumberType::c128;
      }
      refusal = names.size() == 3 || names.size() == 4 ? "its values are colours (RGB)" : "its values are records";
      return NumberType::rgb;
    }
    case H5T_VLEN:
      refusal = "its values are ragged (spectra of different lengths)";
      return NumberType::f64;
    default:
      refusal = "its values are not numbers";
      return NumberType::u8;
  }
}

}  // namespace elver
