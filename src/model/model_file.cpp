#include <algorithm>
#include <fstream>
#include <span>
#include <string_view>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/version.hpp"
#include "io/hdf5.hpp"
#include "io/reader.hpp"
#include "model/json_value.hpp"
#include "model/model.hpp"
#include "model/sha256.hpp"
#include "types/text.hpp"

/// NAME.elver is HDF5. The root's attributes say what it is; /recipe is the recipe as JSON text, its booster paths
/// inside the file; /boosters/TASK holds the bytes that XGBoost wrote; /numbers (since version 2) what would make the text
/// long: the recipe has {"numbers": [FIRST, COUNT]} in its place. Each carries its SHA-256. The file begins with a
/// seal, in the block that HDF5 leaves to its users: what it is, and the SHA-256 of all that follows. So a damaged file
/// is refused before the HDF5 library, which some damaged files crash, has seen it.
namespace elver {
namespace {

constexpr const char* kMark = "elver model";
constexpr int kVersion = 2;
constexpr std::size_t kManyNumbers = 64;
constexpr const char* kNumbers = "numbers";
constexpr std::size_t kSealBytes = 512;
constexpr std::string_view kSealWords = "elver model\nsha256 of what follows these 512 bytes: ";

std::string seal(std::span<const std::byte> content) {
  std::string out(kSealWords);
  out += sha256(content) + "\n";
  out.resize(kSealBytes, '\n');
  return out;
}

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const Bytes bytes = map_file(path);
  std::vector<std::byte> out(bytes.span.begin(), bytes.span.end());
  check_whole(bytes);
  return out;
}

/// Throws Error{input} unless the bytes are a model, all of it, as it was written.
void check_seal(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kSealBytes));
  if (!start.starts_with(kSealWords)) {
    throw Error(ErrorKind::input, where, "it is not a model of elver's, or one of an early version",
                "elver model make writes one from a recipe, elver train from a library");
  }
  if (bytes.size() < kSealBytes || start != seal(bytes.subspan(kSealBytes))) {
    throw Error(ErrorKind::input, where, "it is cut off or damaged: its checksum differs",
                "Fetch or make the model again");
  }
}

void check_sum(hid_t file, const std::string& path, std::span<const std::byte> bytes, const std::string& where) {
  const hdf5::Handle dataset = hdf5::open_dataset(file, path);
  if (hdf5::string_attribute(dataset.get(), "sha256") != sha256(bytes)) {
    throw Error(ErrorKind::input, where, path + " is not what was written: its checksum differs",
                "Fetch or make the model again");
  }
}

void set_sum(hid_t file, const std::string& path, std::span<const std::byte> bytes) {
  hdf5::set_attribute(hdf5::open_dataset(file, path).get(), "sha256", sha256(bytes));
}

/// Moves the long lists of numbers that are float32 out of a tree.
void take_numbers(nlohmann::ordered_json& tree, std::vector<float>& numbers) {
  const auto narrow = [](const nlohmann::ordered_json& item) {
    return item.is_number_float() && static_cast<double>(static_cast<float>(item.get<double>())) == item.get<double>();
  };
  if (tree.is_array() && tree.size() >= kManyNumbers && std::ranges::all_of(tree, narrow)) {
    const std::size_t first = numbers.size();
    for (const auto& item : tree) numbers.push_back(item.get<float>());
    tree = {{kNumbers, {first, numbers.size() - first}}};
  } else if (tree.is_structured()) {
    for (auto& item : tree) take_numbers(item, numbers);
  }
}

/// Puts them back. Throws Error{input} where there are not as many: none is meant twice.
void put_numbers(nlohmann::json& tree, std::span<const float> numbers, std::size_t& left, const std::string& where) {
  if (tree.is_object() && tree.size() == 1 && tree.contains(kNumbers)) {
    const std::vector<double> place = JsonValue(tree, where).at(kNumbers, "[FIRST, COUNT]").numbers("[FIRST, COUNT]");
    const bool inside = place.size() == 2 && place[0] >= 0 && place[1] >= 0 && place[1] <= static_cast<double>(left) &&
                        place[0] + place[1] <= static_cast<double>(numbers.size());
    if (!inside) throw Error(ErrorKind::input, where, "its recipe names numbers that it does not hold");
    const auto count = static_cast<std::size_t>(place[1]);
    const std::span<const float> meant = numbers.subspan(static_cast<std::size_t>(place[0]), count);
    tree = nlohmann::json::array_t(meant.begin(), meant.end());
    left -= count;
  } else if (tree.is_structured()) {
    for (auto& item : tree) put_numbers(item, numbers, left, where);
  }
}

}  // namespace

