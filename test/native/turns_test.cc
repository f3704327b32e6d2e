// The next pack is made while a device computes one: in which order packs are begun, started and
// waited for, on a device that writes everything down.
#include "core/road/turns.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "core/graph/graph_forward.h"
#include "core/network/network.h"
#include "packed_model.h"

namespace {

using namespace qwen3_embed;

constexpr Token kPoison = 77;

class Recorder final : public Forward {
 public:
  Recorder() {
    limits_.n_embd = 32, limits_.max_tokens = 512, limits_.budget = 64;
    limits_.max_sequences = 16, limits_.shares_prefixes = false;
  }
  const Limits& limits() const override { return limits_; }
  std::unique_ptr<Pass> begin(const Pack& pack) override;

  size_t at(const std::string& event) const {
    return static_cast<size_t>(std::find(events.begin(), events.end(), event) - events.begin());
  }
  bool has(const std::string& event) const { return at(event) < events.size(); }

  std::vector<std::string> events;
  std::vector<size_t> n_sequences;  // of each pass
  int n_alive = 0, most_alive = 0;
  bool is_busy = false, was_started_twice = false;
  bool refuses_second = false;  // memory for another pass while one is alive

 private:
  Limits limits_;
};

class Recorded final : public Pass {
 public:
  Recorded(Recorder& device, const Pack& pack)
      : device_(device), i_(device.n_sequences.size()), row_(32, 0.0F) {
    for (const Sequence* sequence : pack.sequences) {
      const std::vector<Token>& ids = sequence->ids;
      poisoned_ |= std::find(ids.begin(), ids.end(), kPoison) != ids.end();
      sizes_.push_back(static_cast<float>(ids.size()));
    }
    device_.n_sequences.push_back(pack.sequences.size());
    device_.most_alive = std::max(device_.most_alive, ++device_.n_alive);
    say("begin");
  }
  ~Recorded() override {
    if (is_under_way_) device_.is_busy = false;
    --device_.n_alive;
  }
  bool step(const Abort&) override {
    if (!is_under_way_) {
      say("start");
      device_.was_started_twice |= device_.is_busy;
      return is_under_way_ = device_.is_busy = true;
    }
    is_under_way_ = device_.is_busy = false;
    say("finish");
    if (poisoned_) throw Failure{Code::compute, "The device failed.", {}};
    return false;
  }
  bool is_under_way() const override { return is_under_way_; }
  RowView row(size_t i) override {
    row_[0] = 1, row_[1] = sizes_[i];
    return {row_.data(), row_.size()};
  }

 private:
  void say(const char* what) { device_.events.push_back(what + std::to_string(i_)); }

  Recorder& device_;
  const size_t i_;
  std::vector<float> row_, sizes_;
  bool is_under_way_ = false, poisoned_ = false;
};

std::unique_ptr<Pass> Recorder::begin(const Pack& pack) {
  if (refuses_second && n_alive > 0) throw std::bad_alloc();
  return std::make_unique<Recorded>(*this, pack);
}

struct Call {
  Call(size_t n, size_t n_tokens, bool interactive, int n_dims = 32)
      : vectors(n * static_cast<size_t>(n_dims)), n_tokens(n), n_cut(n) {
    JobOptions options;
    options.interactive = interactive;
    options.fail_fast = false;
    options.normalize = false;
    options.n_dims = n_dims;
    job = std::make_shared<Job>(options);
    const auto head = std::make_shared<const std::string>();
    for (size_t i = 0; i < n; ++i) {
      std::vector<Token> ids;
      for (size_t k = 0; k < n_tokens; ++k)
        ids.push_back(static_cast<Token>(100 + (i * 31 + k) % 700));
      job->add_ids(head, std::move(ids));
    }
    job->vectors = vectors.data();
    job->n_tokens = this->n_tokens.data();
    job->n_cut = n_cut.data();
  }
  bool done() const { return job->settled() && !job->failure && job->failures.empty(); }

  std::vector<float> vectors;
  std::vector<int32_t> n_tokens, n_cut;
  std::shared_ptr<Job> job;
};

struct Road {
  Road() : file(root() + "/models/mini/mini-embed-Q8_0.gguf"), vocabulary(file, read_facts(file)) {}
  Gguf file;
  Vocabulary vocabulary;
};

const Road& road() {
  static const Road one;
  return one;
}

void run_all(Turns& turns, const Jobs& jobs) {
  for (int i = 0; i < 10000; ++i) {
    if (std::all_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->settled(); }))
      return;
    CHECK(turns.step(jobs, [] { return false; }) == Turns::Step::done);
  }
  CHECK(false);
}

void step_until(Turns& turns, const Jobs& jobs, const std::function<bool()>& is_so) {
  for (int i = 0; i < 1000 && !is_so(); ++i) turns.step(jobs, [] { return false; });
  CHECK(is_so());
}

