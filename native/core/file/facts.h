// What a GGUF says of itself and what follows from it, worked out before any weight is loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/failure.h"
#include "core/file/gguf_file.h"
#include "core/road/sequence.h"

namespace qwen3_embed {

// How a file can rank: not at all, through its own head, or through the rows of two answer tokens.
enum class Head { none, cls, yes_no };

// A departure from what a good file has, and what the package does about it.
struct Finding {
  bool fatal;                       // the package refuses the file
  std::string what;                 // "tokenizer.ggml.add_eos_token is missing"
  std::string remedy;               // "the end token is appended anyway"
  Code code = Code::model_invalid;  // of a fatal one: what read_facts throws
};

// Types of the tensors that do one thing, in file order.
struct TensorTypes {
  std::string label;               // "attention", "token embeddings", ...
  std::vector<std::string> types;  // "q8_0", "f32", ...
};

// A low-rank adapter that a load was given.
struct AdapterFacts {
  std::string path, fingerprint;
  double scale = 1;
  int64_t rank = 0;
  bool queries_only = false;
};

struct Facts {
  std::string architecture;       // general.architecture
  std::string name;               // general.name, or empty
  std::string quantisation;       // type that holds most weight bytes: "Q8_0", "Q4_K", ...
  std::string tokenizer;          // "gpt2/qwen2", "bert", ...
  std::string fingerprint;        // of documents' vectors, where adapters were given
  std::string query_fingerprint;  // of queries', once loaded
  std::vector<AdapterFacts> adapters;
  uint64_t file_bytes = 0;
  int64_t n_parameters = 0;
  int n_layer = 0, n_embd = 0, n_head = 0, n_head_kv = 0, head_dim = 0, n_ff = 0, n_vocab = 0;
  int n_ctx_train = 0;
  double rope_theta = 0, rms_eps = 0;
  std::optional<Pooling> pooling;  // as the metadata says
  Head head = Head::none;
  int n_labels = 0;                 // rows of the head
  std::vector<std::string> labels;  // of those rows, as the metadata says; may be empty
  std::vector<TensorTypes> tensor_types;
  std::vector<std::string> chat_templates;  // names of those in the file; never used for prompts
  bool is_qwen3 = false;
  std::vector<Finding> findings;
};

// Reads and cross-checks; throws Failure model_invalid or model_unsupported with the first fatal
// finding unless `collect` asks to keep going (inspect). A file that passes can be given to
// llama.cpp: nothing in its header reaches an assertion there.
Facts read_facts(const Gguf& file, bool collect = false);

}  // namespace qwen3_embed
