#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "io/utf8.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";
constexpr std::string_view kBetweenNumbers = " \t\r\f\v,;";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

/// Lines end with LF, CR LF or CR.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  const bool pair = rest.substr(end).starts_with("\r\n");
  rest.remove_prefix(std::min(rest.size(), end + (pair ? 2 : 1)));
  return line;
}

/// One number: "4.4e+002", "+1", "1.0D+03", ".5"; nothing if `word` is anything else.
std::optional<double> number_in(std::string_view word) {
  std::string plain;
  if (word.find_first_of("dD") != word.npos) {  // Fortran's exponent
    plain = word;
    std::ranges::replace_if(
        plain, [](char c) { return c == 'd' || c == 'D'; }, 'e');
    word = plain;
  }
  if (word.starts_with('+')) word.remove_prefix(1);
  double value = 0;
  const auto [rest, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code == std::errc::result_out_of_range && rest == word.data() + word.size() && word.find('-', 1) != word.npos) {
    return 0.0;  // too small to tell from 0
  }
  if (code != std::errc{} || rest != word.data() + word.size()) return std::nullopt;
  return value;
}

std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBetweenNumbers), rest.size()));
  const std::size_t end = std::min(rest.find_first_of(kBetweenNumbers), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

/// `cut`: the line may end within its last word.
bool is_numbers(std::string_view line, bool cut) {
  std::size_t words = 0;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (cut && line.empty()) break;
    if (!number_in(word)) return false;
    ++words;
  }
  return words > 0;
}

/// "#KEYWORD-unit : value"; keywords in capitals, without unit.
struct Keyword {
  std::string name, unit;
  std::string_view value;
};

Keyword keyword_in(std::string_view line) {
  line.remove_prefix(1);
  const std::size_t colon = line.find(':');
  const std::string_view key = trimmed(line.substr(0, colon));
  const std::size_t dash = key.find('-');
  Keyword out{upper(trimmed(key.substr(0, dash))), "", {}};
  if (dash != key.npos) out.unit = upper(trimmed(key.substr(dash + 1)));
  if (colon != line.npos) out.value = trimmed(line.substr(colon + 1));
  return out;
}

struct Content {
  std::map<std::string, Keyword> keywords;
  std::string title;
  std::vector<double> numbers;
  std::size_t shortest = SIZE_MAX, longest = 0;  ///< numbers in a line

  std::string_view value(const std::string& name) const {
    const auto found = keywords.find(name);
    return found == keywords.end() ? std::string_view{} : found->second.value;
  }
  /// A keyword's number. Some files write "2.0 E-06", or a second number behind the first.
  std::optional<double> number(const std::string& name) const {
    const std::string_view text = value(name);
    if (text.empty()) return std::nullopt;
    std::string joined;
    std::ranges::copy_if(text, std::back_inserter(joined), [](char c) { return c != ' ' && c != '\t'; });
    std::optional<double> out = number_in(joined);
    std::string_view rest = text;
    if (!out) out = number_in(next_word(rest));
    if (!out || !std::isfinite(*out)) return std::nullopt;
    return out;
  }
};

constexpr std::size_t kMostKeywords = 1000;

Content read_content(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Content out;
  std::string fault;  // in the first line that is neither keyword nor numbers
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = trimmed(next_line(text));
    if (line.empty()) continue;
    if (line.front() == '#') {
      Keyword keyword = keyword_in(line);
      if (keyword.name == "ENDOFDATA") break;
      if (keyword.name == "SPECTRUM") {  // whatever stood before was a comment over several lines
        if (out.keywords.contains("SPECTRUM")) throw std::runtime_error("it holds several spectra; put each in a file");
        fault.clear();
        out.numbers.clear();
        out.shortest = SIZE_MAX, out.longest = 0;
      }
      if (keyword.name == "TITLE") out.title += utf8_of(keyword.value);
      if (out.keywords.size() < kMostKeywords) out.keywords.try_emplace(keyword.name, keyword);
      continue;
    }
    std::size_t words = 0;
    std::string_view rest = line;
    for (std::string_view word = next_word(rest); !word.empty() && fault.empty(); word = next_word(rest), ++words) {
      if (const std::optional<double> number = number_in(word)) {
        out.numbers.push_back(*number);
      } else {
        fault =
            elver::text("line %zu holds \"", line_number) + utf8_of(word.substr(0, 40)) + "\" where a number should be";
      }
    }
    out.shortest = std::min(out.shortest, words);
    out.longest = std::max(out.longest, words);
  }
  if (!fault.empty()) {
    std::ranges::replace_if(
        fault, [](unsigned char c) { return c < 0x20; }, '?');
    throw std::runtime_error(fault);
  }
  return out;
}

