#include "core/train/weights.h"

#include <algorithm>

#include "ggml.h"

namespace qwen3_embed::train {
namespace {

// Rows of a matrix as floats. (n_out, n_in)
Vector read_floats(const TensorFile& file, const WeightMatrix& matrix, Crew& crew,
                   const Abort& abort) {
  Vector values(static_cast<size_t>(matrix.n_out * matrix.n_in));
  std::vector<std::vector<uint8_t>> bytes(static_cast<size_t>(crew.n_threads()));
  crew.each(matrix.n_out, abort, [&](int64_t row, int worker) {
    read_row(file, matrix, row, bytes[static_cast<size_t>(worker)],
             values.data() + row * matrix.n_in);
  });
  return values;
}

Vector transposed(const Vector& from, int64_t n_rows, int64_t n_columns) {
  Vector to(from.size());
  constexpr int64_t kTile = 32;
  for (int64_t r0 = 0; r0 < n_rows; r0 += kTile) {
    for (int64_t c = 0; c < n_columns; ++c) {
      for (int64_t r = r0; r < std::min(r0 + kTile, n_rows); ++r)
        to[static_cast<size_t>(c * n_rows + r)] = from[static_cast<size_t>(r * n_columns + c)];
    }
  }
  return to;
}

}  // namespace

TrainedWeights::TrainedWeights(std::shared_ptr<const Network> network, const Lora& lora, bool exact,
                               Crew& crew, const Abort& abort)
    : network_(std::move(network)),
      maker_("auto", network_->file),
      padded_rank_((lora.rank() + 31) / 32 * 32) {
  if (!exact) packed_ = pack_network(network_, "auto", crew, abort, {});
  const size_t lowest = lora.lowest_block();
  for (size_t i = 0; i < network_->blocks.size(); ++i) {
    TrainedBlock block;
    block.block = &network_->blocks[i];
    const auto linears = block.block->linears();
    for (size_t p = 0; p < linears.size(); ++p) {
      const WeightMatrix& weight = linears[p]->weight;
      TrainedProduct& to = block.products[p];
      to.n_in = weight.n_in;
      to.n_out = weight.n_out;
      to.part = lora.part(i, p);
      if (exact) {
        const Vector values = read_floats(*network_->file, weight, crew, abort);
        to.forward = maker_.make(values.data(), weight.n_out, weight.n_in);
      } else {
        const CpuBlock& packed = packed_->blocks[i];
        const CpuLinear* const in_order[] = {&packed.q,    &packed.k,  &packed.v,   &packed.out,
                                             &packed.gate, &packed.up, &packed.down};
        to.forward = in_order[p]->product;
      }
      // Below the lowest adapter there is nothing to train: q, k, v of that block pass nothing on.
      if (i > lowest || (i == lowest && p >= 3)) transpose(weight, exact, to, crew, abort);
    }
    blocks.push_back(std::move(block));
  }
  pack_adapters(lora, crew);
}

void TrainedWeights::transpose(const WeightMatrix& matrix, bool exact, TrainedProduct& to,
                               Crew& crew, const Abort& abort) {
  const Vector values =
      transposed(read_floats(*network_->file, matrix, crew, abort), matrix.n_out, matrix.n_in);
  const bool packs_8_bits =
      maker_.kernels().packable(static_cast<uint32_t>(kernels::WeightType::kQ8_0), matrix.n_out);
  if (exact || !packs_8_bits) {
    to.backward = maker_.make(values.data(), matrix.n_in, matrix.n_out);
    return;
  }
  std::vector<uint8_t> codes(static_cast<size_t>(matrix.n_in) *
                             ggml_row_size(GGML_TYPE_Q8_0, matrix.n_out));
  ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), codes.data(), 0, matrix.n_in, matrix.n_out,
                      nullptr);
  to.backward = maker_.make(kernels::WeightType::kQ8_0, codes.data(), matrix.n_in, matrix.n_out);
}

void TrainedWeights::pack_adapters(const Lora& lora, Crew& crew) {
  std::vector<TrainedProduct*> trained;
  for (TrainedBlock& block : blocks) {
    for (TrainedProduct& product : block.products) {
      if (product.part != nullptr) trained.push_back(&product);
    }
  }
  crew.each(static_cast<int64_t>(trained.size()), {}, [&](int64_t item, int) {
    TrainedProduct& product = *trained[static_cast<size_t>(item)];
    const int64_t rank = lora.rank(), padded = padded_rank_;
    const float *from_a = lora.values.data() + product.part->a,
                *from_b = lora.values.data() + product.part->b;
    Vector a(static_cast<size_t>(padded * product.n_in)),
        b(static_cast<size_t>(product.n_out * padded));
    std::copy(from_a, from_a + rank * product.n_in, a.begin());
    for (int64_t o = 0; o < product.n_out; ++o) {
      for (int64_t r = 0; r < rank; ++r)
        b[static_cast<size_t>(o * padded + r)] = lora.scale() * from_b[o * rank + r];
    }
    product.a = maker_.make(a.data(), padded, product.n_in);
    product.b = maker_.make(b.data(), product.n_out, padded);
    product.a_back = maker_.make(transposed(a, padded, product.n_in).data(), product.n_in, padded);
    product.b_back =
        maker_.make(transposed(b, product.n_out, padded).data(), padded, product.n_out);
  });
}

}  // namespace qwen3_embed::train
