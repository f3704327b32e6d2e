// The packed engine against llama.cpp's own pass, for every weight type, head and pooling.
#include <algorithm>

#include "check.h"
#include "core/network/make_forward.h"
#include "packed_model.h"

using namespace qwen3_embed;

constexpr ggml_type kTypes[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                                GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
// Left to ggml's products by every kernel set.
constexpr ggml_type kOtherTypes[] = {GGML_TYPE_Q5_0, GGML_TYPE_Q4_1, GGML_TYPE_Q3_K,
                                     GGML_TYPE_IQ4_XS};

static double worst_cosine(const Rows& a, const Rows& b) {
  double worst = 1;
  for (size_t i = 0; i < a.size(); ++i) worst = std::min(worst, cosine(a[i], b[i]));
  return worst;
}

static void same_as_llama(ggml_type type, const char* kernels) {
  const Model model(model_file(type));
  PackedOptions options;
  options.n_threads = 2;
  options.kernels = kernels;
  const auto packed = model.packed(options);
  const auto oracle = model.generic();
  const std::vector<Sequence> sequences = random_sequences(1, 12, 60);
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::cls, Pooling::none}) {
    const double worst =
        worst_cosine(run(*packed, sequences, pooling), run(*oracle, sequences, pooling));
    if (!(worst >= 0.9999)) {
      std::printf("%s, kernels %s, pooling %d: cosine %.7f\n", ggml_type_name(type), kernels,
                  static_cast<int>(pooling), worst);
    }
    CHECK(worst >= 0.9999);
  }
}

// The graph that GPUs run, on the CPU backend: whole, and cut in tiles.
static void graph_agrees(ggml_type type, int tile, bool flash) {
  const Model model(model_file(type));
  const std::vector<Sequence> sequences = random_sequences(1, 12, 60);
  PackedOptions options;
  const auto ours = model.packed(options);
  options.portable_graph = true;
  options.flash = flash;
  options.tile = tile;
  const auto graph = model.packed(options);
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::cls, Pooling::none}) {
    CHECK(worst_cosine(run(*graph, sequences, pooling), run(*ours, sequences, pooling)) >= 0.9999);
  }
  CHECK(graph->limits().kernels == "ggml");
}

static void ranks(Heads heads, ggml_type type, double tolerance) {
  const Model model(model_file(type, heads));
  const auto packed = model.packed();
  const std::vector<Sequence> sequences = random_sequences(2, 10, 40);
  const Rows ours = run(*packed, sequences, Pooling::rank);
  const Rows theirs = run(*model.generic(), sequences, Pooling::rank);
  bool close = true;
  for (size_t i = 0; i < ours.size(); ++i) {
    const double off =
        std::abs(static_cast<double>(ours[i].at(0)) - static_cast<double>(theirs[i].at(0)));
    close &= off <= tolerance;
    if (!(off <= tolerance)) {
      std::printf("head %d, %s: logit %g off by %g\n", static_cast<int>(heads),
                  ggml_type_name(type), static_cast<double>(theirs[i].at(0)), off);
    }
  }
  CHECK(close);
}

static void counts_what_it_shares() {
  const Model model(model_file(GGML_TYPE_Q8_0));
  const auto packed = model.packed();
  const std::vector<Sequence> equal(5, Sequence{{1, 2, 3, 4}});
  const Rows rows = run(*packed, equal, Pooling::last);
  CHECK(packed->times().n_tokens == 20);
  CHECK(packed->times().n_tokens_run == 4);
  CHECK(rows[0] == rows[4]);
  CHECK(packed->limits().n_embd == 256 && packed->limits().shares_prefixes);
}

template <typename Act>
static Code code_of(const Act& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code;
  }
  return static_cast<Code>(-1);
}

static void refuses_and_goes_on() {
  const Model model(model_file(GGML_TYPE_Q8_0));
  const auto packed = model.packed();
  const std::vector<Sequence> good = random_sequences(4, 3, 20);
  const Rows before = run(*packed, good, Pooling::last);
  CHECK(code_of([&] { run(*packed, {Sequence{}}, Pooling::last); }) == Code::compute);
  CHECK(code_of([&] { run(*packed, {Sequence{{24325}}}, Pooling::last); }) == Code::compute);
  CHECK(code_of([&] { run(*packed, {Sequence{{-1}}}, Pooling::last); }) == Code::compute);
  CHECK(code_of([&] { run(*packed, {Sequence{std::vector<Token>(5000)}}, Pooling::last); }) ==
        Code::compute);
  CHECK(code_of([&] { run(*packed, good, Pooling::rank); }) == Code::compute);
  CHECK(code_of([&] { run(*packed, good, Pooling::last, [] { return true; }); }) == Code::aborted);
  int n_asked = 0;
  CHECK(code_of([&] { run(*packed, good, Pooling::last, [&] { return ++n_asked > 50; }); }) ==
        Code::aborted);
  CHECK(n_asked == 51);
  CHECK(run(*packed, good, Pooling::last) == before);

  PackedOptions options;
  options.kernels = "abacus";
  CHECK(code_of([&] { model.packed(options); }) == Code::model_unsupported);
  options = {};
  options.abort_load = [] { return true; };
  CHECK(code_of([&] { model.packed(options); }) == Code::aborted);
}

int main() {
  load_backends(libraries());
  for (const ggml_type type : kTypes) {
    same_as_llama(type, "auto");
    same_as_llama(type, "ggml");
  }
  for (const ggml_type type : kOtherTypes) same_as_llama(type, "auto");
  for (const Heads heads : {Heads::cls, Heads::untied, Heads::tied}) {
    ranks(heads, GGML_TYPE_F32, 1e-4);
    // The rows of token_embd give logits of +-25, and llama.cpp rounds activations to F16 where we
    // do not: 25 * 2^-11 is 0.012 (measured: 0.0105 on AVX2, less with AVX-512).
    ranks(heads, GGML_TYPE_F16, heads == Heads::tied ? 2e-2 : 2e-3);
  }
  for (const bool flash : {false, true}) {
    for (const int tile : {0, 1, 40, 128}) graph_agrees(GGML_TYPE_F16, tile, flash);
    graph_agrees(GGML_TYPE_Q8_0, 0, flash);
  }
  counts_what_it_shares();
  refuses_and_goes_on();
  return check::finish();
}