struct Spectrum {
  std::vector<double> counts;
  std::optional<double> first, step;  ///< of the x column, where there is one and it is even
};

/// The x column of pairs goes up, or down, in even steps: to half a channel, because columns are printed with few
/// digits.
bool even_steps(const std::vector<double>& pairs, double first, double step) {
  bool even = std::isfinite(step) && std::isfinite(first) && step != 0;
  for (std::size_t i = 0; 2 * i < pairs.size() && even; ++i) {
    even = std::abs(pairs[2 * i] - first - static_cast<double>(i) * step) <= 0.5 * std::abs(step);
  }
  return even;
}

/// Values of which each holds a comma ("1,5") look like pairs too; what tells is whether the header's axis is there.
void check_declared_values(const Content& content, const Spectrum& spectrum) {
  const std::optional<double> scale = content.number("XPERCHAN"), offset = content.number("OFFSET");
  if (!scale || !offset) return;
  const auto channels = static_cast<double>(spectrum.counts.size());
  if (spectrum.first && std::abs(*spectrum.first - *offset) <= std::abs(*scale) &&
      std::abs(*spectrum.step - *scale) * channels <= std::abs(*scale)) {
    return;
  }
  throw std::runtime_error(
      "its lines hold two numbers each, it declares one, and the first ones are not the energies that it declares; are "
      "these decimal commas?");
}

/// Tells pairs from plain values by what is there; what the header declares decides only where both would do.
Spectrum read_spectrum(Content& content) {
  std::vector<double>& numbers = content.numbers;
  if (numbers.empty()) throw std::runtime_error("it holds no data");
  const std::optional<double> declared = content.number("NPOINTS");
  if (declared && (*declared < 1 || *declared != std::floor(*declared) || *declared > 1e15)) {
    throw std::runtime_error(text("it declares %g points", *declared));
  }
  const std::size_t points = declared ? static_cast<std::size_t>(*declared) : 0;
  const std::size_t found = numbers.size();
  const bool xy = upper(content.value("DATATYPE")).starts_with("XY");
  const bool in_twos = content.shortest == 2 && content.longest == 2;
  bool pairs = xy && content.longest > 1;
  if (pairs && !in_twos && found == points) pairs = false;  // several values a line, in spite of XY
  if (!pairs && in_twos && (points > 0 ? found == 2 * points : content.value("DATATYPE").empty())) pairs = true;
  if (pairs && points > 0 && found / 2 < points) {
    throw std::runtime_error(text("it declares %zu points and holds %zu", points, found / 2));
  }
  if (pairs && (content.shortest % 2 != 0 || content.longest % 2 != 0)) {
    throw std::runtime_error(
        text("its lines hold %zu to %zu numbers, which do not make pairs", content.shortest, content.longest));
  }

  Spectrum out;
  if (!pairs) {
    out.counts = std::move(numbers);
  } else {
    const std::size_t n = found / 2;
    out.counts.resize(n);
    for (std::size_t i = 0; i < n; ++i) out.counts[i] = numbers[2 * i + 1];
    const double first = numbers.front();
    const double step = n > 1 ? (numbers[2 * n - 2] - first) / static_cast<double>(n - 1) : 1.0;
    if (even_steps(numbers, first, step)) {
      out.first = first, out.step = step;
    } else if (!content.number("XPERCHAN")) {
      throw std::runtime_error("its first column, which should be the energies, has no even steps");
    }
    if (!xy) check_declared_values(content, out);
  }
  // A last line may be filled up with zeros.
  while (points > 0 && out.counts.size() > points && !pairs && out.counts.size() - points < content.longest &&
         out.counts.back() == 0) {
    out.counts.pop_back();
  }
  if (points > 0 && out.counts.size() != points) {
    throw std::runtime_error(text("it declares %zu points and holds %zu", points, out.counts.size()));
  }
  return out;
}

