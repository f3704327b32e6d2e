// Texts for tokenizers: random ones of everything their patterns tell apart, and hostile ones.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3_embed {

inline void append_utf8(std::string& text, uint32_t code) {
  const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6), add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12), add(0x80 | (code >> 6 & 0x3f)), add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18), add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f)), add(0x80 | (code & 0x3f));
  }
}

// Words, digits, marks, spaces of every kind, contractions, spelled tokens and parts of them, code,
// characters from all over Unicode; runs of one of them now and then.
class TextMaker {
 public:
  explicit TextMaker(uint64_t seed) : random_(seed) {}

  std::string make(size_t most_parts) {
    std::string text;
    for (size_t n = below(most_parts + 1); n > 0; --n) {
      const std::string part = one();
      for (size_t times = below(12) == 0 ? 1 + below(40) : 1; times > 0; --times) text += part;
    }
    return text;
  }
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }

 private:
  std::string one() {
    static const std::vector<std::string> kParts = {" ",
                                                    " ",
                                                    " ",
                                                    "  ",
                                                    "\n",
                                                    "\r\n",
                                                    "\t",
                                                    "\n\n",
                                                    "\xc2\xa0",
                                                    "\xe2\x80\xa8",
                                                    "\xe3\x80\x80",
                                                    "\xc2\x85",
                                                    "'s",
                                                    "'T",
                                                    "'re",
                                                    "'LL",
                                                    "'",
                                                    "'v",
                                                    "\xe2\x80\x99s",
                                                    "the",
                                                    "The",
                                                    " of",
                                                    "running",
                                                    "INTERNATIONAL",
                                                    "ing",
                                                    "a",
                                                    "aaaa",
                                                    "0",
                                                    "1",
                                                    "42",
                                                    "2024",
                                                    "\xd9\xa3",
                                                    "\xe2\x85\xa7",
                                                    ".",
                                                    ",",
                                                    "...",
                                                    "!?",
                                                    "(",
                                                    ")",
                                                    "{}",
                                                    "();",
                                                    "->",
                                                    "==",
                                                    "//",
                                                    "_",
                                                    "$",
                                                    "\xe4\xb8\xad\xe5\x9b\xbd",
                                                    "\xe3\x81\x93\xe3\x82\x93",
                                                    "\xed\x95\x9c\xea\xb5\xad",
                                                    "\xd0\xbf\xd1\x80\xd0\xb8",
                                                    "\xd8\xb3\xd9\x84",
                                                    "\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa5\x8d",
                                                    "\xe0\xb8\xaa\xe0\xb8\xa7",
                                                    "e\xcc\x81",
                                                    "\xcc\x81",
                                                    "\xc3\xa9",
                                                    "\xc3\x9f",
                                                    "\xf0\x9f\x98\x80",
                                                    "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
                                                    "\xef\xb8\x8f",
                                                    "<|endoftext|>",
                                                    "<|im_start|>",
                                                    "<|im_end|>",
                                                    "<think>",
                                                    "</think>",
                                                    "<tool_call>",
                                                    "</tool_response>",
                                                    "<|fim_prefix|>",
                                                    "<|",
                                                    "<think",
                                                    "<",
                                                    "|>",
                                                    "im_end",
                                                    "<<think>>",
                                                    "https://",
                                                    "www.",
                                                    "@",
                                                    "#",
                                                    "%20",
                                                    "\xef\xbb\xbf",
                                                    std::string(1, '\0'),
                                                    "\x7f"};
    switch (below(8)) {
      case 0: {
        std::string text;
        append_utf8(text, any_code());
        return text;
      }
      case 1: {
        std::string word;
        for (size_t n = 1 + below(12); n > 0; --n) word += static_cast<char>('a' + below(26));
        return word;
      }
      default:
        return kParts[below(kParts.size())];
    }
  }

  // Most characters are in the first planes. Surrogates are no text.
  uint32_t any_code() {
    for (;;) {
      const uint32_t most = below(3) == 0 ? 0x110000u : below(2) == 0 ? 0x3000u : 0x10000u;
      const auto code = static_cast<uint32_t>(below(most));
      if (code < 0xd800 || code > 0xdfff) return code;
    }
  }

  std::mt19937_64 random_;
};

struct HostileText {
  const char* what;
  std::string_view part;  // again and again
};

inline const std::vector<HostileText>& hostile_texts() {
  static const std::vector<HostileText> texts = {{"one letter", "a"},
                                                 {"another letter", "z"},
                                                 {"alternating scripts", "a\xd0\xb1\xe4\xb8\xad"},
                                                 {"combining marks", "\xcc\x81"},
                                                 {"line breaks", "\n"},
                                                 {"spaces", " "},
                                                 {"spaces and breaks", " \n"},
                                                 {"breaks before a space", "\r\n\t "},
                                                 {"digits", "7"},
                                                 {"marks", "!"},
                                                 {"apostrophes", "'"},
                                                 {"contractions", "'s"},
                                                 {"half of a spelled token", "<|im_"},
                                                 {"opening brackets", "<"},
                                                 {"spelled tokens", "<think>"},
                                                 {"smileys", "\xf0\x9f\x98\x80"},
                                                 {"two letters", "ab"},
                                                 {"three letters", "abc"}};
  return texts;
}

inline std::string repeated(std::string_view part, size_t n_bytes) {
  std::string text;
  text.reserve(n_bytes + part.size());
  while (text.size() < n_bytes) text += part;
  return text;
}

}  // namespace qwen3_embed
