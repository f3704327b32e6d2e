// A pack in flight: its texts from the moment they leave their jobs' windows until each of them is
// done or failed.
#pragma once

#include <memory>
#include <vector>

#include "core/road/captain.h"
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

  enum class Step { done, nothing, last };

  // All of one pooling, and of one side where the forward tells them apart. `next`: see Pack;
  // needed until the first step only. `captain`: who steps the pass, and is free; null: step()
  // does.
  Flight(Forward& forward, std::vector<Text> texts, const Sequence* next, Captain* captain);
  ~Flight() { drop_pass(); }
  Flight(Flight&& other) noexcept;
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  // Begins the pass, steps it, or delivers its rows: one of the three; or nothing, while a captain
  // has it. The last step when every text is done or failed. Throws nothing: a pass that fails is
  // tried again text by text, so that only those that cannot be computed fail.
  Step step(const Abort& stop);
  bool has_captain() const { return captain_ != nullptr; }

  // Whether another step would only wait for a device.
  bool is_under_way() const { return pass_ != nullptr && pass_->is_under_way(); }
  // Begins the pass ahead of its first step, while a device is at another. What goes wrong is left
  // for that step to meet again, once the other's memory is free.
  void begin_ahead() noexcept;

 private:
  static bool wants(const Text& text);
  bool is_wanted() const;
  Step go_one_step(const Abort& stop);
  void begin();
  bool step_pass(const Abort& stop);
  void drop_pass();
  void deliver();
  void deliver(Text& text, const RowView& row) const;
  void one_by_one();
  void fail_current(Failure failure);
  void go_on();
  void tell_progress() const;

  Forward& forward_;
  std::vector<Text> texts_;
  const Sequence* next_;
  Captain* const captain_;
  std::unique_ptr<Pass> pass_;
  bool is_under_way_ = false;  // the captain has it
  size_t first_ = 0, n_;       // the texts that pass_ is for
};

}  // namespace qwen3_embed
