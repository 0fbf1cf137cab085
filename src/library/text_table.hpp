#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace elver {

/// Lines of a text file without line ends (of Unix, Windows, old Macs) and byte order mark. Throws Error{input} when it
/// cannot be read, is larger than 256 MB, or holds bytes that no text holds.
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// Words between blanks, tabs and commas; text in quotes is not kept together.
std::vector<std::string> split_words(std::string_view line);
/// True and the value if the whole word is a finite number; Fortran's 1.0D+00 and 1.0-100 are numbers.
bool to_number(std::string_view word, double& value);
/// The numbers that a line consists of; empty if a word of it is none. What follows "=" or "!" is left out.
std::vector<double> line_numbers(std::string_view line);

/// The largest run of lines with equally many numbers, two or more. Numbers may be in quotes, and have decimal commas where
/// blanks, tabs or semicolons part them; what follows "#" or "%" is a comment.
struct TextTable {
  std::vector<std::string> header;            ///< the lines before
  std::vector<std::vector<double>> rows;
  std::size_t gaps = 0;       ///< its lines with NaN, an infinity or asterisks: they are left out
  std::size_t elsewhere = 0;  ///< other lines of numbers in the file
  std::size_t columns() const { return rows.empty() ? 0 : rows.front().size(); }
};
/// Empty lines and comments between rows are left out; the table has fewer than two rows if there is none.
TextTable find_table(const std::vector<std::string>& lines);

/// `text` in capital letters.
std::string upper_case(std::string_view text);

}  // namespace elver
