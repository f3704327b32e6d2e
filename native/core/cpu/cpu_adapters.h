// What adapters add to linears that read the same rows: y += B (A x) each. All their A are one
// product that runs beside those of the linears; their B follow, some rows at a time.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/product.h"

namespace qwen3_embed {

struct CpuLinear;

struct CpuAdapters {
  struct Part {
    const Product* to;           // the linear's own, whose result it adds to
    int64_t first, rank;         // which of the outputs of `a` are its own
    float factor;                // of these
    std::unique_ptr<Product> b;  // (rank, filled up to whole blocks -> n_out)
  };
  std::unique_ptr<Product> a;
  std::vector<Part> parts;  // in the order in which they are added
};

// A linear, and what was packed of it.
struct AdaptedLinear {
  const Linear& from;
  const CpuLinear& packed;
};

// Of queries, or of documents. Null where nothing is added.
//
// A and B are rounded as the linear's rows are: where these are floats, not at all; where they are
// codes of 8 bits, to 8 bits. So one form of the rows serves both, at the rate of the linear's own
// product, and a change to the weights is held as closely as the weights are multiplied.
std::shared_ptr<const CpuAdapters> pack_adapters(ProductMaker& maker,
                                                 const std::vector<AdaptedLinear>& linears,
                                                 bool are_queries);

}  // namespace qwen3_embed
