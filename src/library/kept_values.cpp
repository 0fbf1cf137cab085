#include "library/kept_values.hpp"

#include <algorithm>
#include <cmath>

namespace elver {
namespace {

/// The data set with all its rows in one value; nothing of a kind that is not kept.
std::optional<KeptValue> read_value(hid_t group, const std::string& name) {
  const auto held = hdf5::lock();
  const hdf5::Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT));
  if (!object || H5Iget_type(object.get()) != H5I_DATASET) return std::nullopt;
  const hdf5::Handle dataset = hdf5::open_dataset(group, name), type(H5Dget_type(dataset.get()));
  KeptValue out;
  for (const hsize_t n : hdf5::shape(dataset.get())) out.shape.push_back(n);
  switch (H5Tget_class(type.get())) {
    case H5T_STRING:
      out.words = hdf5::read_strings(group, name);
      return out;
    case H5T_FLOAT:
      out.numbers = hdf5::read<double>(group, name);
      return out;
    case H5T_INTEGER:
      out.whole = true;
      for (const long long value : hdf5::read<long long>(group, name))
        out.numbers.push_back(static_cast<double>(value));
      return out;
    default:
      return std::nullopt;
  }
}

void write_value(hid_t root, const std::string& path, const KeptValue& value) {
  const std::vector<hsize_t> dims(value.shape.begin(), value.shape.end());
  if (!value.words.empty()) {
    hdf5::write_strings(root, path, value.words);
  } else if (value.whole) {
    hdf5::write<long long>(root, path, std::vector<long long>(value.numbers.begin(), value.numbers.end()), dims);
  } else {
    hdf5::write<double>(root, path, value.numbers, dims);
  }
}

void write_list(hid_t object, const std::string& name, const std::vector<std::string>& words) {
  const auto held = hdf5::lock();
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  const hsize_t count = words.size();
  const hdf5::Handle type = hdf5::text_type(), space(H5Screate_simple(1, &count, nullptr));
  const hdf5::Handle attribute(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute || H5Awrite(attribute.get(), type.get(), pointers.data()) < 0) hdf5::fail_write(object);
}

std::size_t size_of(const std::vector<std::size_t>& shape) {
  std::size_t out = 1;
  for (const std::size_t n : shape) out *= n;
  return out;
}

/// One column of all spectra, from what each has of it.
KeptValue column_of(const std::string& name, std::span<const SpectrumTable> spectra) {
  KeptValue out;
  const KeptValue* first = nullptr;
  for (const SpectrumTable& s : spectra) {
    const auto found = s.kept.find(name);
    if (found != s.kept.end() && first == nullptr) first = &found->second;
  }
  const bool text = !first->words.empty();
  out.whole = !text;
  out.shape = first->shape;
  out.shape.insert(out.shape.begin(), spectra.size());
  const std::size_t each = size_of(first->shape);
  for (const SpectrumTable& s : spectra) {
    const auto found = s.kept.find(name);
    const bool fits =
        found != s.kept.end() && found->second.shape == first->shape && found->second.words.empty() != text;
    if (text) {
      out.words.push_back(fits ? found->second.words.front() : "");
    } else if (fits) {
      out.whole = out.whole && found->second.whole;
      out.numbers.insert(out.numbers.end(), found->second.numbers.begin(), found->second.numbers.end());
    } else {
      out.whole = false;
      out.numbers.insert(out.numbers.end(), each, std::nan(""));
    }
  }
  return out;
}

}  // namespace

KeptValues read_kept(hid_t group, const std::set<std::string>& known) {
  KeptValues out;
  for (const std::string& name : hdf5::children(group)) {
    if (known.contains(name)) continue;
    if (std::optional<KeptValue> value = read_value(group, name)) out.emplace(name, std::move(*value));
  }
  return out;
}

void write_kept(hid_t root, const std::string& where, const KeptValues& values) {
  for (const auto& [name, value] : values) write_value(root, where + "/" + name, value);
}

void read_kept_columns(hid_t group, const std::set<std::string>& known, std::size_t points,
                       std::span<SpectrumTable> spectra) {
  const std::size_t n = spectra.size();
  for (const auto& [name, all] : read_kept(group, known)) {
    const bool text = !all.words.empty();
    if (all.shape.empty() || all.shape[0] != n || n == 0 || (text && all.shape.size() > 1)) continue;  // no column
    const std::vector<std::size_t> row(all.shape.begin() + 1, all.shape.end());
    const auto each = static_cast<std::ptrdiff_t>(size_of(row));
    for (std::size_t i = 0; i < n; ++i) {
      if (text) {
        spectra[i].kept[name] = {{}, {all.words[i]}, {}, false};
        continue;
      }
      const auto from = all.numbers.begin() + static_cast<std::ptrdiff_t>(i) * each;
      if (!all.whole && row.size() == 1 && row[0] == points) {
        std::vector<float>& curve = spectra[i].curves[name];
        std::transform(from, from + each, std::back_inserter(curve), [](double v) { return static_cast<float>(v); });
      } else {
        spectra[i].kept[name] = {{from, from + each}, {}, row, all.whole};
      }
    }
  }
}

void write_kept_columns(hid_t root, const std::string& where, std::size_t points,
                        std::span<const SpectrumTable> spectra) {
  std::set<std::string> columns, curves;
  for (const SpectrumTable& s : spectra) {
    for (const auto& [name, value] : s.kept) columns.insert(name);
    for (const auto& [name, value] : s.curves) curves.insert(name);
  }
  for (const std::string& name : curves) {
    columns.erase(name);
    std::vector<float> rows;
    for (const SpectrumTable& s : spectra) {
      const auto found = s.curves.find(name);
      if (found != s.curves.end())
        rows.insert(rows.end(), found->second.begin(), found->second.end());
      else
        rows.insert(rows.end(), points, std::nanf(""));
    }
    hdf5::write<float>(root, where + "/" + name, rows, {spectra.size(), points});
  }
  for (const std::string& name : columns) write_value(root, where + "/" + name, column_of(name, spectra));
}

KeptValues read_kept_attributes(hid_t object, const std::set<std::string>& known) {
  std::vector<std::string> names;
  const auto held = hdf5::lock();
  const auto take = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, take, &names);
  KeptValues out;
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    const hdf5::Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT)), type(H5Aget_type(attribute.get()));
    KeptValue value;
    const H5T_class_t kind = H5Tget_class(type.get());
    if (kind == H5T_STRING) value.words = hdf5::string_list_attribute(object, name);
    if (kind == H5T_INTEGER || kind == H5T_FLOAT) {
      const double number = hdf5::number_attribute(object, name, std::nan(""));
      if (!std::isnan(number)) value.numbers = {number};
      value.whole = kind == H5T_INTEGER;
    }
    if (!value.words.empty() || !value.numbers.empty()) out.emplace(name, std::move(value));
  }
  return out;
}

void write_kept_attributes(hid_t object, const KeptValues& values) {
  for (const auto& [name, value] : values) {
    if (hdf5::has_attribute(object, name)) continue;
    if (value.words.size() == 1) {
      hdf5::set_attribute(object, name, value.words.front());
    } else if (value.words.size() > 1) {
      write_list(object, name, value.words);
    } else if (value.whole) {
      hdf5::set_attribute(object, name, static_cast<long long>(value.numbers.front()));
    } else {
      hdf5::set_attribute(object, name, value.numbers.front());
    }
  }
}

}  // namespace elver
