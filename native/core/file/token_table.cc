#include <cstring>

#include "core/file/checks.h"

namespace qwen3_embed {

Tokens::Tokens(size_t n) {
  size_t n_slots = 2;
  while (n_slots < 2 * n) n_slots *= 2;
  slots_.assign(n_slots, {0, -1});
  texts_.reserve(n);
  // Another one each time, so that no file can be made of tokens that all fall into one place.
  seed_ = reinterpret_cast<uintptr_t>(slots_.data()) * 0x9e3779b97f4a7c15;
}

uint32_t Tokens::hash_of(std::string_view text) const {
  uint64_t hash = seed_ ^ text.size();
  while (!text.empty()) {
    uint64_t word = 0;
    const size_t n = text.size() < sizeof word ? text.size() : sizeof word;
    std::memcpy(&word, text.data(), n);
    hash = (hash ^ word) * 0x9fb21c651e98df25;
    hash ^= hash >> 29;
    text.remove_prefix(n);
  }
  return static_cast<uint32_t>(hash >> 32 ^ hash);
}

// Where `text` is, or the free slot where it would be.
size_t Tokens::slot_of(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].id >= 0 &&
         (slots_[i].hash != hash || texts_[static_cast<size_t>(slots_[i].id)] != text)) {
    i = (i + 1) & mask;
  }
  return i;
}

int32_t Tokens::add(std::string_view text) {
  if (text.empty())
    text = empty_names_.emplace_back("[EMPTY_" + std::to_string(texts_.size()) + "]");
  const uint32_t hash = hash_of(text);
  Slot& slot = slots_[slot_of(text, hash)];
  texts_.push_back(text);
  if (slot.id >= 0) return slot.id;
  slot = {hash, static_cast<int32_t>(texts_.size() - 1)};
  return -1;
}

int32_t Tokens::find(std::string_view text) const {
  return slots_[slot_of(text, hash_of(text))].id;
}

}  // namespace qwen3_embed
