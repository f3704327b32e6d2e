// What a token may add to a text: bytes that go on to be UTF-8, against a decoder of whole texts.
#include <cstdint>
#include <random>
#include <string>

#include "check.h"
#include "core/generate/utf8_prefix.h"

using namespace qwen3_embed;

// By definition: the shortest form of a scalar value that is no surrogate. The number of bytes of
// the character at `at`, 0 if there is none.
static size_t character_bytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t first = byte(at);
  const size_t n = first < 0x80       ? 1
                   : first >> 5 == 6  ? 2
                   : first >> 4 == 14 ? 3
                   : first >> 3 == 30 ? 4
                                      : 0;
  if (n == 0 || at + n > text.size()) return 0;
  uint32_t code = n == 1 ? first : first & (0x7FU >> n);
  for (size_t i = 1; i < n; ++i) {
    if (byte(at + i) >> 6 != 2) return 0;
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= least[n] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) ? n : 0;
}

static bool is_valid(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t n = character_bytes(text, at);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

// Some continuation is valid: three bytes are enough to end any character.
static bool is_valid_prefix(const std::string& text) {
  if (is_valid(text)) return true;
  const uint8_t nexts[] = {0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF};
  for (const uint8_t a : nexts) {
    const std::string one = text + static_cast<char>(a);
    if (is_valid(one)) return true;
    for (const uint8_t b : nexts) {
      const std::string two = one + static_cast<char>(b);
      if (is_valid(two)) return true;
      for (const uint8_t c : nexts) {
        if (is_valid(two + static_cast<char>(c))) return true;
      }
    }
  }
  return false;
}

static void all_of_two_bytes_and_edges_of_more() {
  const int edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xFF};
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (const int c : edges) {
        for (const int d : edges) {
          const std::string text = {static_cast<char>(a), static_cast<char>(b),
                                    static_cast<char>(c), static_cast<char>(d)};
          for (size_t n = 1; n <= 4; ++n) {
            const std::string part = text.substr(0, n);
            Utf8Prefix prefix;
            const bool taken = prefix.take(part);
            if (taken != is_valid_prefix(part)) CHECK(!"as by definition");
            if (taken && prefix.is_whole() != is_valid(part)) CHECK(!"whole as by definition");
          }
        }
      }
    }
  }
  CHECK(true);
}

static void pieces_are_as_the_whole_and_a_refusal_changes_nothing() {
  std::mt19937 random(7);
  const std::string text = "a\xC3\xA4\xE8\x9C\x82\xF0\x9F\x90\x9D\xED\x9F\xBF";
  for (int turn = 0; turn < 200; ++turn) {
    Utf8Prefix prefix;
    for (size_t at = 0; at < text.size();) {
      const size_t n = std::min<size_t>(1 + random() % 3, text.size() - at);
      CHECK(!prefix.take("\xC3\xA4\xFF"));
      CHECK(prefix.take(std::string_view(text).substr(at, n)));
      at += n;
    }
    CHECK(prefix.is_whole());
  }
}

int main() {
  all_of_two_bytes_and_edges_of_more();
  pieces_are_as_the_whole_and_a_refusal_changes_nothing();
  return check::finish();
}
