#include "core/generate/utf8_prefix.h"

namespace qwen3_embed {

bool Utf8Prefix::take(std::string_view bytes) {
  Utf8Prefix after = *this;
  for (const char byte : bytes) {
    if (!after.take(static_cast<uint8_t>(byte))) return false;
  }
  *this = after;
  return true;
}

bool Utf8Prefix::take(uint8_t byte) {
  if (n_left_ > 0) {
    if (byte < least_ || byte > most_) return false;
    --n_left_;
    least_ = 0x80, most_ = 0xBF;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte < 0xC2 || byte > 0xF4) return false;
  n_left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) least_ = 0xA0;
  if (byte == 0xED) most_ = 0x9F;
  if (byte == 0xF0) least_ = 0x90;
  if (byte == 0xF4) most_ = 0x8F;
  return true;
}

}  // namespace qwen3_embed
