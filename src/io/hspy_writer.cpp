#include <algorithm>
#include <set>

#include "elver/error.hpp"
#include "io/hdf5_output.hpp"
#include "io/hspy_header.hpp"
#include "io/writer.hpp"
#include "types/text.hpp"

namespace elver {

struct HspyWriter::Impl {
  explicit Impl(const std::filesystem::path& path) : file(path) {
    file.run([](hid_t root) {
      hdf5::set_attribute(root, "file_format", "HyperSpy");
      hdf5::set_attribute(root, "file_format_version", "3.3");
      hdf5::create_group(root, "Experiments");
    });
  }

  std::string group_name(const std::string& title) {
    std::string name = title.substr(0, title.find('\0'));
    std::replace(name.begin(), name.end(), '/', '-');
    if (name.empty() || name == ".") name = "__unnamed__";
    const std::string first = name;
    for (int i = 2; !names.insert(name).second; ++i) name = first + text(" (%d)", i);
    return "Experiments/" + name;
  }

  Hdf5Output file;
  std::set<std::string> names;
};

HspyWriter::HspyWriter(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
HspyWriter::~HspyWriter() = default;

void HspyWriter::put(const SignalHeader& header, const Block& block, const RunContext& context) {
  const std::string name = impl_->group_name(header.title);
  impl_->file.run([&](hid_t root) {
    const hdf5::Handle group = hdf5::create_group(root, name);
    write_axes(group.get(), header);
    write_metadata(group.get(), header);
  });
  impl_->file.write_array(name, "data", header, block, context);
}

void HspyWriter::commit() { impl_->file.commit(); }

const Writer hspy_writer{
    {"hspy", "HyperSpy", ".hspy", "any number of signals; axes, units; beam energy, angles, dwell time; what elver did"},
    Holds::signals,
    [](const std::filesystem::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<HspyWriter>(path); }};

}  // namespace elver
