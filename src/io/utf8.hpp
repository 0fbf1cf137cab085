#pragma once
#include <string>
#include <string_view>

namespace elver {

/// UTF-16 as UTF-8; a lone surrogate becomes U+FFFD.
std::string utf8_of(std::u16string_view text);
/// The text itself if it is valid UTF-8, else taken for Latin-1.
std::string utf8_of(std::string_view text);

}  // namespace elver
