#include "elver/error.hpp"
#include "io/reader.hpp"
namespace elver {
namespace {
bool recognises(const std::filesystem::path&, std::span<const std::byte>) { return false; }
File open(const std::filesystem::path& path, const OpenOptions& options) { return read_msa(map_file(path), path, options); }
}
const Reader msa_reader{"msa", recognises, open};
File read_msa(const Bytes&, const std::filesystem::path& path, const OpenOptions&) { throw Error(ErrorKind::input, path.string(), "later"); }
}
