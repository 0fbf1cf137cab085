#include <bit>

#include "io/partial_file.hpp"
#include "io/writer.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// Magic, version 1.0, length, dictionary, padded to 64 bytes. `descr` without the byte order.
std::string npy_header(const std::string& descr, const std::string& shape) {
  const char order = std::endian::native == std::endian::little ? '<' : '>';
  std::string header = "{'descr': '" + std::string(1, order) + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t kPreamble = 10;
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header.push_back('\n');
  const auto length = static_cast<std::uint16_t>(header.size());
  const std::string preamble("\x93NUMPY\x01\x00", 8);
  return preamble + static_cast<char>(length & 0xff) + static_cast<char>(length >> 8) + header;
}

std::string descr_of(NumberType type) {
  if (type == NumberType::boolean) return "b1";
  const NumberKind kind = kind_of(type);
  const char letter = kind == NumberKind::floating ? 'f' : kind == NumberKind::signed_integer ? 'i' : 'u';
  return letter + std::to_string(bytes_of(type));
}

class Npy : public SignalWriter {
 public:
  explicit Npy(const std::filesystem::path& path) : file_(path), only_(path) {}
  void commit() override { file_.commit(); }

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override {
    only_.add();
    std::string shape;
    for (const Axis& axis : header.axes) shape += text("%llu, ", static_cast<unsigned long long>(axis.size));
    const std::string start = npy_header(descr_of(header.type), shape.substr(0, shape.size() - 1 - (header.axes.size() > 1 ? 1 : 0)));
    file_.put(0, start);
    stream(header, block, [&](std::uint64_t at, std::span<const std::byte> bytes) { file_.put(start.size() + at, bytes); }, context);
  }

  PartialFile file_;
  OnlyOne only_;
};

}  // namespace

const Writer npy_writer{{"npy", "NumPy", ".npy", "one array; no axes, no units"},
                        Holds::one_image,
                        [](const std::filesystem::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<Npy>(path); },
                        Writer::Axes::lost};

NpyWriter::NpyWriter(const std::filesystem::path& path, const std::string& shape)
    : file_(std::make_unique<PartialFile>(path)) {
  const std::string header = npy_header("f4", shape);
  data_start_ = header.size();
  file_->put(0, header);
}

NpyWriter::NpyWriter(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t columns)
    : NpyWriter(path,
                text("%llu, %llu", static_cast<unsigned long long>(rows), static_cast<unsigned long long>(columns))) {}

NpyWriter::~NpyWriter() = default;

void NpyWriter::write(std::uint64_t first, std::span<const float> values) {
  file_->put(data_start_ + first * sizeof(float), std::as_bytes(values));
}

void NpyWriter::commit() { file_->commit(); }

void write_npy(const std::filesystem::path& path, std::span<const float> values) {
  NpyWriter writer(path, text("%zu,", values.size()));
  writer.write(0, values);
  writer.commit();
}

void write_npy(const std::filesystem::path& path, std::span<const float> values, std::uint64_t rows,
               std::uint64_t columns) {
  NpyWriter writer(path, rows, columns);
  writer.write(0, values);
  writer.commit();
}

}  // namespace elver
