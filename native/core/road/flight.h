// A pack in flight: its texts from the moment they leave their jobs' windows until each of them is
// done or failed.
#pragma once

#include <memory>
#include <vector>

#include "core/road/forward.h"
#include "core/road/job.h"

namespace qwen3_embed {

class Flight {
 public:
  struct Text {
    std::shared_ptr<Job> job;
    size_t index;
    Sequence sequence;
  };

  // All of one pooling, and of one side where the forward tells them apart. `next`: see Pack;
  // needed until the first step only.
  Flight(Forward& forward, std::vector<Text> texts, const Sequence* next);

  // Begins the pass, steps it, or delivers its rows: one of the three. False when every text is
  // done or failed. Throws nothing: a pass that fails is tried again text by text, so that only
  // those that cannot be computed fail.
  bool step(const Abort& stop);

  // Whether another step would only wait for a device.
  bool is_under_way() const { return pass_ != nullptr && pass_->is_under_way(); }
  // Begins the pass ahead of its first step, while a device is at another. What goes wrong is left
  // for that step to meet again, once the other's memory is free.
  void begin_ahead() noexcept;

 private:
  static bool wants(const Text& text);
  bool is_wanted() const;
  void go_one_step(const Abort& stop);
  void begin();
  void deliver();
  void deliver(Text& text, const RowView& row) const;
  void one_by_one();
  void fail_current(Failure failure);
  void go_on();
  void tell_progress() const;

  Forward& forward_;
  std::vector<Text> texts_;
  const Sequence* next_;
  std::unique_ptr<Pass> pass_;
  size_t first_ = 0, n_;  // the texts that pass_ is for
};

}  // namespace qwen3_embed
