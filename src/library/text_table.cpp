#include "library/text_table.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  constexpr std::uintmax_t kLargest = 256U << 20U;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw Error(ErrorKind::input, "cannot read " + path.string(), error.message());
  if (size > kLargest) throw Error(ErrorKind::input, "cannot read " + path.string(), "it is larger than 256 MB");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(ErrorKind::input, "cannot read " + path.string(), "it cannot be opened");
  std::string all{std::istreambuf_iterator<char>(stream), {}};
  if (all.find('\0') != std::string::npos)
    throw Error(ErrorKind::input, "cannot read " + path.string(), "it is no text, or no UTF-8");
  if (all.starts_with("\xEF\xBB\xBF")) all.erase(0, 3);  // a byte order mark
  std::vector<std::string> out;
  std::string line;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == '\n' || (all[i] == '\r' && (i + 1 == all.size() || all[i + 1] != '\n'))) {
      out.push_back(std::move(line));
      line.clear();
    } else if (all[i] != '\r') {
      line += all[i];
    }
  }
  if (!line.empty()) out.push_back(std::move(line));
  return out;
}

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : line) {
    if (c == ' ' || c == '\t' || c == ',' || c == ';') {
      if (!word.empty()) out.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

bool to_number(std::string_view word, double& value) {
  if (!word.empty() && word.front() == '+') word.remove_prefix(1);
  std::string tidy;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const bool digit_before = i > 0 && (std::isdigit(static_cast<unsigned char>(word[i - 1])) != 0 || word[i - 1] == '.');
    if ((c == 'D' || c == 'd') && digit_before) {
      tidy += 'e';
    } else {
      if ((c == '-' || c == '+') && digit_before) tidy += 'e';  // an exponent of three digits takes Fortran's letter
      if (!(c == '+')) tidy += c;
    }
  }
  const auto [end, error] = std::from_chars(tidy.data(), tidy.data() + tidy.size(), value);
  return error == std::errc() && end == tidy.data() + tidy.size() && !tidy.empty() && std::isfinite(value);
}

std::vector<double> line_numbers(std::string_view line) {
  line = line.substr(0, line.find_first_of("=!"));
  std::vector<double> out;
  for (const std::string& word : split_words(line)) {
    double value = 0;
    if (!to_number(word, value)) return {};
    out.push_back(value);
  }
  return out;
}

namespace {

/// What programs write where they have no number: NaN, an infinity, Fortran's asterisks.
bool is_gap(const std::string& word) {
  if (word.find_first_not_of('*') == std::string::npos) return true;
  std::string name = upper_case(word);
  name.erase(0, name.find_first_not_of("+-"));
  return name == "NAN" || name == "INF" || name == "INFINITY" || name == "NA" || name == "NULL";
}

/// "530,5;1,2E-3", "530,5 0,1": the line with points where it has a comma within each number. Nothing if it is another line.
std::string with_points(const std::string& line) {
  if (line.find(',') == std::string::npos || line.find('.') != std::string::npos) return {};
  std::string out = line;
  std::size_t words = 1, commas = 0;  // of this word
  const auto digit = [&](std::size_t at) { return at < line.size() && std::isdigit(static_cast<unsigned char>(line[at])) != 0; };
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ' || line[i] == '\t' || line[i] == ';') {
      if (i > 0 && digit(i - 1)) ++words, commas = 0;
    } else if (line[i] == ',') {
      if (++commas > 1 || i == 0 || !digit(i - 1) || !digit(i + 1)) return {};
      out[i] = '.';
    }
  }
  return words > 1 ? out : std::string();
}

/// The numbers of a table's line; empty if it is none. `gap`: one of them is missing.
std::vector<double> row_of(std::string line, bool& gap) {
  line.resize(std::min(line.size(), line.find_first_of("=!#%")));
  std::erase(line, '"');
  if (const std::string decimal = with_points(line); !decimal.empty()) line = decimal;
  gap = false;
  std::vector<double> out;
  for (const std::string& word : split_words(line)) {
    double value = 0;
    if (!to_number(word, value)) {
      if (!is_gap(word)) return {};
      gap = true;
    }
    out.push_back(value);
  }
  return out;
}

}  // namespace

TextTable find_table(const std::vector<std::string>& lines) {
  TextTable best, now;
  std::size_t best_start = 0, start = 0, all = 0;
  const auto close = [&] {
    if (now.rows.size() > best.rows.size()) {
      best.rows = std::move(now.rows);
      best.gaps = now.gaps;
      best_start = start;
    }
    now = {};
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t first = lines[i].find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    const char c = lines[i][first];
    if (c == '#' || c == '*' || c == '%' || c == '!') continue;
    bool gap = false;
    std::vector<double> numbers = row_of(lines[i], gap);
    if (numbers.size() < 2) {
      close();
      continue;
    }
    if (gap) {
      ++now.gaps;
      continue;
    }
    if (!now.rows.empty() && numbers.size() != now.rows.front().size()) close();
    if (now.rows.empty()) start = i;
    now.rows.push_back(std::move(numbers));
    ++all;
  }
  close();
  best.elsewhere = all - best.rows.size();
  best.header.assign(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(best_start));
  return best;
}

std::string upper_case(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace elver
