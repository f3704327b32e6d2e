// Kept prefixes: the same bits with and without them, whatever came before, whatever runs between;
// and they are kept where it saves something.
#include "core/cpu/prefix_store.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

#include "check.h"
#include "core/file/gguf_file.h"
#include "kernels/kernels.h"
#include "packed_model.h"

using namespace qwen3_embed;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<Token> random_ids(std::mt19937& random, size_t n) {
  std::vector<Token> ids(n);
  for (Token& id : ids) id = static_cast<Token>(random() % 24320);
  return ids;
}

// Few beginnings, cut short, extended, branching: what comes again in a day of queries.
class Texts {
 public:
  explicit Texts(unsigned seed) : random_(seed) {
    for (const size_t n : {9, 30, 60, 100}) known_.push_back(random_ids(random_, n));
  }
  Sequence next() {
    std::vector<Token> ids = known_[random_() % known_.size()];
    if (random_() % 3 == 0) ids.resize(1 + random_() % ids.size());
    const std::vector<Token> more = random_ids(random_, random_() % 20);
    ids.insert(ids.end(), more.begin(), more.end());
    if (random_() % 5 == 0 && ids.size() < 150) known_[random_() % known_.size()] = ids;
    return {ids};
  }
  std::vector<Sequence> pack(size_t most) {
    std::vector<Sequence> sequences(1 + random_() % most);
    for (Sequence& sequence : sequences) sequence = next();
    return sequences;
  }

 private:
  std::mt19937 random_;
  std::vector<std::vector<Token>> known_;
};

// Row by row against a model that keeps nothing.
struct Compared {
  int n_rows = 0, n_different = 0;
  void add(const Rows& rows, const Rows& expected) {
    for (size_t i = 0; i < rows.size(); ++i, ++n_rows)
      n_different += !same_bits(rows[i], expected[i]);
  }
};

// Two sequences of passes, a step of one and a step of the other.
Compared run_side_by_side(Forward& forward, Forward& plain, Texts& texts, int n_passes,
                          Pooling pooling) {
  struct Flying {
    std::vector<Sequence> sequences;
    std::unique_ptr<Pass> pass;
  };
  Compared compared;
  Flying flying[2];
  int n_begun = 0;
  bool any = true;
  while (any) {
    any = false;
    for (Flying& one : flying) {
      if (one.pass == nullptr && n_begun < n_passes) {
        one.sequences = texts.pack(5);
        Pack pack{{}, pooling};
        for (const Sequence& sequence : one.sequences) pack.sequences.push_back(&sequence);
        one.pass = forward.begin(pack);
        ++n_begun;
      }
      if (one.pass == nullptr) continue;
      any = true;
      if (one.pass->step({})) continue;
      Rows rows;
      for (size_t i = 0; i < one.sequences.size(); ++i) {
        const RowView row = one.pass->row(i);
        rows.emplace_back(row.values, row.values + row.n_values);
      }
      one.pass.reset();
      compared.add(rows, run(plain, one.sequences, pooling));
    }
  }
  return compared;
}

void same_bits_over_many_passes() {
  for (const char* kernels : {"auto", "ggml", "portable"}) {
    const Model model(model_file(GGML_TYPE_Q8_0));
    PackedOptions options;
    options.kernels = kernels;
    options.n_threads = 2;
    const auto plain = model.packed(options);
    const int64_t token_bytes = 4 * 2 * 128 * 2 * 4;  // about; room for some tens or all
    const bool slow = std::string(kernels) == "portable";
    for (const size_t room :
         {size_t{60 * token_bytes}, size_t{300 * token_bytes}, size_t{1} << 26}) {
      if (slow && room != size_t{60 * token_bytes}) continue;
      options.prefix_bytes = room;
      options.tile = room % 3 == 0 ? 0 : 17;
      const auto keeping = model.packed(options);
      Texts texts(static_cast<unsigned>(room % 1000));
      const int n_passes = slow ? 6 : 24;
      const Compared last = run_side_by_side(*keeping, *plain, texts, n_passes, Pooling::last);
      // Other poolings run through the prefix, and may come between.
      const Compared mean = run_side_by_side(*keeping, *plain, texts, 2, Pooling::mean);
      const Compared again = run_side_by_side(*keeping, *plain, texts, n_passes / 4, Pooling::last);
      const ForwardTimes times = keeping->times();
      CHECK(last.n_different + mean.n_different + again.n_different == 0);
      CHECK(static_cast<size_t>(times.kept_bytes) <= room);
      CHECK(times.n_tokens_kept > 0);
      CHECK(times.n_tokens_run + times.n_tokens_kept <= times.n_tokens);
      std::printf("%s, room %zu: %d rows, %lld of %lld tokens kept, %lld bytes\n", kernels, room,
                  last.n_rows + mean.n_rows + again.n_rows,
                  static_cast<long long>(times.n_tokens_kept),
                  static_cast<long long>(times.n_tokens), static_cast<long long>(times.kept_bytes));
    }
  }
}

