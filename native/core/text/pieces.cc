#include "core/text/pieces.h"

#include <algorithm>

#include "core/text/unicode.h"

namespace qwen3_embed {
namespace {

bool is_break(uint32_t code) { return code == '\r' || code == '\n'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

std::optional<std::string_view> PieceReader::next(size_t& budget) {
  if (done()) return std::nullopt;
  const size_t from = end_;
  if (run_ == Run::none) begin_piece();
  const bool ended = read_run(end_ + std::min(budget, text_.size() - end_));
  budget -= std::min(budget, std::max(end_, from) - std::min(end_, from) + 1);
  if (!ended) return std::nullopt;
  const std::string_view piece = text_.substr(begin_, end_ - begin_);
  begin_ = end_;
  run_ = Run::none;
  return piece;
}

// Takes the characters that tell what piece this is.
void PieceReader::begin_piece() {
  end_ = begin_;
  if (const size_t n = contraction(); n > 0) {
    end_ += n;
    return;
  }
  const Character first = character_at(text_, begin_);
  const CharClass kind = class_of(first.code);
  if (kind == CharClass::kLetter || kind == CharClass::kNumber) {
    end_ += first.n_bytes;
    if (kind == CharClass::kLetter) run_ = Run::letters;
    return;
  }
  const size_t second_at = begin_ + first.n_bytes;
  if (second_at < text_.size()) {
    const Character second = character_at(text_, second_at);
    const CharClass second_kind = class_of(second.code);
    if (second_kind == CharClass::kLetter && !is_break(first.code)) {
      end_ = second_at + second.n_bytes;
      run_ = Run::letters;
      return;
    }
    if (second_kind == CharClass::kOther && first.code == ' ') {
      end_ = second_at + second.n_bytes;
      run_ = Run::others;
      return;
    }
  }
  run_ = kind == CharClass::kOther ? Run::others : Run::spaces;
  behind_break_ = 0;
}

// True when the end of the piece was found: no later than at `limit`, unless the text ends there.
bool PieceReader::read_run(size_t limit) {
  const auto is_class = [](CharClass wanted) {
    return [wanted](uint32_t code, size_t) { return class_of(code) == wanted; };
  };
  switch (run_) {
    case Run::none:
      return true;
    case Run::letters:
      return read_while(limit, is_class(CharClass::kLetter));
    case Run::others:
      if (!read_while(limit, is_class(CharClass::kOther))) return false;
      run_ = Run::newlines;
      [[fallthrough]];
    case Run::newlines:
      return read_while(limit, [](uint32_t code, size_t) { return is_break(code); });
    case Run::spaces:
      if (!read_while(limit, [this](uint32_t code, size_t behind) {
            if (class_of(code) != CharClass::kSpace) return false;
            last_space_ = end_;
            if (is_break(code)) behind_break_ = behind;
            return true;
          })) {
        return false;
      }
      end_spaces();
  }
  return true;
}

template <typename Belongs>
bool PieceReader::read_while(size_t limit, const Belongs& belongs) {
  while (end_ < text_.size()) {
    const Character next = character_at(text_, end_);
    if (!belongs(next.code, end_ + next.n_bytes)) return true;
    if (end_ >= limit) return false;
    end_ += next.n_bytes;
  }
  return true;
}

// Through the last line break; else all but the last space, which belongs to what follows it.
void PieceReader::end_spaces() {
  if (behind_break_ > 0) {
    end_ = behind_break_;
  } else if (end_ < text_.size() && last_space_ > begin_) {
    end_ = last_space_;
  }
}

size_t PieceReader::contraction() const {
  const std::string_view rest = text_.substr(begin_, 3);
  if (rest.size() < 2 || rest[0] != '\'') return 0;
  const char a = lower(rest[1]);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (rest.size() < 3) return 0;
  const char b = lower(rest[2]);
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

}  // namespace qwen3_embed
