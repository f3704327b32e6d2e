#include "core/text/piece_encoder.h"

#include <algorithm>

namespace qwen3_embed {
namespace {

constexpr size_t kMostCut = 4;  // tokens at the end of a window

}  // namespace

void PieceEncoder::begin(std::string_view piece) {
  piece_ = piece;
  begin_ = 0;
  n_given_ = 0;
  held_.clear();
}

TokenStream::Step PieceEncoder::step(std::vector<Token>& ids) {
  if (begin_ == 0 && piece_.size() <= window_bytes_) {
    pairs_.encode(piece_, work_, ids);
    return {true};
  }
  window_.clear();
  size_t n_back = 0;
  for (;;) {
    const std::string_view bytes = piece_.substr(begin_, window_bytes_);
    pairs_.encode(bytes, work_, window_);
    if (begin_ == 0 || pairs_.stay_apart(held_.back(), window_.front(), work_)) break;
    // The border lies within a token of the whole: begin earlier, farther each time.
    n_back = n_back == 0 ? 1 : 2 * n_back;
    if (n_back >= held_.size()) return start_over(ids);
    for (size_t i = 0; i < n_back; ++i) {
      begin_ -= pairs_.bytes(held_.back()).size();
      held_.pop_back();
    }
    window_.clear();
  }
  ids.insert(ids.end(), held_.begin(), held_.end());
  n_given_ += held_.size();
  held_.clear();
  if (begin_ + window_bytes_ >= piece_.size()) {
    ids.insert(ids.end(), window_.begin(), window_.end());
    return {true};
  }
  // What ends with the window is most likely cut: the next one begins before it.
  held_.swap(window_);
  begin_ += window_bytes_;
  for (size_t i = 0; i < kMostCut && held_.size() > 1; ++i) {
    begin_ -= pairs_.bytes(held_.back()).size();
    held_.pop_back();
  }
  return {false};
}

TokenStream::Step PieceEncoder::start_over(std::vector<Token>& ids) {
  window_.clear();
  pairs_.encode(piece_, work_, ids);
  return {true, n_given_};
}

}  // namespace qwen3_embed
