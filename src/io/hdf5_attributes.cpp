#include <algorithm>
#include <charconv>
#include <cstdint>

#include "io/hdf5.hpp"
#include "types/text.hpp"

namespace elver::hdf5 {
namespace {

/// An attribute of at most so many values of reasonable size, or nothing.
Handle open_attribute(hid_t object, const std::string& name, hssize_t most = 1) {
  if (!has_attribute(object, name)) return {};
  Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT));
  if (!attribute) return {};
  const Handle space(H5Aget_space(attribute.get()));
  const Handle type(H5Aget_type(attribute.get()));
  const hssize_t count = space ? H5Sget_simple_extent_npoints(space.get()) : 0;
  if (!type || count < 1 || count > most || H5Tget_size(type.get()) > (1U << 20)) return {};
  return attribute;
}

std::string trimmed(std::string value, hid_t type) {
  value.resize(std::min(value.find('\0'), value.size()));
  if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) value.resize(value.find_last_not_of(' ') + 1);
  return value;
}

void write_attribute(hid_t object, const std::string& name, hid_t type, const void* value) {
  const auto held = lock();
  if (has_attribute(object, name)) H5Adelete(object, name.c_str());
  const Handle space(H5Screate(H5S_SCALAR));
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute || H5Awrite(attribute.get(), type, value) < 0) fail_write(object);
}

}  // namespace

bool has_attribute(hid_t object, const std::string& name) {
  const auto held = lock();
  return H5Aexists(object, name.c_str()) > 0;
}

std::string string_attribute(hid_t object, const std::string& name, const std::string& otherwise) {
  const auto held = lock();
  const Handle attribute = open_attribute(object, name);
  if (!attribute) return otherwise;
  const Handle type(H5Aget_type(attribute.get()));
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind == H5T_INTEGER || kind == H5T_FLOAT) return text("%.15g", number_attribute(object, name, 0));
  const std::vector<std::string> found = string_list_attribute(object, name);
  return found.empty() ? otherwise : found.front();
}

std::vector<std::string> string_list_attribute(hid_t object, const std::string& name) {
  constexpr hssize_t kMost = 1024;
  const auto held = lock();
  const Handle attribute = open_attribute(object, name, kMost);
  if (!attribute) return {};
  const Handle type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
  if (H5Tget_class(type.get()) != H5T_STRING) return {};
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get()));
  if (H5Tis_variable_str(type.get()) > 0) return read_attribute_texts(attribute.get(), count);
  const std::size_t size = H5Tget_size(type.get());
  std::string bytes(count * size, '\0');
  if (H5Aread(attribute.get(), type.get(), bytes.data()) < 0) return {};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(trimmed(bytes.substr(i * size, size), type.get()));
  return out;
}

double number_attribute(hid_t object, const std::string& name, double otherwise) {
  const auto held = lock();
  const Handle attribute = open_attribute(object, name);
  if (!attribute) return otherwise;
  const Handle type(H5Aget_type(attribute.get()));
  double value = otherwise;
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_ENUM:  // h5py's bool
      return H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &value) >= 0 ? value : otherwise;
    case H5T_STRING: {
      const std::string word = string_attribute(object, name);
      const auto [rest, code] = std::from_chars(word.data(), word.data() + word.size(), value);
      return code == std::errc{} && rest == word.data() + word.size() ? value : otherwise;
    }
    default:
      return otherwise;
  }
}

void set_attribute(hid_t object, const std::string& name, const std::string& value) {
  set_attribute(object, name, value.c_str());
}

void set_attribute(hid_t object, const std::string& name, const char* value) {
  const auto held = lock();
  const Handle type = text_type();
  write_attribute(object, name, type.get(), &value);
}

void set_attribute(hid_t object, const std::string& name, double value) {
  const auto held = lock();
  write_attribute(object, name, H5T_NATIVE_DOUBLE, &value);
}

void set_attribute(hid_t object, const std::string& name, long long value) {
  const auto held = lock();
  write_attribute(object, name, H5T_NATIVE_LLONG, &value);
}

void set_attribute(hid_t object, const std::string& name, bool value) {
  const auto held = lock();
  const Handle type = boolean_type();
  const std::int8_t number = value ? 1 : 0;
  write_attribute(object, name, type.get(), &number);
}

}  // namespace elver::hdf5