/// Times are in ms, unless the keyword says s.
std::optional<double> seconds(const Content& content, const std::string& name) {
  const std::optional<double> time = content.number(name);
  if (!time) return std::nullopt;
  return content.keywords.at(name).unit == "S" ? *time : *time / 1000;
}

ImageInfo describe(const Content& content, const Spectrum& spectrum, const std::filesystem::path& path) {
  ImageInfo info;
  info.id = std::string("0");
  info.title = content.title.empty() ? utf8_of(path.stem().string()) : content.title;
  info.type = NumberType::f64;
  info.signal_type = upper(content.value("SIGNALTYPE")) == "ELS" ? "EELS" : "";
  if (const auto beam = content.number("BEAMKV")) info.beam_energy_kev = kilovolts(*beam);
  info.convergence_mrad = content.number("CONVANGLE");
  info.collection_mrad = content.number("COLLANGLE");
  info.dwell_s = seconds(content, "INTEGTIME");
  if (!info.dwell_s) info.dwell_s = seconds(content, "DWELLTIME");
  Axis axis;
  axis.name = utf8_of(content.value("XLABEL"));
  if (axis.name.empty()) axis.name = std::string(info.signal_type == "EELS" ? "Energy loss" : "Energy");
  axis.units = utf8_of(content.value("XUNITS"));
  axis.scale = content.number("XPERCHAN").value_or(spectrum.step.value_or(1.0));
  axis.offset = content.number("OFFSET").value_or(spectrum.first.value_or(0.0));
  if (!content.number("XPERCHAN") && !spectrum.step) {  // a unit, perhaps, but nothing to count in it
    axis.units.clear();
    axis.offset = 0.0;
  }
  axis.size = spectrum.counts.size();
  info.axes.push_back(axis);
  return info;
}

bool recognises(const std::filesystem::path& /*path*/, std::span<const std::byte> head) {
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::string_view line = trimmed(next_line(text));
    if (line.empty()) continue;
    if (line.front() != '#')
      return is_numbers(line, text.empty() && head.size() >= 4096);  // values only, as some programs write them
    const std::string name = keyword_in(line).name;
    for (const char* known : {"FORMAT", "VERSION", "TITLE", "NPOINTS", "DATATYPE", "XPERCHAN", "SPECTRUM"}) {
      if (name == known) return true;
    }
  }
  return false;
}

File read(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  Content content = read_content({reinterpret_cast<const char*>(bytes.span.data()), bytes.span.size()});
  const auto spectrum = std::make_shared<Spectrum>(read_spectrum(content));
  ImageInfo info = describe(content, *spectrum, path);
  arrange_axes(info, 0, options, true);
  StridedLayout layout;
  layout.bytes = {std::as_bytes(std::span(spectrum->counts)), spectrum};
  layout.strides = {sizeof(double)};
  File file{path, "msa", {}};
  file.images.push_back(std::make_unique<StridedImage>(std::move(info), std::move(layout)));
  return file;
}

}  // namespace

const Reader msa_reader{{"msa", "EMSA/MAS", ".msa .emsa .txt", "one spectrum; axis; beam energy, angles, dwell time"},
                        recognises,
                        read,
                        "It should be an EMSA/MAS spectrum"};

}  // namespace elver
