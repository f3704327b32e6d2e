#include "core/road/flight.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "core/road/vectors.h"

namespace qwen3_embed {
namespace {

Failure not_finite() {
  return {Code::non_finite,
          "the model gave a value that is not finite.",
          {},
          "On a GPU, load with gpu: false; else the file "
          "is damaged: download it again."};
}

}  // namespace

Flight::Flight(Forward& forward, std::vector<Text> texts, const Sequence* next, Captain* captain)
    : forward_(forward),
      texts_(std::move(texts)),
      next_(next),
      captain_(captain),
      n_(texts_.size()) {}

Flight::Flight(Flight&& other) noexcept
    : forward_(other.forward_),
      texts_(std::move(other.texts_)),
      next_(other.next_),
      captain_(other.captain_),
      pass_(std::move(other.pass_)),
      is_under_way_(std::exchange(other.is_under_way_, false)),
      first_(other.first_),
      n_(other.n_) {}

Flight::Step Flight::step(const Abort& stop) {
  Step step = Step::done;
  try {
    step = go_one_step(stop);
  } catch (const std::bad_alloc&) {
    fail_current(no_memory());
  }
  return first_ < texts_.size() ? step : Step::last;
}

Flight::Step Flight::go_one_step(const Abort& stop) {
  if (!is_wanted()) {
    go_on();
    return Step::done;
  }
  if (is_under_way_ && !captain_->has_stopped()) return Step::nothing;
  try {
    if (pass_ == nullptr) {
      begin();
    } else if (!step_pass(stop)) {
      deliver();
    }
  } catch (Failure& failure) {
    // Who asked for an abort has said so to the job.
    failure.code == Code::aborted ? go_on() : fail_current(std::move(failure));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    fail_current(caught_failure());
  }
  return Step::done;
}

// Open, and nobody has given up on it.
bool Flight::wants(const Text& text) {
  return !text.job->settled() && !text.job->aborted() && text.job->is_open(text.index);
}

bool Flight::is_wanted() const {
  const auto begin = texts_.begin() + static_cast<std::ptrdiff_t>(first_);
  return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(n_), wants);
}

void Flight::begin() {
  const JobOptions& options = texts_[first_].job->options;
  Pack pack{{},
            options.pooling,
            std::exchange(next_, nullptr),
            options.are_queries && forward_.limits().tells_queries,
            captain_ != nullptr ? captain_->crew() : 0};
  for (size_t i = 0; i < n_; ++i) pack.sequences.push_back(&texts_[first_ + i].sequence);
  pass_ = forward_.begin(pack);
  if (captain_ == nullptr) return;
  captain_->start(*pass_);
  is_under_way_ = true;
}

// False when no step is left.
bool Flight::step_pass(const Abort& stop) {
  if (captain_ == nullptr) return pass_->step([&] { return stop() || !is_wanted(); });
  is_under_way_ = false;
  captain_->take();
  return false;
}

void Flight::drop_pass() {
  if (is_under_way_) captain_->cancel();
  is_under_way_ = false;
  pass_.reset();
}

void Flight::begin_ahead() noexcept {
  if (pass_ != nullptr) return;
  try {
    begin();
  } catch (...) {
    pass_.reset();
  }
}

// On to the texts after the current ones.
void Flight::go_on() {
  drop_pass();
  first_ += n_;
  n_ = std::min(n_, texts_.size() - first_);
}

// The current texts again, each in a pass of its own.
void Flight::one_by_one() {
  drop_pass();
  n_ = 1;
}

void Flight::fail_current(Failure failure) {
  if (n_ > 1) return one_by_one();
  Text& text = texts_[first_];
  if (wants(text)) text.job->fail(text.index, std::move(failure));
  go_on();
}

// Each row to its text. A row that is not finite may have caught it from a text that shares its
// keys (0 · NaN is NaN), so where there are others it is computed again alone.
void Flight::deliver() {
  size_t n_again = 0;
  for (size_t i = 0; i < n_; ++i) {
    Text& text = texts_[first_ + i];
    if (!wants(text)) continue;
    try {
      const RowView row = pass_->row(i);
      if (all_finite(row.values, row.n_values)) {
        deliver(text, row);
        text.job->finish(text.index);
      } else if (n_ > 1) {
        std::swap(texts_[first_ + n_again++], text);
      } else {
        throw not_finite();
      }
    } catch (Failure& failure) {
      text.job->fail(text.index, std::move(failure));
    } catch (const std::bad_alloc&) {
      text.job->fail(text.index, no_memory());
    }
  }
  tell_progress();
  if (n_again == 0) return go_on();
  texts_.erase(texts_.begin() + static_cast<std::ptrdiff_t>(first_ + n_again),
               texts_.begin() + static_cast<std::ptrdiff_t>(first_ + n_));
  one_by_one();
}

// Once for each job, at its first text of the pass.
void Flight::tell_progress() const {
  const auto begin = texts_.begin() + static_cast<std::ptrdiff_t>(first_);
  for (auto text = begin; text != begin + static_cast<std::ptrdiff_t>(n_); ++text) {
    const Job& job = *text->job;
    const bool is_first =
        std::none_of(begin, text, [&](const Text& earlier) { return earlier.job == text->job; });
    if (is_first && job.on_progress && !job.failure) job.on_progress(job.n_done());
  }
}

void Flight::deliver(Text& text, const RowView& row) const {
  Job& job = *text.job;
  const JobOptions& options = job.options;
  if (options.task == JobOptions::Task::rank) {
    const auto logit = static_cast<double>(row.values[0]);
    job.scores[text.index] = options.probability ? logit_to_probability(logit) : logit;
    return;
  }
  const auto n_embd = static_cast<size_t>(forward_.limits().n_embd);
  const auto n_dims = static_cast<size_t>(options.n_dims);
  const bool every_token = options.pooling == Pooling::none;
  const size_t n_rows = every_token ? row.n_values / n_embd : 1;
  if (every_token) job.token_rows[text.index].resize(n_rows * n_dims);
  float* out = every_token ? job.token_rows[text.index].data() : job.vectors + text.index * n_dims;
  for (size_t i = 0; i < n_rows; ++i) {
    if (!row_to_vector(row.values + i * n_embd, n_dims, options.normalize, out + i * n_dims)) {
      throw Failure{Code::non_finite,
                    "the model gave a zero row, which has no direction.",
                    {},
                    "The file is damaged: "
                    "download it again."};
    }
  }
}

}  // namespace qwen3_embed
