// A network as data: what is computed, and with which weights. Executors (the CPU's, the graph for
// GPUs) interpret it and know no architecture by name; build.cc, which makes it from a file, is the
// only place that does.
//
// Every network here is a stack of equal blocks over rows of n_embd values:
//
//   x = rows of token_embd [+ token_type] [+ rows of position_embd], normed where there is a norm
//   for each block:
//     x += out · attention(rotate(q · n), rotate(k · n), v · n)     n = x, or its norm
//     x += down · (activation(gate · n) · (up · n))                 or down · activation(up · n)
//     where norms come after, x is normed after either line instead
//   x normed once more where there is an output norm
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/file/tensor_file.h"
#include "core/road/sequence.h"

namespace qwen3_embed {

using Vector = std::vector<float>;

// Rows of a tensor as they stand in the file.
struct WeightMatrix {
  std::string name;
  int32_t type = 0;   // ggml_type
  int64_t n_in = 0;   // values of a row
  int64_t n_out = 0;  // rows; 0: there is no such matrix
  uint64_t n_bytes = 0;
  size_t part = 0;
  uint64_t offset = 0;
  // Not 0: rotations turn neighbouring outputs of each head of so many. Rows are handed out with
  // the even ones of a head first, so that every executor turns halves against each other: products
  // of queries and keys do not see the order.
  int32_t paired_head = 0;

  size_t row_bytes() const {
    return n_out > 0 ? static_cast<size_t>(n_bytes / static_cast<uint64_t>(n_out)) : 0;
  }
};

// y += scale · b (a x), over a product that stays as it is.
struct LowRank {
  int64_t rank = 0;
  float scale = 1;
  Vector a;                   // (rank, n_in)
  Vector b;                   // (n_out, rank)
  bool queries_only = false;  // documents go by as if it were not there
};

// y = weight x + bias, plus what its adapters add.
struct Linear {
  WeightMatrix weight;
  Vector bias;  // (n_out), or empty
  std::vector<LowRank> adapters;

  bool present() const { return weight.n_out > 0; }
};

// RMS norm where there is no bias, layer norm where there is one.
struct Norm {
  Vector weight;  // (n), or empty: no norm
  Vector bias;
  bool present() const { return !weight.empty(); }
};

struct Block {
  Norm attention_norm;     // (n_embd)
  Linear q, k, v;          // (n_embd -> heads · head_dim)
  Norm q_norm, k_norm;     // (head_dim), of each head
  Linear out;              // (n_head · head_dim -> n_embd)
  Norm feed_forward_norm;  // (n_embd)
  Linear gate, up;         // (n_embd -> n_ff); no gate: up alone is activated
  Linear down;             // (n_ff -> n_embd)

  std::array<Linear*, 7> linears() { return {&q, &k, &v, &out, &gate, &up, &down}; }
  std::array<const Linear*, 7> linears() const { return {&q, &k, &v, &out, &gate, &up, &down}; }
};

enum class Activation { silu, gelu };

struct Network {
  int32_t n_embd = 0, n_head = 0, n_head_kv = 0, head_dim = 0, n_ff = 0;
  bool is_causal = true;
  bool norms_come_after = false;
  float epsilon = 0;  // of every norm
  Activation activation = Activation::silu;
  double rope_theta = 0;  // 0: positions are rows of position_embd
  Vector rope_factors;    // (head_dim / 2): the angles' divisors, or empty

  WeightMatrix token_embd;     // (n_embd, n_vocab)
  Vector token_type;           // (n_embd), added to every row; or empty
  WeightMatrix position_embd;  // (n_embd, n_positions)
  Norm embedding_norm;
  std::vector<Block> blocks;
  Norm output_norm;

  // What a ranker reads off a row: see outputs.h.
  Linear head_dense;                   // (n_embd -> n_embd), then tanh
  Linear head;                         // (n_embd -> 1, or yes and no)
  std::optional<WeightMatrix> output;  // (n_embd, n_vocab)

  std::shared_ptr<const TensorFile> file;

  // Of any one product.
  size_t max_adapters() const {
    size_t most = 0;
    for (const Block& block : blocks) {
      for (const Linear* linear : block.linears()) most = std::max(most, linear->adapters.size());
    }
    return most;
  }
  // Whether queries go through other weights than documents.
  bool tells_queries() const {
    for (const Block& block : blocks) {
      for (const Linear* linear : block.linears()) {
        for (const LowRank& adapter : linear->adapters) {
          if (adapter.queries_only) return true;
        }
      }
    }
    return false;
  }

  int64_t n_q() const { return int64_t{n_head} * head_dim; }
  int64_t n_kv() const { return int64_t{n_head_kv} * head_dim; }
};

// Why a file cannot be a Network, in a sentence; empty: it can. From its header alone.
std::string cannot_build(const Gguf& file, const Facts& facts);

// Throws Failure model_invalid where a tensor is missing or not of the shape that `facts` promise,
// model_unsupported where its type cannot be turned into floats.
std::shared_ptr<Network> build_network(const Gguf& file, const Facts& facts);

// Where the output stands in the file that is handed out as output i; of an adapter's b too.
int64_t source_row(const WeightMatrix& matrix, int64_t i);

// Rows [first, first + n) as they stand in the file. (n, row_bytes)
void read_rows(const TensorFile& file, const WeightMatrix& matrix, int64_t first, int64_t n,
               void* out);
// One row as floats. (n_in) `bytes` is memory for a row, reused.
void read_row(const TensorFile& file, const WeightMatrix& matrix, int64_t i_row,
              std::vector<uint8_t>& bytes, float* out);

}  // namespace qwen3_embed