void the_next_pack_is_made_meanwhile() {
  Recorder device;
  Turns turns(road().vocabulary, device, [] {});
  Call bulk(40, 15, false);
  run_all(turns, {bulk.job});
  CHECK(bulk.done());
  const size_t n = device.n_sequences.size();
  CHECK(n >= 10);
  // All but the last, which is not full.
  for (size_t i = 0; i + 2 < n; ++i) {
    const std::string now = std::to_string(i), next = std::to_string(i + 1);
    CHECK(device.at("start" + now) < device.at("begin" + next));
    CHECK(device.at("begin" + next) < device.at("finish" + now));
    CHECK(device.at("finish" + now) < device.at("start" + next));
  }
  CHECK(!device.was_started_twice && device.most_alive == 2);
  for (size_t i = 0; i < 40; ++i)
    CHECK(bulk.vectors[i * 32 + 1] == static_cast<float>(bulk.n_tokens[i]));
}

void interactive_texts_go_before_what_was_made_ahead() {
  Recorder device;
  Turns turns(road().vocabulary, device, [] {});
  Call bulk(40, 15, false), query(1, 5, true);
  Jobs jobs = {bulk.job};
  step_until(turns, jobs, [&] { return device.has("begin1"); });
  CHECK(!device.has("finish0"));
  jobs.push_back(query.job);
  step_until(turns, jobs, [&] { return query.job->settled(); });
  CHECK(query.done());
  CHECK(device.at("finish2") < device.at("start1"));  // 2 is the query's
  CHECK(device.n_sequences[2] == 1);
  run_all(turns, jobs);
  CHECK(bulk.done() && !device.was_started_twice);
}

// A pack that is not full waits for texts that come meanwhile.
void what_comes_meanwhile_goes_together() {
  Recorder device;
  Turns turns(road().vocabulary, device, [] {});
  std::vector<std::unique_ptr<Call>> calls;
  Jobs jobs;
  const auto ask = [&] {
    calls.push_back(std::make_unique<Call>(1, 5, true));
    jobs.push_back(calls.back()->job);
  };
  ask();
  step_until(turns, jobs, [&] { return device.has("start0"); });
  for (int i = 0; i < 5; ++i) ask();
  run_all(turns, jobs);
  CHECK((device.n_sequences == std::vector<size_t>{1, 5}));
  for (const auto& call : calls) CHECK(call->done());
}

void without_memory_for_two_there_is_one() {
  Recorder device;
  device.refuses_second = true;
  Turns turns(road().vocabulary, device, [] {});
  Call bulk(40, 15, false);
  run_all(turns, {bulk.job});
  CHECK(bulk.done());
  CHECK(device.most_alive == 1);
}

void failures_stay_with_their_texts() {
  Recorder device;
  Turns turns(road().vocabulary, device, [] {});
  Call bulk(40, 15, false);
  bulk.job->given_ids[5] = {kPoison, 1, 2};
  run_all(turns, {bulk.job});
  CHECK(!bulk.job->failure && bulk.job->failures.size() == 1);
  CHECK(bulk.job->failures[0].index == 5);
  for (size_t i = 0; i < 40; ++i) CHECK((bulk.vectors[i * 32] == 1) == (i != 5));
  CHECK(!device.was_started_twice);
}

void an_aborted_call_leaves_the_device_to_others() {
  Recorder device;
  Turns turns(road().vocabulary, device, [] {});
  Call bulk(40, 15, false), other(20, 15, false);
  step_until(turns, {bulk.job}, [&] { return device.has("begin1"); });
  bulk.job->abort();
  bulk.job->failure = Failure{Code::aborted, "Aborted.", {}};
  run_all(turns, {other.job});
  CHECK(other.done());
  CHECK(!device.has("start1") && !device.was_started_twice);
  CHECK(device.n_alive == 0);
}

// The same with a real graph: vectors are those of one pack after another.
void vectors_are_the_same() {
  PackedOptions options;
  options.budget = 64;
  options.portable_graph = true;
  options.flash = options.pads = true;
  const auto make = [&] {
    return std::make_unique<GraphForward>(build_network(road().file, read_facts(road().file)),
                                          options);
  };
  const auto graph = make(), alone = make();
  Turns turns(road().vocabulary, *graph, [] {});
  Call bulk(24, 15, false, 256), queries(3, 4, true, 256);
  Jobs jobs = {bulk.job};
  turns.step(jobs, [] { return false; });
  jobs.push_back(queries.job);
  run_all(turns, jobs);
  CHECK(bulk.done() && queries.done());
  CHECK(graph->times().n_packs >= 7);
  for (const Call* call : {&bulk, &queries}) {
    Call one_by_one(call->n_tokens.size(), call == &bulk ? 15 : 4, true, 256);
    const float* vector = call->vectors.data();
    for (size_t i = 0; i < call->n_tokens.size(); ++i, vector += 256) {
      Sequence sequence{one_by_one.job->given_ids[i]};
      sequence.ids.push_back(road().vocabulary.find("<|endoftext|>"));
      const Rows row = run(*alone, {sequence}, Pooling::last);
      CHECK(1 - cosine(row[0], {vector, vector + 256}) < 1e-5);
    }
  }
}

}  // namespace

int main() {
  load_backends(libraries());
  the_next_pack_is_made_meanwhile();
  interactive_texts_go_before_what_was_made_ahead();
  what_comes_meanwhile_goes_together();
  without_memory_for_two_there_is_one();
  failures_stay_with_their_texts();
  an_aborted_call_leaves_the_device_to_others();
  vectors_are_the_same();
  return check::finish();
}
