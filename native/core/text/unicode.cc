#include "core/text/unicode.h"

#include <array>

namespace qwen3_embed {
namespace {

constexpr uint32_t kCodes = 0x110000, kBlock = 256;

// A byte for each character, in blocks of 256 of which equal ones are kept once.
class ClassTable {
 public:
  ClassTable() {
    const std::vector<ClassRange>& ranges = class_ranges();
    size_t next = 0;
    CharClass current = CharClass::kOther;
    for (uint32_t block = 0; block < kCodes / kBlock; ++block) {
      Classes classes;
      for (uint32_t i = 0; i < kBlock; ++i) {
        const uint32_t code = block * kBlock + i;
        while (next < ranges.size() && ranges[next].first <= code)
          current = ranges[next++].char_class;
        classes[i] = current;
      }
      size_t found = 0;
      while (found < blocks_.size() && blocks_[found] != classes) ++found;
      if (found == blocks_.size()) blocks_.push_back(classes);
      block_of_[block] = static_cast<uint8_t>(found);
    }
  }
  CharClass operator[](uint32_t code) const {
    return code < kCodes ? blocks_[block_of_[code / kBlock]][code % kBlock] : CharClass::kOther;
  }

 private:
  using Classes = std::array<CharClass, kBlock>;
  std::vector<Classes> blocks_;  // fewer than 256
  std::array<uint8_t, kCodes / kBlock> block_of_;
};

bool is_continuation(char byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

CharClass class_of(uint32_t code) {
  static const ClassTable table;
  return table[code];
}

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const uint32_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  constexpr Character kBroken{0xfffd, 1};
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < n) return kBroken;
  uint32_t code = lead & (0x7fu >> n);
  for (uint32_t i = 1; i < n; ++i) {
    if (!is_continuation(text[at + i])) return kBroken;
    code = code << 6 | (byte(i) & 0x3f);
  }
  return {code, n};
}

}  // namespace qwen3_embed
