// A stream's first step: from texts to sequences, a slice at a time.
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "core/cpu/crew.h"
#include "core/road/policy.h"
#include "core/road/stream.h"

namespace qwen3_embed {

namespace {

// Of a text that is given, or about so many of one that ids stand for.
size_t n_bytes_of(const Job& job, size_t index) {
  const auto ids = job.given_ids.find(index);
  return ids == job.given_ids.end() ? job.inputs[index].body.size()
                                    : ids->second.size() * sizeof(Token);
}

}  // namespace

// Fills the job's window; false while there is more to do than one slice.
bool Stream::tokenise(Job& job, size_t n_enough, const Abort& stop, bool& worked) {
  if (!job.frame) {
    job.frame = job.options.task == JobOptions::Task::rank
                    ? vocabulary_.pair_frame(job.options.prefix, job.options.suffix)
                    : vocabulary_.embedding_frame();
  }
  const auto wants_more = [&] {
    return job.n_tokenised < job.n_texts() && !job.settled() && !job.aborted() && !stop() &&
           job.n_waiting_tokens < n_enough && job.window.size() < kLookaheadTexts;
  };
  if (!wants_more()) return true;
  worked = true;
  tokenise_next(job);
  return !wants_more();
}

PromptInProgress Stream::start_prompt(Job& job, size_t index) const {
  Job::Input& input = job.inputs[index];
  const int limit =
      job.options.only_tokens ? std::numeric_limits<int>::max() : forward_.limits().max_tokens;
  const auto given = job.given_ids.find(index);
  if (given == job.given_ids.end()) {
    return {vocabulary_,           *job.frame, std::move(input.head),
            std::move(input.body), limit,      job.options.truncate};
  }
  std::vector<Token> ids = std::move(given->second);
  job.given_ids.erase(given);
  return {vocabulary_,    *job.frame, std::move(input.head),
          std::move(ids), limit,      job.options.truncate};
}

// A slice of the text that is being tokenised, or as many short ones as a slice holds, side by
// side.
void Stream::tokenise_next(Job& job) {
  struct Item {
    size_t index;
    std::optional<PromptInProgress> prompt;
    std::optional<Failure> failure;
    std::string text;
  };
  auto attempt = [](Item& item, const auto& action) {
    try {
      action();
    } catch (...) {
      item.failure = caught_failure();
    }
  };
  auto close = [&](Item& item) {
    if (!item.failure && !job.options.only_text)
      attempt(item, [&] { accept(job, item.index, item.prompt->take()); });
    if (item.failure && job.is_open(item.index)) job.fail(item.index, std::move(*item.failure));
  };

  if (job.prompt) {
    Item item{job.n_tokenised, {}, {}, {}};
    bool done = false;
    attempt(item, [&] { done = job.prompt->step(); });
    if (!done && !item.failure) return;
    item.prompt.emplace(std::move(*job.prompt));
    job.prompt.reset();
    ++job.n_tokenised;
    return close(item);
  }

  std::vector<Item> items;
  size_t n_bytes = 0, index = job.n_tokenised;
  for (; index < job.n_texts() && n_bytes < kTokeniseBytes; ++index) {
    const size_t size = n_bytes_of(job, index) + 64;
    if (!items.empty() && n_bytes + size > kTokeniseBytes) break;
    n_bytes += size;
    items.push_back({index, {}, {}, {}});
  }
  const bool is_long = n_bytes > kTokeniseBytes;  // then it stands alone
  if (is_long && !job.options.only_text) {
    // Its text has been taken when this fails.
    attempt(items[0], [&] { job.prompt.emplace(start_prompt(job, index - 1)); });
    if (!items[0].failure) return;
    ++job.n_tokenised;
    return close(items[0]);
  }
  job.n_tokenised = index;  // from here on each of them is closed or accepted
  for (Item& item : items) {
    attempt(item, [&] {
      if (job.options.only_text) {
        job.texts[item.index] = vocabulary_.text(job.given_ids[item.index]);
        job.finish(item.index);
      } else {
        item.prompt.emplace(start_prompt(job, item.index));
      }
    });
  }
  auto run = [&](int64_t i, int) {
    Item& item = items[static_cast<size_t>(i)];
    if (!item.prompt || item.failure) return;
    attempt(item, [&] {
      while (!item.prompt->step()) {
      }
    });
  };
  const auto n = static_cast<int64_t>(items.size());
  constexpr size_t kWorthSharing = 4096;  // bytes
  if (crew_ != nullptr && n > 1 && n_bytes > kWorthSharing && !captains_have_packs()) {
    crew_->each(n, {}, run);
  } else {
    for (int64_t i = 0; i < n; ++i) run(i, 0);
  }
  for (Item& item : items) close(item);
}

void Stream::accept(Job& job, size_t index, Prompt prompt) const {
  job.n_tokens[index] = prompt.n_tokens;
  job.n_cut[index] = prompt.n_cut;
  if (job.options.only_tokens) {
    job.ids[index] = std::move(prompt.sequence.ids);
    job.finish(index);
    return;
  }
  const size_t n_tokens = prompt.sequence.ids.size();
  job.window.push_back({index, std::move(prompt.sequence)});
  job.n_waiting_tokens += n_tokens;
}

}  // namespace qwen3_embed
