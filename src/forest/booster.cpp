#include <charconv>
#include <filesystem>
#include <fstream>

#include "elver/error.hpp"
#include "forest/document.hpp"
#include "types/inputs.hpp"
#include "types/text.hpp"

namespace elver {

Booster::Booster() {
  static const std::shared_ptr<const Forest> nothing = [] {
    Forest made;
    made.base = {0.0F};
    made.objective_name = "reg:squarederror";
    made.objective = forest::find_objective(made.objective_name, false);
    return std::make_shared<const Forest>(std::move(made));
  }();
  forest_ = nothing;
}

Booster Booster::bare(std::size_t features, std::size_t outputs) {
  Booster out;
  Forest made = *out.forest_;
  made.feature_count = features;
  made.output_count = outputs;
  made.base.assign(outputs, 0.0F);
  out.forest_ = std::make_shared<const Forest>(std::move(made));
  return out;
}

Booster Booster::parse(std::vector<std::byte> bytes, const std::string& name) {
  auto made = std::make_shared<Forest>();
  made->bytes = std::move(bytes);
  made->name = name;
  const auto reader = forest::Reader::make(made->bytes, name);
  forest::settle(forest::read_document(*reader, *made), *reader, *made);
  made->nodes.shrink_to_fit();
  Booster booster;
  booster.forest_ = std::move(made);
  return booster;
}

Booster Booster::load(const std::string& path) {
  std::error_code error;
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::input, "cannot read booster " + path, why);
  };
  if (std::filesystem::is_directory(path, error)) throw refuse("it is a folder");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw refuse(error.message());
  std::vector<std::byte> bytes(size);
  note_input(path);
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!stream) throw refuse("it cannot be opened or read");
  return parse(std::move(bytes), path);
}

std::size_t Booster::feature_count() const { return forest_->feature_count; }
std::size_t Booster::output_count() const { return forest_->output_count; }
std::size_t Booster::tree_count() const { return forest_->trees.size(); }
std::size_t Booster::round_count() const { return forest_->rounds.size() - 1; }
std::size_t Booster::max_depth() const { return forest_->max_depth; }
bool Booster::has_trees() const { return !forest_->linear; }
void Booster::require_trees() const {
  if (has_trees()) return;
  throw Error(ErrorKind::mismatch, "cannot predict with booster " + forest_->name,
              "it is a linear booster (gblinear), which elver leaves to XGBoost", "Use --forest xgboost");
}
std::string Booster::objective() const { return forest_->objective_name; }
std::vector<std::string> Booster::feature_names() const { return forest_->feature_names; }
const std::vector<std::byte>& Booster::bytes() const { return forest_->bytes; }

bool Booster::is_classifier() const {
  return forest_->objective_name.starts_with("binary:") || forest_->objective_name.starts_with("multi:");
}

std::optional<std::size_t> Booster::best_iteration() const {
  const auto found = forest_->attributes.find("best_iteration");
  if (found == forest_->attributes.end()) return std::nullopt;
  std::size_t round = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [rest, code] = std::from_chars(found->second.data(), end, round);
  if (code != std::errc{} || rest != end || round >= round_count()) return std::nullopt;
  return round;
}

std::string Booster::version() const {
  const auto& v = forest_->version;
  return v == std::array<int, 3>{} ? "" : text("%d.%d.%d", v[0], v[1], v[2]);
}

}  // namespace elver
