// Attention against a softmax in double precision, and against itself in other cuts.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"

namespace qwen3_embed::kernels {
namespace {

// One sequence's queries, keys and values for one KV head, as a pass would hold them.
struct Sequence {
  int64_t length, group, head_dim;
  std::vector<float> q, k, v;  // (length, group * head_dim), (length, head_dim)

  Sequence(int64_t tokens, int64_t heads, int64_t width)
      : length(tokens),
        group(heads),
        head_dim(width),
        q(random_floats(tokens * heads * width)),
        k(random_floats(tokens * width)),
        v(random_floats(tokens * width)) {}
};

// Queries [begin, end) with the keys in the given runs, each copied to a place of its own with a
// stride of its own.
std::vector<float> attend(const Kernels& set, const Sequence& s, int64_t begin, int64_t end,
                          const std::vector<int64_t>& cuts, Rounding rounding,
                          bool is_causal = true) {
  const int64_t stride = s.head_dim + 8;
  std::vector<std::vector<float>> k, v;
  std::vector<KeyRun> runs;
  for (size_t i = 0; i + 1 < cuts.size(); i++) {
    const int64_t count = cuts[i + 1] - cuts[i];
    k.emplace_back(static_cast<size_t>(count * stride));
    v.emplace_back(static_cast<size_t>(count * stride));
    for (int64_t j = 0; j < count; j++) {
      std::copy_n(s.k.begin() + (cuts[i] + j) * s.head_dim, s.head_dim,
                  k.back().begin() + j * stride);
      std::copy_n(s.v.begin() + (cuts[i] + j) * s.head_dim, s.head_dim,
                  v.back().begin() + j * stride);
    }
    runs.push_back({k.back().data(), v.back().data(), count});
  }
  Aligned scratch(kAttentionScratch);
  std::vector<float> out(static_cast<size_t>((end - begin) * s.group * s.head_dim));
  Attention a{};
  a.head_dim = s.head_dim;
  a.group = s.group;
  a.scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
  a.rounding = rounding;
  a.is_causal = is_causal;
  a.n_keys = cuts.back();
  a.position = begin;
  a.n_queries = end - begin;
  a.q = s.q.data() + begin * s.group * s.head_dim;
  a.q_token_stride = s.group * s.head_dim;
  a.q_head_stride = s.head_dim;
  a.runs = runs.data();
  a.n_runs = static_cast<int64_t>(runs.size());
  a.k_token_stride = a.v_token_stride = stride;
  a.out = out.data();
  a.out_token_stride = s.group * s.head_dim;
  a.out_head_stride = s.head_dim;
  a.scratch = scratch.data;
  set.attention(a);
  CHECK(scratch.intact(), "%s attention wrote beyond its scratch", set.name);
  return out;
}

std::vector<int64_t> random_cuts(int64_t length) {
  std::vector<int64_t> cuts = {0, length};
  for (int64_t i = integer(0, 6); i > 0; i--) cuts.push_back(integer(0, length));
  std::sort(cuts.begin(), cuts.end());
  return cuts;  // runs without keys included
}

double length_of(const float* x, int64_t n) {
  double squares = 0;
  for (int64_t i = 0; i < n; i++) squares += static_cast<double>(x[i]) * x[i];
  return std::sqrt(squares);
}

bool has_bf16(const Kernels& set) { return set.row_format(WeightType::kBf16) == RowFormat::kBf16; }

// Whether a set rounds queries and keys to codes where it may.
bool rounds_to_codes(const Kernels& set, Rounding rounding) {
  if (std::strcmp(set.name, "amx") == 0) return rounding == Rounding::kBf16;
  return std::strncmp(set.name, "avx", 3) == 0 && rounding != Rounding::kNone;
}

}  // namespace

void test_attention(const Kernels& set, Rounding rounding) {
  const char* form = rounding == Rounding::kNone    ? "attention"
                     : rounding == Rounding::kCodes ? "attention of codes"
                                                    : "attention of BF16";
  const bool codes = rounds_to_codes(set, rounding);
  const bool bf16 = rounding == Rounding::kBf16 && has_bf16(set);
  const int64_t shapes[][3] = {{1, 2, 128},  {12, 2, 128},  {63, 1, 64},  {64, 4, 128},
                               {65, 2, 128}, {150, 2, 128}, {200, 5, 32}, {333, 4, 256},
                               {130, 8, 8},  {16, 1, 128},  {70, 3, 40}};
  for (const auto& shape : shapes) {
    Sequence s(shape[0], shape[1], shape[2]);
    // Some scores stand far out, so that the running maximum moves.
    for (int64_t i = 0; i < s.length; i++)
      if (integer(0, 9) == 0)
        for (int64_t d = 0; d < s.head_dim; d++) s.k[static_cast<size_t>(i * s.head_dim + d)] *= 20;
    const std::vector<float> whole = attend(set, s, 0, s.length, {0, s.length}, rounding);

    // Scores are sums in floats, so their error grows with their size, and a weight's relative
    // error is a score's error. Codes are off by 1.3e-5 (rms) of the lengths of q and k
    // instead; eight times that is allowed.
    double worst = 0, reach = 0, lengths = 0;
    for (int64_t i = 0; i < s.length; i++)
      for (int64_t h = 0; h < s.group; h++) {
        const float* q = s.q.data() + (i * s.group + h) * s.head_dim;
        std::vector<double> weights(static_cast<size_t>(i + 1));
        double top = -1e300, total = 0;
        for (int64_t j = 0; j <= i; j++) {
          double dot = 0;
          for (int64_t d = 0; d < s.head_dim; d++)
            dot += static_cast<double>(q[d]) * s.k[static_cast<size_t>(j * s.head_dim + d)];
          weights[static_cast<size_t>(j)] = dot / std::sqrt(static_cast<double>(s.head_dim));
          top = std::max(top, weights[static_cast<size_t>(j)]);
          reach = std::max(reach, std::fabs(weights[static_cast<size_t>(j)]));
          lengths = std::max(lengths, length_of(q, s.head_dim) *
                                          length_of(s.k.data() + j * s.head_dim, s.head_dim) /
                                          std::sqrt(static_cast<double>(s.head_dim)));
        }
        for (double& w : weights) total += w = std::exp(w - top);
        for (int64_t d = 0; d < s.head_dim; d++) {
          double expected = 0, magnitude = 0;
          for (int64_t j = 0; j <= i; j++) {
            const double term = weights[static_cast<size_t>(j)] / total *
                                s.v[static_cast<size_t>(j * s.head_dim + d)];
            expected += term;
            magnitude += std::fabs(term);
          }
          const float got = whole[static_cast<size_t>((i * s.group + h) * s.head_dim + d)];
          worst = std::max(worst, std::fabs(got - expected) / magnitude);
          if (!std::isfinite(got)) worst = 1;
        }
      }
    const double allowed =
        2e-6 + 1e-6 * reach + (codes ? 1e-4 * lengths : 0) + (bf16 ? 1 / 256.0 : 0);
    CHECK(worst < allowed, "%s %s %lld: %g of %g, scores up to %g", set.name, form,
          static_cast<long long>(s.length), worst, allowed, reach);
    if (rounding != Rounding::kNone && !codes)
      CHECK(attend(set, s, 0, s.length, {0, s.length}, Rounding::kNone) == whole, "%s rounds",
            set.name);

    // Without causality every token sees what the last one does.
    const int64_t width = s.group * s.head_dim;
    const std::vector<float> both = attend(set, s, 0, s.length, {0, s.length}, rounding, false);
    for (int64_t i = 0; i < s.length; i += 13) {
      Sequence moved = s;
      std::copy_n(s.q.begin() + i * width, width, moved.q.begin() + (s.length - 1) * width);
      const std::vector<float> last =
          attend(set, moved, s.length - 1, s.length, {0, s.length}, rounding);
      CHECK(same(last.data(), both.data() + i * width, width),
            "%s %s: token %lld of %lld, all seen", set.name, form, static_cast<long long>(i),
            static_cast<long long>(s.length));
    }

    for (int trial = 0; trial < 12; trial++) {
      // A stretch of the queries, its keys cut at random; sometimes with keys beyond the last
      // query.
      const int64_t begin = integer(0, s.length - 1), end = integer(begin + 1, s.length);
      const std::vector<float> part =
          attend(set, s, begin, end, random_cuts(trial % 3 ? end : s.length), rounding);
      CHECK(same(part.data(), whole.data() + begin * width, (end - begin) * width),
            "%s %s: queries %lld to %lld of %lld", set.name, form, static_cast<long long>(begin),
            static_cast<long long>(end), static_cast<long long>(s.length));
    }
  }
}

// What is not finite in a token's query stays with it; in its key or value, with it and those
// after.
void test_attention_non_finite(const Kernels& set, Rounding rounding) {
  const bool codes = rounds_to_codes(set, rounding);
  const Sequence clean(100, 2, 64);
  const std::vector<float> expected = attend(set, clean, 0, 100, {0, 100}, rounding);
  const auto row = [](std::vector<float>& rows, int64_t width) { return rows.data() + 70 * width; };
  const auto spoilt = [&](const Sequence& s) {
    std::vector<bool> tokens;
    const std::vector<float> got = attend(set, s, 0, 100, {0, 100}, rounding);
    for (int64_t i = 0; i < 100; i++) {
      bool finite = true;
      for (int64_t d = 0; d < 128; d++)
        finite = finite && std::isfinite(got[static_cast<size_t>(i * 128 + d)]);
      tokens.push_back(!finite);
      if (finite && i < 64)
        CHECK(same(got.data() + i * 128, expected.data() + i * 128, 128), "%s: token %lld changed",
              set.name, static_cast<long long>(i));
    }
    return tokens;
  };
  for (const float bad : {NAN, HUGE_VALF}) {
    Sequence query = clean, key = clean, value = clean;
    row(query.q, 128)[3] = bad;
    // In floats an infinite key may score -infinity, and weigh 0.
    row(key.k, 64)[3] = codes ? bad : NAN;
    row(value.v, 64)[3] = bad;
    const std::vector<bool> by_query = spoilt(query), by_key = spoilt(key),
                            by_value = spoilt(value);
    for (size_t i = 0; i < 100; i++) {
      CHECK(by_query[i] == (i == 70), "%s: token %zu after a bad query", set.name, i);
      CHECK(by_key[i] == (i >= 70), "%s: token %zu after a bad key", set.name, i);
      if (i < 64 || i >= 70)  // between them a tile may share the value, times 0
        CHECK(by_value[i] == (i >= 70), "%s: token %zu after a bad value", set.name, i);
    }
  }
}

}  // namespace qwen3_embed::kernels
