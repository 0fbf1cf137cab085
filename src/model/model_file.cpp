#include <span>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/version.hpp"
#include "io/hdf5.hpp"
#include "model/model.hpp"
#include "model/sha256.hpp"
#include "types/text.hpp"

/// NAME.elver is HDF5. The root's attributes say what it is; /recipe is the recipe as JSON text, its booster paths
/// inside the file; /boosters/TASK holds the bytes that XGBoost wrote. Each carries its SHA-256, so that a damaged file
/// is refused and not used.
namespace elver {
namespace {

constexpr const char* kMark = "elver model";
constexpr int kVersion = 1;

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

}  // namespace

std::size_t Model::feature_count() const {
  std::size_t n = 0;
  for (const Edge& edge : edges) n += edge.grid.count;
  return n;
}

Model load_model(const std::filesystem::path& path) {
  const std::string where = "model " + path.string();
  const hdf5::Handle file = hdf5::open_file(path.string());
  const hdf5::Handle root = hdf5::open_group(file.get(), "/");
  if (hdf5::string_attribute(root.get(), "format") != kMark) {
    throw Error(ErrorKind::input, where, "an HDF5 file, but not a model of elver's",
                "elver model make writes one from a recipe");
  }
  const double version = hdf5::number_attribute(root.get(), "format_version", 0);
  if (version != kVersion) {
    throw Error(ErrorKind::input, where, text("its format version is %g, this elver reads %d", version, kVersion),
                "Use the elver that wrote it, or a newer one");
  }
  const std::vector<std::string> recipe = hdf5::read_strings(file.get(), "recipe");
  if (recipe.size() != 1) throw Error(ErrorKind::input, where, "it holds no recipe");
  check_sum(file.get(), "recipe", std::as_bytes(std::span(recipe[0])), where);
  Model model = read_recipe(recipe[0], where, [&](const std::string& inside) {
    std::vector<std::byte> bytes = hdf5::read<std::byte>(file.get(), inside);
    check_sum(file.get(), inside, bytes, where);
    return Booster::parse(std::move(bytes), where + ": " + inside);
  });
  model.sha256 = sha256_of_file(path);
  return model;
}

void save_model(const Model& model, const std::filesystem::path& path) {
  validate(model, "model " + model.name);
  const auto inside = [](const Task& task) { return "boosters/" + task.name; };
  const std::string recipe = recipe_json(model, inside).dump(2);
  const std::filesystem::path folder = path.parent_path();
  OutputSet output(folder.empty() ? "." : folder);
  hdf5::Handle file = hdf5::create_file(output.stage(path.filename().string()).string());
  {
    const hdf5::Handle root = hdf5::open_group(file.get(), "/");
    hdf5::set_attribute(root.get(), "format", kMark);
    hdf5::set_attribute(root.get(), "format_version", static_cast<long long>(kVersion));
    hdf5::set_attribute(root.get(), "name", model.name);
    hdf5::set_attribute(root.get(), "written_by", "elver " + version());
  }
  hdf5::write_strings(file.get(), "recipe", {recipe});
  set_sum(file.get(), "recipe", std::as_bytes(std::span(recipe)));
  hdf5::create_group(file.get(), "boosters");
  for (const Task& task : model.tasks) {
    const std::vector<std::byte>& bytes = task.booster.bytes();
    hdf5::write<std::byte>(file.get(), inside(task), bytes, {bytes.size()});
    set_sum(file.get(), inside(task), bytes);
  }
  hdf5::close_file(std::move(file));
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
