// Low-rank adapters in llama.cpp's GGUF form: what a file says, checked against the model that it
// is to change. Whatever llama.cpp would skip or assert on is refused here by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/network/network.h"

namespace qwen3_embed {

// Which texts of an embedder an adapter changes.
enum class Side { both, query };

struct AdapterOptions {
  std::string path;
  double scale = 1;       // times alpha / rank of the file
  std::string side;       // "both", "query"; empty: what the file says, else both
  bool any_base = false;  // also one that was made for another model of the same shape
};

struct Adapter {
  std::string path;
  std::string digest;  // of every value in it, and of what each changes
  double scale = 1;
  Side side = Side::both;
  int64_t rank = 0;                        // of the widest change
  std::map<std::string, LowRank> changes;  // by the name of the weights
};

// Throws Failure: model_not_found; model_invalid (damaged, or a half without its other half);
// model_mismatch (no adapter, or one of another model); model_unsupported (a kind of adapter, or of
// tensor, that no engine here applies).
Adapter read_adapter(const AdapterOptions& options, const Gguf& base, const Facts& facts);

// Puts the changes where executors look for them. Throws Failure model_mismatch for weights that
// the network does not have.
void attach(const Adapter& adapter, Network& network);

// Of vectors that `adapters` had a part in: the model's own where there are none.
std::string fingerprint_with(const std::string& base, const std::vector<Adapter>& adapters,
                             bool are_queries);

}  // namespace qwen3_embed
