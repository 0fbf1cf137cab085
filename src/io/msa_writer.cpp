#include <algorithm>
#include <type_traits>

#include "io/partial_file.hpp"
#include "io/values.hpp"
#include "io/writer.hpp"

namespace elver {
namespace {

class Msa : public SignalWriter {
 public:
  explicit Msa(const std::filesystem::path& path) : file_(path), only_(path) {}
  void commit() override { file_.commit(); }

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override {
    only_.add();
    if (pixels_of(header) != 1 || header.axes.back().role != AxisRole::energy) {
      only_.refuse("its format holds one spectrum, and this is an image", "Write .hspy, .rpl or .npy");
    }
    context.check_interrupt();
    const Axis& axis = header.axes.back();
    std::string out;
    const auto line = [&](std::string_view key, const std::string& value) {
      out.append(1, '#').append(key).append(12 - std::min<std::size_t>(12, key.size()), ' ');
      out.append(": ").append(one_line(value)).append("\r\n");
    };
    const auto number = [&](std::string_view key, std::optional<double> value) {
      if (value) line(key, shortest(*value));
    };
    line("FORMAT", "EMSA/MAS Spectral Data File");
    line("VERSION", "1.0");
    line("TITLE", header.title);
    line("NPOINTS", std::to_string(axis.size));
    line("NCOLUMNS", "1");
    line("XUNITS", axis.units);
    line("YUNITS", header.quantity.empty() ? "counts" : header.quantity);
    line("DATATYPE", "Y");
    number("XPERCHAN", axis.scale);
    number("OFFSET", axis.offset);
    if (header.signal_type == "EELS") line("SIGNALTYPE", "ELS");
    if (!axis.name.empty()) line("XLABEL", axis.name);
    number("BEAMKV", header.beam_energy_kev);
    number("CONVANGLE", header.convergence_mrad);
    number("COLLANGLE", header.collection_mrad);
    if (header.dwell_s) number("DWELLTIME", *header.dwell_s * 1000);  // ms
    line("SPECTRUM", "Spectral Data Starts Here");
    append_values(out, header, block({0, 1}));
    out += "#ENDOFDATA   : \r\n";
    file_.put(0, out);
  }

  static void append_values(std::string& out, const SignalHeader& header, const std::byte* values) {
    values::with_stored({header.type, false, false}, [&]<class Source>() {
      for (std::uint64_t i = 0; i < header.axes.back().size; ++i) {
        const auto value = Source::load(values + i * bytes_of(header.type));
        if constexpr (std::is_floating_point_v<std::remove_cv_t<decltype(value)>>) {
          out += shortest(value);
        } else {
          out += std::to_string(value);
        }
        out += "\r\n";
      }
    });
  }

  PartialFile file_;
  OnlyOne only_;
};

}  // namespace

const Writer msa_writer{{"msa", "EMSA/MAS", ".msa", "one spectrum; axis; beam energy, angles, dwell time"},
                        Holds::one_spectrum,
                        [](const std::filesystem::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<Msa>(path); }};

}  // namespace elver
