// Bulk packs on several crews: the bits of one crew, interactive texts first, and every end that a
// call may come to, while packs are under way on threads of their own.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "check.h"
#include "core/machine/backends.h"
#include "gguf_builder.h"
#include "loaded_model.h"
#include "packed_model.h"

using namespace qwen3_embed;

namespace {

LoadOptions options_for(const std::string& path, int n_crews, int n_threads = 2) {
  LoadOptions options;
  options.path = path;
  options.engine = "packed";
  options.n_threads = n_threads;
  options.n_crews = n_crews;
  options.budget = 128;
  options.max_tokens = 512;
  options.prefix_bytes = size_t{1} << 20;
  return options;
}

std::string mini() { return root() + "/models/mini/mini-embed-Q8_0.gguf"; }

// Strangers and kin, short and long: some longer than a pack.
std::vector<std::string> bodies(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  const std::string words[] = {"river ", "stone ", "of ",       "the ",   "engine ",
                               "night ", "paper ", "to ",       "seven ", "in ",
                               "green ", "is ",    "question ", "book "};
  std::vector<std::string> texts;
  while (texts.size() < n) {
    std::string text = random() % 3 == 0 ? "a beginning that several of these texts have, " : "";
    for (size_t k = 1 + random() % (random() % 16 == 0 ? 200 : 30); k > 0; --k)
      text += words[random() % std::size(words)];
    texts.push_back(std::move(text));
  }
  return texts;
}

JobOptions bulk() { return {}; }
JobOptions interactive() {
  JobOptions options;
  options.interactive = true;
  return options;
}

// Submitted with `ends`.
std::unique_ptr<Call> start(Loaded& model, Ends& ends, const JobOptions& options,
                            const std::vector<std::string>& texts) {
  auto call = std::make_unique<Call>(options, texts, model.n_embd());
  call->ends = &ends;
  model.lane().submit(call->job);
  return call;
}

bool wait_for_progress(const Call& call, size_t n_done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (call.n_progress < n_done && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  return call.n_progress >= n_done;
}

size_t n_different(const Call& a, const Call& b) {
  size_t n = 0;
  for (size_t i = 0; i < a.job->n_texts(); ++i) n += a.result(i) != b.result(i);
  return n;
}

void same_bits() {
  const std::vector<std::string> texts = bodies(80, 1), others = bodies(20, 2);
  Ends ends;
  Loaded one(options_for(mini(), 1));
  const auto expected = start(one, ends, bulk(), texts);
  CHECK(ends.wait_for(1));
  const auto expected_others = start(one, ends, interactive(), others);
  CHECK(ends.wait_for(2));
  CHECK(one.lane().times().n_dealt == 0);
  for (const auto& [n_crews, n_threads] : {std::pair{2, 2}, {3, 3}, {2, 5}}) {
    Loaded several(options_for(mini(), n_crews, n_threads));
    Ends of_several;
    const auto calls = start(several, of_several, bulk(), texts);
    const auto again = start(several, of_several, bulk(), texts);
    const auto between = start(several, of_several, interactive(), others);
    CHECK(of_several.wait_for(3));
    for (const auto* call : {&calls, &again, &between}) {
      CHECK(!(*call)->job->failure && (*call)->job->failures.empty());
    }
    CHECK(n_different(*calls, *expected) == 0);
    CHECK(n_different(*again, *expected) == 0);
    CHECK(n_different(*between, *expected_others) == 0);
    CHECK(several.lane().times().n_dealt > 0);
  }
}

// A call of few tokens goes to all threads.
void few_texts_are_not_dealt() {
  Loaded model(options_for(mini(), 2));
  Ends ends;
  const auto call = start(model, ends, bulk(), {"one", "two"});
  CHECK(ends.wait_for(1));
  CHECK(model.lane().times().n_packs == 1 && model.lane().times().n_dealt == 0);
}

// An interactive text waits for the steps under way, never for a pack: bulk texts that are done
// meanwhile are those of the packs that were about to end.
void interactive_texts_go_first() {
  Loaded model(options_for(mini(), 2));
  Ends ends, of_queries;
  const auto call = start(model, ends, bulk(), bodies(600, 3));
  CHECK(wait_for_progress(*call, 1));
  size_t n_meanwhile = 0;
  for (int i = 1; i <= 12; ++i) {
    const size_t before = call->n_progress;
    const auto query =
        start(model, of_queries, interactive(), {"what is asked " + std::to_string(i)});
    CHECK(of_queries.wait_for(i));
    CHECK(query->n_settled == 1 && !query->job->failure);
    n_meanwhile += call->n_progress - before;
  }
  // 12 queries beside packs of about 8 texts: 600 texts are far from done.
  CHECK(call->n_settled == 0);
  CHECK(n_meanwhile < 300);
  // While interactive texts never cease, bulk texts go on all the same.
  Ends of_many;
  const size_t before = call->n_progress;
  const auto many = start(model, of_many, interactive(), bodies(300, 4));
  CHECK(of_many.wait_for(1));
  CHECK(call->n_progress > before || call->n_settled == 1);
  call->job->abort();
  model.lane().wake();
  CHECK(ends.wait_for(1));
}

void aborts() {
  Loaded model(options_for(mini(), 2));
  const std::vector<std::string> texts = bodies(100, 5);
  for (int i = 0; i < 12; ++i) {
    Ends ends;
    const auto call = start(model, ends, bulk(), texts);
    if (i % 3 > 0) CHECK(wait_for_progress(*call, i % 3 == 1 ? 1 : 20));
    call->job->abort();
    model.lane().wake();
    CHECK(ends.wait_for(1));
    CHECK(call->n_settled == 1);
    CHECK(call->job->failure && call->job->failure->code == Code::aborted);
  }
  // One of two, and the other is as if it had been alone.
  Ends ends;
  const auto kept = start(model, ends, bulk(), texts), dropped = start(model, ends, bulk(), texts);
  CHECK(wait_for_progress(*kept, 1));
  dropped->job->abort();
  model.lane().wake();
  CHECK(ends.wait_for(2));
  Loaded one(options_for(mini(), 1));
  Ends of_one;
  const auto expected = start(one, of_one, bulk(), texts);
  CHECK(of_one.wait_for(1));
  CHECK(!kept->job->failure && n_different(*kept, *expected) == 0);
}

void closes() {
  const std::vector<std::string> texts = bodies(80, 6);
  {
    Loaded model(options_for(mini(), 2));
    Ends ends;
    const auto call = start(model, ends, bulk(), texts);
    model.lane().close();
    CHECK(ends.wait_for(1));
    CHECK(!call->job->failure && call->job->n_done() == texts.size());
  }
  for (int i = 0; i < 6; ++i) {
    Loaded model(options_for(mini(), 2));
    Ends ends;
    const auto call = start(model, ends, bulk(), texts);
    if (i % 2 == 0) CHECK(wait_for_progress(*call, 1));
    model.lane().shut();
    CHECK(call->n_settled == 1);
    CHECK(call->job->failure && call->job->failure->code == Code::aborted);
  }
}

void notices_a_changed_file() {
  const gguf_builder::Folder folder;
  const std::string path = folder.path() + "/mini.gguf";
  std::filesystem::copy_file(mini(), path);
  Loaded model(options_for(path, 2));
  Ends ends;
  const auto call = start(model, ends, bulk(), bodies(400, 7));
  CHECK(wait_for_progress(*call, 1));
  std::ofstream(path, std::ios::binary | std::ios::app) << "more";
  CHECK(ends.wait_for(1));
  CHECK(call->n_settled == 1 && !call->job->failures.empty());
  size_t n_changed = 0;
  for (const ItemFailure& item : call->job->failures)
    n_changed += item.failure.code == Code::model_changed;
  CHECK(n_changed == call->job->failures.size());
  CHECK(call->n_progress > 0);
}

}  // namespace

int main() {
  load_backends(libraries());
  same_bits();
  few_texts_are_not_dealt();
  interactive_texts_go_first();
  aborts();
  closes();
  notices_a_changed_file();
  return check::finish();
}
