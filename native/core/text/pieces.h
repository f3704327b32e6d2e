// The pre-tokenizer of Qwen2 and Qwen3: cuts a text into the pieces that byte pairs merge within.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace qwen3_embed {

// What this pattern matches, one piece after another, by hand and in time linear in the text:
//
//   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N} | ?[^\s\p{L}\p{N}]+[\r\n]*
//   | \s*[\r\n]+ | \s+(?!\S) | \s+
class PieceReader {
 public:
  explicit PieceReader(std::string_view text) : text_(text) {}

  // The next piece; nullopt at the end of the text, or when about `budget` bytes were looked at and
  // the end of the piece is not among them: call again to look further. Takes what was looked at
  // off the budget.
  std::optional<std::string_view> next(size_t& budget);
  bool done() const { return begin_ == text_.size(); }

 private:
  enum class Run { none, letters, others, newlines, spaces };

  void begin_piece();
  bool read_run(size_t limit);
  template <typename Belongs>
  bool read_while(size_t limit, const Belongs& belongs);
  size_t contraction() const;
  void end_spaces();

  const std::string_view text_;
  size_t begin_ = 0;  // of the piece
  size_t end_ = 0;    // how far it is known to go
  Run run_ = Run::none;
  // Of a run of spaces: behind its last line break, 0 if there is none; its last character.
  size_t behind_break_ = 0, last_space_ = 0;
};

}  // namespace qwen3_embed
