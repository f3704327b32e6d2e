// One pack forwards, its layers' inputs kept, and backwards from the gradient of its rows: each
// layer is computed again from its input. The last layer is taken for the rows that are read alone.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/attention.h"
#include "core/network/trie.h"
#include "core/train/sight.h"
#include "core/train/work.h"

namespace qwen3_embed::train {

// What a layer computes, as the backward needs it. n rows of the pack, m of them active.
struct Activations {
  Buffer a, k_raw, k, v;                   // (n, ...): the norm of the input, keys, values
  Buffer x_active, a_active, q_raw, q, o;  // (m, ...)
  Buffer x1, b, gate, up, f;               // (m, ...)
  Buffer h[7];                             // A x of every product, by Block::linears()
};

class TrainPass {
 public:
  TrainPass(Work& work, const std::vector<const Sequence*>& sequences);

  // rows[i] is the row of sequence i, normed, of whatever length. (n_seq, n_embd)
  void forward(float* rows);
  // d_rows: by those rows. Adds to the gradients of `lora`. Needs forward().
  void backward(const float* d_rows, Lora& lora);
  // Gives the inputs of layers back: forward() is to be called again before backward().
  void forget() { inputs_.clear(); }

  int32_t n_rows() const { return trie_.n_rows(); }

 private:
  bool picks(size_t i_block) const { return i_block + 1 == work_.weights().blocks.size(); }
  const std::vector<int32_t>& active(size_t i_block) const {
    return picks(i_block) ? outputs_ : all_;
  }
  const Sight& sight(size_t i_block) const { return picks(i_block) ? last_sight_ : sight_; }
  void embed(float* x);
  // x (n, n_embd) -> what the layer computes; y (m, n_embd) gets its output unless null.
  void compute(size_t i_block, const float* x, Activations& act, float* y);
  void attend(size_t i_block, Activations& act);
  // dy (m, n_embd) is used up; dx (n, n_embd) gets the gradient by the input, unless null.
  void back(size_t i_block, const float* x, const Activations& act, float* dy, float* dx,
            Lora& lora);
  void attend_back(size_t i_block, const Activations& act, const float* d_o, float* dq, float* dk,
                   float* dv);

  Work& work_;
  const Network& net_;
  const Trie trie_;
  std::vector<int32_t> all_, outputs_;  // rows of the pack
  std::vector<int32_t> output_of_;      // (n_seq): which of outputs_
  const Sight sight_, last_sight_;
  std::vector<Buffer>
      inputs_;  // of each layer from the lowest trained one on; then the last output
};

}  // namespace qwen3_embed::train
