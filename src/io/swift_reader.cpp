#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/npy_array.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "io/swift_properties.hpp"
#include "io/utf8.hpp"
#include "types/text.hpp"

/// Nion Swift's .ndata1 (exported) and .ndata (in a library): a zip archive that holds data.npy and metadata.json as they
/// are, without compression. Values are read where they lie.
namespace elver {
namespace {

constexpr std::string_view kLocalHeader("PK\x03\x04", 4);
constexpr std::size_t kHeaderBytes = 30;

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// The members of the archive as they follow each other.
struct Member {
  std::string_view name;
  std::size_t start = 0, size = 0;  ///< of its bytes
};

/// The size of a member: from 4 GB on (some writers: 2 GB) it stands in an extra field of 64 bits. Throws std::runtime_error.
std::size_t size_of(std::size_t said, std::string_view extra) {
  constexpr std::size_t kElsewhere = 0xFFFFFFFF, kZip64 = 1;
  if (said != kElsewhere) return said;
  while (extra.size() >= 4) {
    const std::size_t field = little_endian(extra, 2, 2);
    if (field > extra.size() - 4) break;
    if (little_endian(extra, 0, 2) == kZip64 && field >= 16) return little_endian(extra, 12, 8);  // behind the size unpacked
    extra.remove_prefix(4 + field);
  }
  throw std::runtime_error("the size of a member is missing");
}

/// The member that begins at `at`; nothing behind the last. Throws std::runtime_error.
std::optional<Member> member_at(std::string_view archive, std::size_t at) {
  if (archive.size() - at < kHeaderBytes || archive.substr(at, 4) != kLocalHeader) return std::nullopt;
  const std::size_t name = little_endian(archive, at + 26, 2), extra = little_endian(archive, at + 28, 2);
  Member member;
  member.start = at + kHeaderBytes + name + extra;
  if (member.start > archive.size()) throw std::runtime_error("it ends within a header");
  member.size = size_of(little_endian(archive, at + 18, 4), archive.substr(at + kHeaderBytes + name, extra));
  member.name = archive.substr(at + kHeaderBytes, name);
  const bool data_follows = (little_endian(archive, at + 6, 2) & 8) != 0;
  if (little_endian(archive, at + 8, 2) != 0 || data_follows) {
    throw std::runtime_error(text("\"%s\" in it is compressed, as Nion Swift does not do", utf8_of(member.name).c_str()));
  }
  if (member.size > archive.size() - member.start) {
    throw std::runtime_error(text("it ends within \"%s\"", utf8_of(member.name).c_str()));
  }
  return member;
}

bool recognises(const std::filesystem::path& /*path*/, std::span<const std::byte> head) {
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  if (!bytes.starts_with(kLocalHeader) || bytes.size() < kHeaderBytes) return false;
  const std::string_view name = bytes.substr(kHeaderBytes, little_endian(bytes, 26, 2));
  return name == "data.npy" || name == "metadata.json";
}

std::unique_ptr<Image> make_image(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  const std::string_view archive(reinterpret_cast<const char*>(bytes.span.data()), bytes.span.size());
  std::optional<Member> data, metadata;
  for (auto member = member_at(archive, 0); member; member = member_at(archive, member->start + member->size)) {
    if (member->name == "data.npy") data = member;
    if (member->name == "metadata.json") metadata = member;
  }
  if (!data) throw std::runtime_error("it holds no data.npy");
  NpyArray array = find_npy_array(bytes.span.subspan(data->start, data->size));
  nlohmann::json properties = nlohmann::json::object();
  if (metadata) properties = swift_json(archive.substr(metadata->start, metadata->size), "metadata.json");
  ImageInfo info = swift_info(properties, array.shape);
  info.id = std::string("0");
  if (info.title.empty()) info.title = utf8_of(path.stem().string());
  info.type = array.type;
  if (info.refusal.empty()) info.refusal = array.refusal;
  StridedLayout layout{bytes, data->start + array.start, {}, array.swapped, array.half};
  for (const std::size_t place : arrange_axes(info, std::nullopt, options, true)) layout.strides.push_back(array.strides[place]);
  return std::make_unique<StridedImage>(std::move(info), std::move(layout));
}

File read(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  File file{path, "ndata1", {}};
  file.images.push_back(make_image(bytes, path, options));
  return file;
}

}  // namespace

const Reader swift_reader{{"ndata1", "Nion Swift", ".ndata1 .ndata", "one data item; axes, units; beam energy, angles, exposure"},
                          recognises,
                          read,
                          "Export it from Nion Swift again"};

}  // namespace elver
