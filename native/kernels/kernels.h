// The CPU kernels of a Qwen3 pass, chosen at run time by what the processor can do.
//
// Promises every kernel set keeps:
//  * Bits do not depend on the batch. A row's result is the same whatever m, whatever other rows
//    there are, whatever (ith, nth) it was computed by and however a sequence was cut into runs or
//    query tiles.
//  * No threads, no allocation, no exceptions, no state: the caller hands out work and memory.
//  * A NaN or infinity in a row makes that row's results non-finite, and no other row's. In
//    attention it reaches queries that are given its key, seen or not (0 · NaN is NaN): a caller
//    whose sequences share keys computes those that come out non-finite again apart.
//
// Only declarations and plain structs stand here: an inline function compiled for AVX-512 could be
// the one the linker keeps for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qwen3_embed::kernels {

// Memory handed to kernels (packed weights, rows, scratch) starts at a multiple of this.
constexpr size_t kAlignment = 64;

// Values are GGUF's tensor type numbers.
enum class WeightType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBf16 = 30,
};

// Bytes of one source row of k values, as it stands in a GGUF; 0 where k is not whole blocks.
size_t source_row_bytes(WeightType type, int64_t k);

struct Weights {
  WeightType type;
  int64_t n;           // outputs
  int64_t k;           // inputs
  const void* packed;  // packed_bytes(type, n, k), in the layout of the set that is to read them
};

// ---- rows: activations in the form a product takes ----

enum class RowFormat {
  kQ8,        // blocks of 32 signed codes with a float scale each: for quantised weights
  kQ16,       // the same of 16 bits: for F16 and BF16 weights, where a set takes these as such too
  kBf16,      // rounded to nearest even: for BF16 weights, and for those that a set widens to BF16
  kBf16Sums,  // the sum of two BF16 numbers, 2^-17 of a value off: for F16 weights, where a set
              // takes these, exactly, for such sums too
  kF32,
  kPlain,  // (m, k) floats as they are: for products that are not a set's own
};
constexpr size_t kRowFormats = 6;

// Written row by row (any order, any thread), read by matmul. k is a multiple of 32.
struct Rows {
  RowFormat format;
  int64_t m;
  int64_t k;
  void* data;  // rows_bytes(format, m, k), in the layout of the set that is to read them
};

// ---- attention ----

// Consecutive tokens of the sequence: the first one's key and value, of the KV head in question.
struct KeyRun {
  const float* k;
  const float* v;
  int64_t count;
};

// How much of attention may be rounded: as much as the caller rounds the result.
enum class Rounding {
  kNone,   // floats throughout
  kCodes,  // queries and keys to 16-bit codes
  kBf16,   // and values and weights to BF16
};

// One KV head's query heads over `n_queries` consecutive tokens. The key runs, in order, hold
// positions 0, 1, 2 … of the sequence without a gap, n_keys of them; where one run ends and the
// next begins and how many runs there are change no bit. A token sees keys up to its own position
// (what lies beyond the last query changes no bit), or all n_keys. Strides are in floats.
struct Attention {
  int64_t head_dim;   // a multiple of 8, at most kMaxHeadDim
  int64_t group;      // query heads per KV head
  float scale;        // of q · k
  Rounding rounding;  // at most, and where the set multiplies such faster
  bool is_causal;
  int64_t position;  // of the first query in its sequence
  int64_t n_queries;
  int64_t n_keys;  // at least position + n_queries
  const float* q;  // first query, first head of the group
  int64_t q_token_stride;
  int64_t q_head_stride;
  const KeyRun* runs;
  int64_t n_runs;
  int64_t k_token_stride;
  int64_t v_token_stride;
  float* out;  // first query, first head; may be q itself
  int64_t out_token_stride;
  int64_t out_head_stride;
  void* scratch;  // kAttentionScratch bytes, not shared with another thread
};