// The instruction of every query: seen, kept, used.
void the_third_query_runs_its_own_tokens_only() {
  const Model model(model_file(GGML_TYPE_Q8_0));
  PackedOptions options;
  options.prefix_bytes = size_t{16} << 20;
  const auto forward = model.packed(options);
  std::mt19937 random(5);
  const std::vector<Token> instruction = random_ids(random, 24);
  int64_t run_before = 0, kept_before = 0;
  for (int i = 0; i < 5; ++i) {
    std::vector<Token> ids = instruction;
    const std::vector<Token> query = random_ids(random, 12);
    ids.insert(ids.end(), query.begin(), query.end());
    run(*forward, {{ids}}, Pooling::last);
    const ForwardTimes times = forward->times();
    const int64_t n_run = times.n_tokens_run - run_before,
                  n_kept = times.n_tokens_kept - kept_before;
    CHECK(n_run == (i < 2 ? 36 : 12));
    CHECK(n_kept == (i < 2 ? 0 : 24));
    run_before = times.n_tokens_run, kept_before = times.n_tokens_kept;
  }
  CHECK(forward->times().kept_bytes > 0);
  // What is cut in the middle of what is kept still uses its beginning.
  std::vector<Token> half(instruction.begin(), instruction.begin() + 15);
  run(*forward, {{half}}, Pooling::last);
  CHECK(forward->times().n_tokens_kept - kept_before == 14);
  // A prefix of a pack's successor is kept at once.
  const auto fresh = model.packed(options);
  const std::vector<Token> query = random_ids(random, 40);
  Sequence first{query}, next{query};
  first.ids.push_back(1), next.ids.push_back(2);
  const Pack pack{{&first}, Pooling::last, &next};
  const auto pass = fresh->begin(pack);
  while (pass->step({})) {
  }
  run(*fresh, {next}, Pooling::last);
  CHECK(fresh->times().n_tokens_kept == 40);
}

// Neither a pass that fails nor one that gives no number leaves anything behind.
void what_goes_wrong_is_not_kept() {
  const Model model(model_file(GGML_TYPE_Q8_0));
  PackedOptions options;
  options.prefix_bytes = size_t{16} << 20;
  const auto plain = model.packed();
  const auto forward = model.packed(options);
  std::mt19937 random(6);
  const std::vector<Token> begin = random_ids(random, 30);
  const auto text = [&](Token last) {
    Sequence sequence{begin};
    sequence.ids.push_back(last);
    return sequence;
  };
  run(*forward, {text(1)}, Pooling::last);
  for (int n_steps = 0; n_steps < 200; ++n_steps) {
    const Sequence sequence = text(2);
    const Pack pack{{&sequence}, Pooling::last};
    const auto pass = forward->begin(pack);
    bool done = false;
    for (int i = 0; i < n_steps && !done; ++i) done = !pass->step({});
    if (done) break;
    CHECK(forward->times().kept_bytes == 0);
  }
  CHECK(forward->times().kept_bytes > 0);
  const Rows rows = run(*forward, {text(3)}, Pooling::last);
  CHECK(same_bits(rows[0], run(*plain, {text(3)}, Pooling::last)[0]));
}

