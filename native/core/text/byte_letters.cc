#include "core/text/byte_letters.h"

#include <array>
#include <cstdint>

#include "core/text/unicode.h"

namespace qwen3_embed {
namespace {

constexpr uint32_t kLetters = 0x100 + 68;  // 68 bytes have letters from U+0100 on

constexpr bool printable(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t letter_of(int byte) {
  if (printable(byte)) return static_cast<uint32_t>(byte);
  uint32_t n_before = 0;
  for (int b = 0; b < byte; b++) n_before += !printable(b);
  return 0x100 + n_before;
}

}  // namespace

std::string byte_letter(int byte) {
  const uint32_t code = letter_of(byte);
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

std::optional<std::string> bytes_of_letters(std::string_view letters) {
  static const auto bytes = [] {
    std::array<int16_t, kLetters> bytes;
    bytes.fill(-1);
    for (int b = 0; b < 256; b++) bytes[letter_of(b)] = static_cast<int16_t>(b);
    return bytes;
  }();
  std::string out;
  out.reserve(letters.size());
  for (size_t i = 0; i < letters.size();) {
    const Character letter = character_at(letters, i);
    if (letter.code >= kLetters || bytes[letter.code] < 0) return std::nullopt;
    out += static_cast<char>(bytes[letter.code]);
    i += letter.n_bytes;
  }
  return out;
}

}  // namespace qwen3_embed
