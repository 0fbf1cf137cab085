#include <algorithm>
#include <bit>

#include "io/partial_file.hpp"
#include "io/writer.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_directory(folder, error)) cannot_write(path, error ? error.message() : "its folder is none");
  if (fs::is_directory(path, error)) cannot_write(path, "it is a folder");
  return folder;
}

class Ripple : public SignalWriter {
 public:
  explicit Ripple(const fs::path& path) : only_(path), stem_(path.stem().string()), out_(folder_of(path)) {}
  void commit() override { out_.commit(); }

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override {
    only_.add();
    std::vector<const Axis*> navigation;
    const Axis* depth = nullptr;
    for (const Axis& axis : header.axes) (axis.role == AxisRole::energy ? static_cast<void>(depth = &axis) : navigation.push_back(&axis));
    const bool stack = depth == nullptr && navigation.size() == 3;
    if (stack) {
      depth = navigation.front();
      navigation.erase(navigation.begin());
    }
    if (navigation.size() > 2) only_.refuse("its format holds at most rows, columns and energies", "Write .hspy");
    const Axis* const width = navigation.empty() ? nullptr : navigation.back();
    const Axis* const height = navigation.size() < 2 ? nullptr : navigation.front();
    PartialFile raw(out_.stage(stem_ + ".raw"));
    stream(header, block, [&](std::uint64_t at, std::span<const std::byte> bytes) { raw.put(at, bytes); }, context);
    raw.commit();
    out_.write_text(stem_ + ".rpl", keys(header, width, height, depth, depth == nullptr ? "dont-care" : stack ? "image" : "vector"));
  }

  static std::string keys(const SignalHeader& header, const Axis* width, const Axis* height, const Axis* depth,
                          const char* record_by) {
    std::string out = "key\tvalue\r\n";
    const auto line = [&](const std::string& key, std::string value) {
      value = one_line(std::move(value));
      std::ranges::replace(value, ';', ',');  // what follows it is a comment
      if (!value.empty()) out += key + "\t" + value + "\r\n";
    };
    const auto number = [&](const std::string& key, std::optional<double> value) {
      if (value) line(key, shortest(*value));
    };
    const auto size = [](const Axis* axis) { return std::to_string(axis == nullptr ? 1 : axis->size); };
    const NumberKind kind = kind_of(header.type);
    const std::size_t bytes = bytes_of(header.type);
    line("width", size(width));
    line("height", size(height));
    line("depth", size(depth));
    line("offset", "0");
    line("data-type", kind == NumberKind::floating ? "float" : kind == NumberKind::signed_integer ? "signed" : "unsigned");
    line("data-length", std::to_string(bytes));
    line("byte-order", bytes == 1 ? "dont-care" : std::endian::native == std::endian::little ? "little-endian" : "big-endian");
    line("record-by", record_by);
    line("signal", header.signal_type);
    line("title", header.title);
    for (const auto& [key, axis] : {std::pair<std::string, const Axis*>{"depth", depth}, {"height", height}, {"width", width}}) {
      if (axis == nullptr) continue;
      number(key + "-scale", axis->scale);
      number(key + "-origin", axis->offset);
      line(key + "-units", axis->units.empty() ? "<undefined>" : axis->units);
      line(key + "-name", axis->name);
    }
    number("beam-energy", header.beam_energy_kev);
    number("convergence-angle", header.convergence_mrad);
    number("collection-angle", header.collection_mrad);
    return out;
  }

  OnlyOne only_;
  std::string stem_;
  OutputSet out_;
};

}  // namespace

const Writer ripple_writer{{"ripple", "Ripple", ".rpl", "one image; axes, units; beam energy, angles; values in .raw beside it"},
                           Holds::one_image,
                           [](const fs::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<Ripple>(path); }};

}  // namespace elver