std::size_t Model::feature_count() const {
  std::size_t n = 0;
  for (const Edge& edge : edges) n += edge.grid.count;
  return n;
}

Model read_model(std::span<const std::byte> bytes, const std::string& where) {
  const hdf5::Handle file = hdf5::open_bytes(bytes, where);
  const hdf5::Handle root = hdf5::open_group(file.get(), "/");
  if (hdf5::string_attribute(root.get(), "format") != kMark) {
    throw Error(ErrorKind::input, where, "an HDF5 file, but not a model of elver's",
                "elver model make writes one from a recipe");
  }
  const double version = hdf5::number_attribute(root.get(), "format_version", 0);
  if (version != 1 && version != kVersion) {
    throw Error(ErrorKind::input, where, text("its format version is %g, this elver reads 1 and %d", version, kVersion),
                "Use the elver that wrote it, or a newer one");
  }
  const std::vector<std::string> recipe = hdf5::read_strings(file.get(), "recipe");
  if (recipe.size() != 1) throw Error(ErrorKind::input, where, "it holds no recipe");
  check_sum(file.get(), "recipe", std::as_bytes(std::span(recipe[0])), where);
  nlohmann::json tree = parse_json(recipe[0], where);
  if (version > 1) {
    const std::vector<float> numbers = hdf5::read<float>(file.get(), kNumbers);
    check_sum(file.get(), kNumbers, std::as_bytes(std::span(numbers)), where);
    std::size_t left = numbers.size();
    put_numbers(tree, numbers, left, where);
  }
  Model model = read_recipe(tree, where, [&](const std::string& inside) {
    std::vector<std::byte> booster = hdf5::read<std::byte>(file.get(), inside);
    check_sum(file.get(), inside, booster, where);
    return Booster::parse(std::move(booster), where + ": " + inside);
  });
  model.sha256 = sha256(bytes);
  return model;
}

Model load_model(const std::filesystem::path& path) {
  const std::string where = "model " + path.string();
  const std::vector<std::byte> bytes = read_file(path);
  check_seal(bytes, where);
  return read_model(bytes, where);
}

void save_model(const Model& model, const std::filesystem::path& path) {
  validate(model, "model " + model.name);
  const auto inside = [](const Task& task) { return "boosters/" + task.name; };
  nlohmann::ordered_json tree = recipe_json(model, inside);
  std::vector<float> numbers;
  take_numbers(tree, numbers);
  const std::string recipe = tree.dump(2);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::output, "cannot write " + path.string(), "there is no folder " + folder.string(),
                "Make it first");
  }
  OutputSet output(folder);
  const std::filesystem::path staged = output.stage(path.filename().string());
  hdf5::Handle file = hdf5::create_file(staged.string(), kSealBytes);
  {
    const hdf5::Handle root = hdf5::open_group(file.get(), "/");
    hdf5::set_attribute(root.get(), "format", kMark);
    hdf5::set_attribute(root.get(), "format_version", static_cast<long long>(numbers.empty() ? 1 : kVersion));
    hdf5::set_attribute(root.get(), "name", model.name);
    hdf5::set_attribute(root.get(), "written_by", "elver " + version());
  }
  hdf5::write_strings(file.get(), "recipe", {recipe});
  set_sum(file.get(), "recipe", std::as_bytes(std::span(recipe)));
  if (!numbers.empty()) {
    hdf5::write<float>(file.get(), kNumbers, numbers, {numbers.size()}, false);
    set_sum(file.get(), kNumbers, std::as_bytes(std::span(numbers)));
  }
  hdf5::create_group(file.get(), "boosters");
  for (const Task& task : model.tasks) {
    const std::vector<std::byte>& bytes = task.booster.bytes();
    hdf5::write<std::byte>(file.get(), inside(task), bytes, {bytes.size()});
    set_sum(file.get(), inside(task), bytes);
  }
  hdf5::close_file(std::move(file));
  const std::vector<std::byte> written = read_file(staged);
  std::fstream stream(staged, std::ios::binary | std::ios::in | std::ios::out);
  stream << seal(std::span(written).subspan(kSealBytes)) << std::flush;
  if (!stream) throw Error(ErrorKind::output, "cannot write " + path.string(), "the disk is full or failing");
  output.commit();
}

void extract_model(const Model& model, const std::filesystem::path& directory) {
  OutputSet output(directory);
  for (const Task& task : model.tasks) {
    const std::vector<std::byte>& bytes = task.booster.bytes();
    output.write_text(booster_file_name(task), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  output.write_text("recipe.json", recipe_json(model, booster_file_name).dump(2) + "\n");
  output.commit();
}

}  // namespace elver
