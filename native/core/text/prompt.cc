#include "core/text/prompt.h"

#include <algorithm>
#include <utility>

#include "core/failure.h"

namespace qwen3_embed {
namespace {

Failure too_long(const std::string& what, bool is_all, size_t n_tokens, size_t limit,
                 const std::string& remedy) {
  return {Code::text_too_long,
          "expected at most " + std::to_string(limit) + " tokens but " + what + " has " +
              (is_all ? "" : "more than ") + std::to_string(n_tokens) + ".",
          {{"tokens", static_cast<int64_t>(n_tokens)}, {"limit", static_cast<int64_t>(limit)}},
          remedy};
}

}  // namespace

PromptInProgress::PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                                   std::shared_ptr<const std::string> head, std::string body,
                                   int limit, bool truncate)
    : vocabulary_(vocabulary),
      frame_(frame),
      limit_(static_cast<size_t>(limit)),
      truncate_(truncate),
      head_(std::move(head)),
      head_done_(frame.head_joins_body) {
  if (frame.head_joins_body) body.insert(0, *head_);
  body_ = std::make_unique<const std::string>(std::move(body));
}

PromptInProgress::PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                                   std::shared_ptr<const std::string> head, std::vector<Token> body,
                                   int limit, bool truncate)
    : vocabulary_(vocabulary),
      frame_(frame),
      limit_(static_cast<size_t>(limit)),
      truncate_(truncate),
      head_(std::move(head)),
      body_ids_(std::move(body)),
      head_done_(frame.head_joins_body) {
  vocabulary.check_ids(body_ids_);
  if (frame.head_joins_body) body_ = std::make_unique<const std::string>(*head_);
}

bool PromptInProgress::step() {
  if (!head_done_) {
    head_done_ = step_text(head_part_, *head_);
    check_length(false);
    return false;
  }
  if (body_) {
    check_bytes(*body_);
    if (!step_text(body_part_, *body_)) {
      check_length(false);
      return false;
    }
    body_.reset();
  }
  add_ids();
  check_length(true);
  if (n_fixed() + body_part_.n_tokens == 0) {
    throw Failure{Code::text_empty,
                  "it has no tokens, and this model adds none of its own.",
                  {},
                  "Leave empty texts out."};
  }
  return true;
}

// Where so many bytes cannot be so few tokens, nobody needs to read them.
void PromptInProgress::check_bytes(const std::string& text) const {
  const size_t longest = vocabulary_.longest_token();
  if (truncate_ || stream_ || longest == 0) return;
  const size_t least = n_fixed() + text.size() / longest;
  if (least > limit_)
    throw too_long("the text", false, least - 1, limit_,
                   "Shorten it, or pass truncate: 'end' to cut its end.");
}

bool PromptInProgress::step_text(Part& part, const std::string& text) {
  if (!stream_) stream_ = vocabulary_.stream(text);
  more_.clear();
  const TokenStream::Step step = text.empty() ? TokenStream::Step{true} : stream_->step(more_);
  part.add(step, more_, limit_);
  if (step.done) stream_.reset();
  return step.done;
}

void PromptInProgress::Part::add(const TokenStream::Step& step, const std::vector<Token>& more,
                                 size_t n_kept) {
  n_tokens -= step.n_taken_back;
  ids.resize(std::min(ids.size(), n_tokens));
  const size_t n = std::min(more.size(), n_kept - std::min(n_kept, n_tokens));
  ids.insert(ids.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(n));
  n_tokens += more.size();
}

// Ids that end as a sequence of ours does are whole already.
void PromptInProgress::add_ids() {
  const std::vector<Token>& trail = frame_.trail;
  std::vector<Token>& ids = body_ids_;
  if (!trail.empty() && ids.size() >= trail.size() &&
      std::equal(trail.begin(), trail.end(),
                 ids.end() - static_cast<std::ptrdiff_t>(trail.size()))) {
    ids.resize(ids.size() - trail.size());
  }
  body_part_.add({true}, ids, limit_);
  std::vector<Token>().swap(ids);
}

size_t PromptInProgress::n_fixed() const {
  const size_t n_joint = frame_.head_joins_body ? 0 : frame_.joint.size();
  return frame_.lead.size() + head_part_.n_tokens + n_joint + frame_.trail.size();
}

// One more step is taken over the limit: where the end is that near, its number is exact.
void PromptInProgress::check_length(bool is_all) {
  const size_t n_tokens = n_fixed() + body_part_.n_tokens;
  if (n_tokens <= limit_) return;
  if (!is_all && !std::exchange(over_, true)) return;
  if (!truncate_) {
    throw too_long("the text", is_all, n_tokens, limit_,
                   "Shorten it, or pass truncate: 'end' to cut its end.");
  }
  if (n_fixed() > limit_ || (head_done_ && n_fixed() == limit_)) {
    throw too_long(
        "the prompt without its document", head_done_, n_fixed(), limit_,
        "Shorten the query or the instruction: cutting the document cannot make it fit.");
  }
}

Prompt PromptInProgress::take() {
  Prompt prompt{};
  std::vector<Token>& ids = prompt.sequence.ids;
  const auto append = [&](const std::vector<Token>& more, size_t n) {
    ids.insert(ids.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(n));
  };
  const size_t n_kept = std::min(body_part_.n_tokens, limit_ - std::min(n_fixed(), limit_));
  ids.reserve(n_fixed() + n_kept);
  append(frame_.lead, frame_.lead.size());
  if (!frame_.head_joins_body) {
    append(head_part_.ids, head_part_.ids.size());
    append(frame_.joint, frame_.joint.size());
  }
  append(body_part_.ids, n_kept);
  append(frame_.trail, frame_.trail.size());
  prompt.n_tokens = static_cast<int>(n_fixed() + body_part_.n_tokens);
  prompt.n_cut = static_cast<int>(body_part_.n_tokens - n_kept);
  return prompt;
}

}  // namespace qwen3_embed
