// Batch invariance: a text's row is the same to the last bit whatever it was packed, ordered, tiled
// and threaded with.
#include <algorithm>
#include <cstring>

#include "check.h"
#include "core/network/make_forward.h"
#include "kernels/kernels.h"
#include "packed_model.h"

using namespace qwen3_embed;

static bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Runs `sequences` in packs of `at_once` in the order given by `order`, and says how many rows are
// not `alone`'s.
static int n_different(Forward& forward, const std::vector<Sequence>& sequences, const Rows& alone,
                       std::vector<size_t> order, size_t at_once, Pooling pooling) {
  int n = 0;
  for (size_t first = 0; first < order.size(); first += at_once) {
    std::vector<Sequence> pack;
    const size_t end = std::min(order.size(), first + at_once);
    for (size_t i = first; i < end; ++i) pack.push_back(sequences[order[i]]);
    const Rows rows = run(forward, pack, pooling);
    for (size_t i = first; i < end; ++i) n += !same_bits(rows[i - first], alone[order[i]]);
  }
  return n;
}

static void check_type(ggml_type type, const std::string& kernels, Pooling pooling) {
  const Model model(model_file(type));
  const std::vector<Sequence> sequences = random_sequences(11, 14, 30);
  std::vector<size_t> order(sequences.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;

  PackedOptions options;
  options.kernels = kernels;
  Rows alone;
  const auto one_thread = model.packed(options);
  for (const Sequence& sequence : sequences)
    alone.push_back(run(*one_thread, {sequence}, pooling).front());

  struct Setting {
    int n_threads, tile;
    size_t at_once;
  };
  std::mt19937 random(3);
  for (const Setting& setting :
       {Setting{1, 0, 16}, Setting{2, 13, 16}, Setting{3, 64, 5}, Setting{8, 1, 2}}) {
    options.n_threads = setting.n_threads;
    options.tile = setting.tile;
    std::shuffle(order.begin(), order.end(), random);
    const int n =
        n_different(*model.packed(options), sequences, alone, order, setting.at_once, pooling);
    if (n > 0) {
      std::printf("%s, kernels %s, %d threads, tile %d, %zu at once: %d rows differ\n",
                  ggml_type_name(type), kernels.c_str(), setting.n_threads, setting.tile,
                  setting.at_once, n);
    }
    CHECK(n == 0);
  }
}

// Tries of every shape, each against its sequences alone, with tiles that cut runs anywhere.
static void check_shapes() {
  std::mt19937 random(9);
  auto text = [&](size_t n) {
    Sequence sequence;
    while (sequence.ids.size() < n) sequence.ids.push_back(static_cast<Token>(random() % 24320));
    return sequence;
  };
  auto begins_with = [&](const Sequence& start, size_t n_shared, size_t n_own) {
    Sequence sequence = text(n_own);
    sequence.ids.insert(sequence.ids.begin(), start.ids.begin(),
                        start.ids.begin() + static_cast<std::ptrdiff_t>(n_shared));
    return sequence;
  };
  const Sequence start = text(200);
  std::vector<std::vector<Sequence>> packs(5);
  for (int i = 0; i < 12; ++i) packs[0].push_back(text(1 + random() % 50));  // strangers
  for (int i = 0; i < 6; ++i) packs[1].push_back(start);                     // all equal
  for (size_t n = 5; n <= 200; n += 13)
    packs[2].push_back(begins_with(start, n, 0));  // one inside another
  for (size_t n = 1; n <= 199; n += 11) packs[3].push_back(begins_with(start, n, 3));  // a comb
  packs[3].push_back(start);
  packs[4].push_back(text(700));  // one long with many short
  for (int i = 0; i < 20; ++i)
    packs[4].push_back(begins_with(packs[4][0], random() % 30, 1 + random() % 8));

  const Model model(model_file(GGML_TYPE_Q8_0));
  const auto plain = model.packed();
  PackedOptions options;
  options.n_threads = 2;
  for (const int tile : {1, 7, 64, 1000}) {
    options.tile = tile;
    const auto forward = model.packed(options);
    for (const std::vector<Sequence>& pack : packs) {
      const Rows together = run(*forward, pack, Pooling::last);
      int n_different = 0;
      for (size_t i = 0; i < pack.size(); ++i) {
        n_different += !same_bits(together[i], run(*plain, {pack[i]}, Pooling::last).front());
      }
      CHECK(n_different == 0);
    }
  }
}

// A pass that waits while others run, after every step, and these, against each alone.
static void check_passes_between() {
  const Model model(model_file(GGML_TYPE_Q8_0));
  PackedOptions options;
  options.n_threads = 2;
  options.tile = 16;
  const std::vector<Sequence> pack = random_sequences(21, 6, 40);
  const std::vector<Sequence> others = random_sequences(22, 24, 90);
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::none}) {
    const auto forward = model.packed(options);
    const Rows alone = run(*forward, pack, pooling);
    Rows others_alone;
    for (const Sequence& other : others)
      others_alone.push_back(run(*forward, {other}, Pooling::last).front());

    const auto fresh = model.packed(options);
    size_t n_between = 0;
    int n_others_different = 0, n_aborted = 0;
    const std::function<void()> between = [&] {
      const size_t i = n_between++ % others.size();
      if (i % 5 == 4) {
        try {
          run(*fresh, {others[i]}, Pooling::last, [] { return true; });
        } catch (const Failure& failure) {
          n_aborted += failure.code == Code::aborted;
        }
      } else {
        n_others_different +=
            !same_bits(run(*fresh, {others[i]}, Pooling::last).front(), others_alone[i]);
      }
    };
    const Rows rows = run(*fresh, pack, pooling, {}, between);
    CHECK(n_between > others.size());
    CHECK(n_aborted > 0);
    CHECK(n_others_different == 0);
    for (size_t i = 0; i < pack.size(); ++i) CHECK(same_bits(rows[i], alone[i]));
  }
}

// That the comparison would see it.
static void one_bit_is_seen() {
  std::vector<float> a(256, 0.1f), b = a;
  CHECK(same_bits(a, b));
  uint32_t bits;
  std::memcpy(&bits, &b[255], sizeof bits);
  bits ^= 1;
  std::memcpy(&b[255], &bits, sizeof bits);
  CHECK(!same_bits(a, b));
}

int main() {
  load_backends(libraries());
  one_bit_is_seen();
  check_shapes();
  check_passes_between();
  std::vector<std::string> kernel_names = {"ggml"};
  for (int i = 0; kernels::available(i) != nullptr; ++i)
    kernel_names.push_back(kernels::available(i)->name);
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                               GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K}) {
    for (const std::string& name : kernel_names) {
      // All sets share their row functions; the slow ones have their own test for every type.
      const bool slow = name == "portable" && type != GGML_TYPE_Q8_0 && type != GGML_TYPE_Q4_K;
      if (!slow) check_type(type, name, Pooling::last);
    }
  }
  for (const ggml_type type : {GGML_TYPE_Q5_0, GGML_TYPE_Q3_K, GGML_TYPE_IQ4_XS, GGML_TYPE_IQ3_S}) {
    check_type(type, "ggml", Pooling::last);
  }
  for (const Pooling pooling : {Pooling::mean, Pooling::none, Pooling::cls})
    check_type(GGML_TYPE_Q8_0, "auto", pooling);
  return check::finish();
}