constexpr int64_t kMaxHeadDim = 256;
constexpr int64_t kAttentionRows = 512;
constexpr size_t kAttentionScratch =
    static_cast<size_t>(3 * 64 * kMaxHeadDim + 2 * kMaxHeadDim * kAttentionRows +
                        64 * kAttentionRows + 28 * 1024) *
    sizeof(float);

// Keys are gathered once for up to kAttentionRows (query, head) pairs, so a good work item is this
// many queries (at least 1), where all threads have some.
int64_t attention_queries(int64_t group);

// ---- a kernel set ----

struct Kernels {
  // "amx", "avx512-bf16", "avx512-vnni", "avx2-vnni", "avx2"; "neon-i8mm", "neon-dotprod";
  // "portable".
  const char* name;

  // ---- the set's own layout of weights and rows ----

  // Outputs are packed in panels of this many.
  int64_t panel;
  // Whether a GGUF tensor of this type, with rows of k values, can be packed.
  bool (*packable)(uint32_t gguf_type, int64_t k);
  size_t (*packed_bytes)(WeightType type, int64_t n, int64_t k);
  // Packs panels [panel_begin, panel_end). `source` holds their rows alone, as they stand in the
  // file; `packed` is the start of the whole packed tensor, so that parts may be packed by
  // different threads.
  void (*pack)(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
               int64_t panel_end, void* packed);
  RowFormat (*row_format)(WeightType type);
  size_t (*rows_bytes)(RowFormat format, int64_t m, int64_t k);

  // ---- what it computes ----

  // out[i][j] = Σ_k rows[i][k] · weights[j][k]  (+ add[i][j] where add is given; add may be out).
  // rows.k == weights.k and rows.format == row_format(weights.type). Part `ith` of `nth`; the parts
  // write disjoint outputs and may be more than there are threads.
  void (*matmul)(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                 const float* add, int64_t add_stride, int ith, int nth);

  // out[i] = swiglu_row of what matmul writes for gate and for up, without the floats between: both
  // are of one type, out has the format of its rows too and out.k == gate.n. Null where a set gains
  // nothing by it.
  void (*matmul_swiglu)(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                        int ith, int nth);

  // x (rows.k) -> rows[row].
  void (*store_row)(const float* x, const Rows& rows, int64_t row);

  // x / rms(x) · weight, rms over n values. n is a multiple of 32; out may be x.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int64_t n, float* out);
  void (*rms_norm_row)(const float* x, const float* weight, float epsilon, const Rows& rows,
                       int64_t row);

  // (x - mean) / deviation · weight + bias over n values. n is a multiple of 32; out may be x.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon,
                     int64_t n, float* out);

  // x · Φ(x), Φ the normal distribution's.
  void (*gelu_row)(const float* x, const Rows& rows, int64_t row);

  // silu(gate) · up.
  void (*swiglu_row)(const float* gate, const float* up, const Rows& rows, int64_t row);

  // In place, for n_heads heads of one token: RMS norm over head_dim (skipped where weight is
  // null), then NeoX rotation by the token's `angles` (see rope_angles). head_dim is a multiple
  // of 32.
  void (*norm_rope)(float* x, int64_t n_heads, int64_t head_stride, int64_t head_dim,
                    const float* weight, float epsilon, const float* angles);

  void (*attention)(const Attention& attention);

  // out[i] = Σ codes[i][j] · query[j] over (n, width) signed codes: exact, the same in every set.
  // width is at most 65,536.
  void (*scan)(const int8_t* codes, int64_t n, int64_t width, const int8_t* query, int32_t* out);
};

// cos then sin of position · base^(-2i/head_dim) / factors[i], i < head_dim / 2, each computed in
// double; factors may be null: ones. (head_dim)
void rope_angles(int64_t position, int64_t head_dim, double base, const float* factors,
                 float* angles);

// The fastest set this processor runs.
const Kernels* best();
// By name; null where unknown or where this processor cannot run it.
const Kernels* find(const char* name);
// Those this processor runs, fastest first; null past the end.
const Kernels* available(int index);

}  // namespace qwen3_embed::kernels