// The store by itself.
void the_least_recently_used_goes() {
  constexpr size_t n_layers = 2;
  constexpr int64_t n_kv = 4;
  constexpr size_t token_bytes = n_layers * 2 * n_kv * sizeof(float);
  PrefixStore store(n_layers, n_kv, 100 * token_bytes);
  const auto text = [](Token start, size_t n) {
    Sequence sequence;
    for (size_t i = 0; i < n; ++i) sequence.ids.push_back(start + static_cast<Token>(i));
    return sequence;
  };
  const auto keep = [&](const Sequence& sequence, int32_t n) {
    store.keep(store.prepare(sequence, n));
  };
  keep(text(0, 50), 40);
  keep(text(100, 50), 40);
  CHECK(store.n_bytes() == 80 * token_bytes);
  CHECK(store.find(text(0, 50)).n_tokens == 40);
  CHECK(store.find(text(0, 40)).n_tokens == 39);  // the last one is read
  CHECK(store.find(text(0, 8)).prefix == nullptr);
  keep(text(200, 50), 30);  // 100 goes: 0 was asked for since
  CHECK(store.find(text(100, 50)).prefix == nullptr);
  CHECK(store.find(text(0, 50)).n_tokens == 40);
  keep(text(0, 60), 50);  // takes the place of the one it goes on from
  CHECK(store.n_bytes() == 80 * token_bytes);
  CHECK(store.find(text(0, 70)).n_tokens == 50);
  keep(text(0, 60), 50);
  CHECK(store.n_bytes() == 80 * token_bytes);
  keep(text(300, 200), 200);  // larger than all there is: not even itself
  CHECK(store.n_bytes() == 0);
  CHECK(store.find(text(0, 70)).prefix == nullptr);
}

// A model whose token `poison` is not a number.
void nothing_that_is_no_number_is_kept() {
  const std::string path = model_file(GGML_TYPE_F16);
  const Token poison = 93;
  const std::string copy = path + ".poisoned";
  {
    const Gguf file(path);
    const GgufTensor* tensor = file.tensor("token_embd.weight");
    std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
    std::fstream out(copy, std::ios::in | std::ios::out | std::ios::binary);
    const uint16_t nan = 0x7e00;
    const uint64_t row = tensor->bytes / static_cast<uint64_t>(tensor->shape[1]);
    out.seekp(static_cast<std::streamoff>(tensor->offset + row * static_cast<uint64_t>(poison)));
    for (uint64_t i = 0; i < row / 2; ++i)
      out.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  }
  const Model model(copy);
  PackedOptions options;
  options.prefix_bytes = size_t{16} << 20;
  const auto forward = model.packed(options), plain = model.packed();
  std::mt19937 random(7);
  std::vector<Token> begin = random_ids(random, 30);
  std::replace(begin.begin(), begin.end(), poison, Token{94});
  std::vector<Token> poisoned = begin;
  poisoned[20] = poison;
  for (int i = 0; i < 4; ++i) {
    Sequence bad{poisoned}, worse{begin};
    bad.ids.push_back(i + 1);
    worse.ids.push_back(poison), worse.ids.push_back(i + 1);
    const Rows rows = run(*forward, {bad, worse}, Pooling::last);
    CHECK(std::isnan(rows[0][0]) && std::isnan(rows[1][0]));
    CHECK(forward->times().kept_bytes == 0);
  }
  for (int i = 0; i < 4; ++i) {
    Sequence good{begin};
    good.ids.push_back(i + 100);
    const Rows rows = run(*forward, {good}, Pooling::last);
    CHECK(std::isfinite(rows[0][0]));
    CHECK(same_bits(rows[0], run(*plain, {good}, Pooling::last)[0]));
  }
  CHECK(forward->times().n_tokens_kept > 0);
  std::filesystem::remove(copy);
}

}  // namespace

int main() {
  load_backends(libraries());
  the_least_recently_used_goes();
  the_third_query_runs_its_own_tokens_only();
  what_goes_wrong_is_not_kept();
  nothing_that_is_no_number_is_kept();
  same_bits_over_many_passes();
  return check::finish();
}
