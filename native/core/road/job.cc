#include "core/road/job.h"

#include <cassert>
#include <new>

namespace qwen3_embed {

void Job::add(const std::shared_ptr<const std::string>& head, std::string body) {
  inputs.push_back({head, std::move(body)});
  states_.push_back(State::waiting);
  ++n_open_;
}

void Job::add_ids(const std::shared_ptr<const std::string>& head, std::vector<Token> ids) {
  given_ids.emplace(inputs.size(), std::move(ids));
  add(head, {});
}

// False if the text was closed before.
bool Job::close(size_t index, State state) noexcept {
  assert(is_open(index));
  if (!is_open(index)) return false;
  states_[index] = state;
  --n_open_;
  return true;
}

void Job::finish(size_t index) { close(index, State::done); }

void Job::fail(size_t index, Failure item) noexcept {
  if (!close(index, State::failed)) return;
  try {
    for (const Fact& fact : item.facts) {
      if (fact.first == "tokens")
        n_tokens[index] = static_cast<int32_t>(std::get<int64_t>(fact.second));
    }
    item.facts.emplace_back("index", static_cast<int64_t>(index));
    item.message = "Text " + std::to_string(index) + ": " + item.message;
    if (!options.fail_fast) {
      failures.push_back({index, std::move(item)});
    } else if (!failure) {
      failure = std::move(item);
    }
  } catch (const std::bad_alloc&) {
    if (!failure) failure = no_memory();
  }
}

}  // namespace qwen3_embed
