// Damages model files in thousands of ways, always the same ones. Each must be read or refused with
// a Failure, within bounded memory; and what is accepted must not bring llama.cpp down, which each
// file is given in a process of its own.
//
// QWEN3_FUZZ: mutants of each kind (40 unless told). QWEN3_FUZZ_ONLY: part of a model's name.
// QWEN3_FUZZ_SEED: another sequence of them. QWEN3_FUZZ_CRASHES: a folder that takes one file of
// each kind of crash.
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <new>
#include <optional>
#include <random>

#include "check.h"
#include "core/facts.h"
#include "core/failure.h"
#include "core/gguf.h"
#include "core/packed.h"
#include "llama.h"
#include "tiny_models.h"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#define HAS_FORK 1
#endif

// ---- memory: what the reader has at most at a time ----
namespace memory {
size_t live = 0, peak = 0;
constexpr size_t kHeader = 16;

void* take(size_t n) {
  auto* block = static_cast<char*>(std::malloc(n + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &n, sizeof n);
  live += n;
  peak = live > peak ? live : peak;
  return block + kHeader;
}
void give(void* pointer) noexcept {
  if (pointer == nullptr) return;
  char* block = static_cast<char*>(pointer) - kHeader;
  size_t n;
  std::memcpy(&n, block, sizeof n);
  live -= n;
  std::free(block);
}
}  // namespace memory

void* operator new(size_t n) { return memory::take(n); }
void* operator new[](size_t n) { return memory::take(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return memory::take(n); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return memory::take(n); }
void operator delete(void* pointer) noexcept { memory::give(pointer); }
void operator delete[](void* pointer) noexcept { memory::give(pointer); }
void operator delete(void* pointer, size_t) noexcept { memory::give(pointer); }
void operator delete[](void* pointer, size_t) noexcept { memory::give(pointer); }

namespace {

using namespace qwen3_embed;
using namespace gguf_builder;

constexpr size_t kMostMemory = size_t{256} << 20;

std::mt19937 random_bits(20250605);
size_t pick(size_t n) { return random_bits() % n; }
template <typename T>
const T& pick(const std::vector<T>& items) {
  return items[pick(items.size())];
}

// ---- mutations ----
const std::vector<uint64_t> kIntegers = {
    0,          1,          2,          3,          4,          5,         7,
    8,          15,         16,         17,         31,         32,        33,
    63,         64,         65,         100,        127,        128,       255,
    256,        259,        264,        265,        511,        512,       513,
    1024,       4096,       65535,      65536,      1 << 20,    1 << 24,   0x7fffffff,
    0x80000000, 0xfffffffe, 0xffffffff, 1ULL << 32, 1ULL << 60, INT64_MAX, UINT64_MAX};
const std::vector<float> kReals = {0.0F,
                                   -0.0F,
                                   1.0F,
                                   -1.0F,
                                   1e-6F,
                                   0.5F,
                                   2.0F,
                                   8.0F,
                                   1e4F,
                                   1e-45F,
                                   3e38F,
                                   -3e38F,
                                   std::numeric_limits<float>::quiet_NaN(),
                                   std::numeric_limits<float>::infinity(),
                                   -std::numeric_limits<float>::infinity()};
const std::vector<std::string> kTexts = {"",
                                         "none",
                                         "linear",
                                         "yarn",
                                         "longrope",
                                         "su",
                                         "gpt2",
                                         "llama",
                                         "bert",
                                         "t5",
                                         "rwkv",
                                         "plamo2",
                                         "no_vocab",
                                         "test",
                                         "gemma4",
                                         "whitespace",
                                         "hybriddna",
                                         "qwen2",
                                         "default",
                                         "llama3",
                                         "tekken",
                                         "chameleon",
                                         "glm4",
                                         "kimi-k2",
                                         "gemma4",
                                         "jina-v2-code",
                                         "superbpe",
                                         "afmoe",
                                         "qwen3",
                                         "modern-bert",
                                         "phi-3",
                                         "silu",
                                         "gelu",
                                         " ",
                                         "  ",
                                         "a b c",
                                         "yes",
                                         "<|endoftext|>",
                                         "<mask>",
                                         "[MASK]",
                                         "</s>",
                                         "<0x0A>",
                                         "<0x",
                                         std::string("a\0b", 3),
                                         std::string("\0", 1),
                                         "\xff\xfe",
                                         "\xf7\xbf\xbf\xbf",
                                         std::string(3000, 'x'),
                                         std::string(70000, 'y')};

// Keys that some architecture of ours, or a step common to all, reads.
const std::vector<std::string> kKeys = {"vocab_size",
                                        "context_length",
                                        "embedding_length",
                                        "embedding_length_out",
                                        "block_count",
                                        "feed_forward_length",
                                        "expert_feed_forward_length",
                                        "expert_count",
                                        "expert_used_count",
                                        "expert_shared_count",
                                        "expert_group_count",
                                        "expert_group_used_count",
                                        "moe_every_n_layers",
                                        "nextn_predict_layers",
                                        "hidden_activation",
                                        "pooling_type",
                                        "attention.head_count",
                                        "attention.head_count_kv",
                                        "attention.max_alibi_bias",
                                        "attention.clamp_kqv",
                                        "attention.key_length",
                                        "attention.value_length",
                                        "attention.layer_norm_epsilon",
                                        "attention.layer_norm_rms_epsilon",
                                        "attention.causal",
                                        "attention.sliding_window",
                                        "attention.sliding_window_pattern",
                                        "attention.scale",
                                        "attention.key_length_swa",
                                        "attention.value_length_swa",
                                        "rope.dimension_count",
                                        "rope.dimension_count_swa",
                                        "rope.dimension_sections",
                                        "rope.freq_base",
                                        "rope.freq_base_swa",
                                        "rope.scale_linear",
                                        "rope.scaling.type",
                                        "rope.scaling.factor",
                                        "rope.scaling.alpha",
                                        "rope.scaling.attn_factor",
                                        "rope.scaling.original_context_length",
                                        "rope.scaling.finetuned",
                                        "rope.scaling.yarn_log_multiplier",
                                        "rope.scaling.yarn_ext_factor",
                                        "rope.scaling.yarn_attn_factor",
                                        "rope.scaling.yarn_beta_fast",
                                        "rope.scaling.yarn_beta_slow",
                                        "classifier.output_labels",
                                        "dense_2_feat_in",
                                        "dense_2_feat_out",
                                        "dense_3_feat_in",
                                        "dense_3_feat_out",
                                        "final_logit_softcapping",
                                        "attn_logit_softcapping",
                                        "residual_scale",
                                        "embedding_scale",
                                        "logit_scale"};
const std::vector<std::string> kGeneralKeys = {"general.alignment",
                                               "general.name",
                                               "general.file_type",
                                               "general.quantization_version",
                                               "split.count",
                                               "split.no",
                                               "split.tensors.count",
                                               "tokenizer.ggml.model",
                                               "tokenizer.ggml.pre",
                                               "tokenizer.ggml.token_type_count",
                                               "tokenizer.ggml.bos_token_id",
                                               "tokenizer.ggml.eos_token_id",
                                               "tokenizer.ggml.eot_token_id",
                                               "tokenizer.ggml.eom_token_id",
                                               "tokenizer.ggml.unknown_token_id",
                                               "tokenizer.ggml.seperator_token_id",
                                               "tokenizer.ggml.padding_token_id",
                                               "tokenizer.ggml.mask_token_id",
                                               "tokenizer.ggml.fim_pre_token_id",
                                               "tokenizer.ggml.prefix_token_id",
                                               "tokenizer.ggml.add_bos_token",
                                               "tokenizer.ggml.add_eos_token",
                                               "tokenizer.ggml.add_sep_token",
                                               "tokenizer.ggml.add_space_prefix",
                                               "tokenizer.ggml.remove_extra_whitespaces",
                                               "tokenizer.ggml.precompiled_charsmap",
                                               "tokenizer.ggml.normalizer.lowercase",
                                               "tokenizer.ggml.normalizer.strip_accents",
                                               "tokenizer.ggml.suppress_tokens",
                                               "tokenizer.ggml.scores",
                                               "tokenizer.ggml.token_type",
                                               "tokenizer.ggml.merges"};

std::string integer_bytes(size_t width) {
  std::string bytes;
  append<uint64_t>(bytes, pick(kIntegers));
  return bytes.substr(0, width);
}

std::string value_payload(uint32_t type) {
  std::string payload;
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
      return integer_bytes(1);
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16:
      return integer_bytes(2);
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
      return integer_bytes(4);
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
      return integer_bytes(8);
    case GGUF_TYPE_FLOAT32:
      append<float>(payload, pick(kReals));
      return payload;
    case GGUF_TYPE_FLOAT64:
      append<double>(payload, static_cast<double>(pick(kReals)));
      return payload;
    case GGUF_TYPE_BOOL:
      return std::string(1, static_cast<char>(pick(3)));
    case GGUF_TYPE_STRING:
      append_text(payload, pick(kTexts));
      return payload;
    default: {
      const auto item = static_cast<uint32_t>(pick(13));
      const uint64_t n = pick(5);
      append<uint32_t>(payload, item);
      append<uint64_t>(payload, n);
      for (uint64_t i = 0; i < n && item != GGUF_TYPE_ARRAY; i++) payload += value_payload(item);
      return payload;
    }
  }
}

// The type a key is usually of, by the look of its name.
uint32_t usual_type(const std::string& key) {
  for (const char* part : {"epsilon", "freq_base", "factor", "alpha", "scale", "bias", "clamp",
                           "beta", "softcapping", "multiplier"}) {
    if (key.find(part) != std::string::npos) return GGUF_TYPE_FLOAT32;
  }
  for (const char* part :
       {"scaling.type", "general.name", "ggml.model", "ggml.pre", "activation"}) {
    if (key.size() >= std::strlen(part) &&
        key.compare(key.size() - std::strlen(part), std::string::npos, part) == 0) {
      return GGUF_TYPE_STRING;
    }
  }
  for (const char* part : {"add_", "causal", "finetuned", "normalizer", "whitespaces"}) {
    if (key.find(part) != std::string::npos) return GGUF_TYPE_BOOL;
  }
  for (const char* part :
       {"labels", "charsmap", "suppress", "sections", "merges", "scores", "token_type"}) {
    if (key.find(part) != std::string::npos && key.find("count") == std::string::npos)
      return GGUF_TYPE_ARRAY;
  }
  return GGUF_TYPE_UINT32;
}

void mutate_array(Builder& file, Builder::Value& value) {
  uint32_t item;
  uint64_t n;
  std::memcpy(&item, value.payload.data(), sizeof item);
  std::memcpy(&n, value.payload.data() + 4, sizeof n);
  if (item == GGUF_TYPE_STRING) {
    std::vector<std::string> items;
    size_t at = 12;
    for (uint64_t i = 0; i < n; i++) {
      uint64_t length;
      std::memcpy(&length, value.payload.data() + at, sizeof length);
      items.push_back(value.payload.substr(at + 8, length));
      at += 8 + length;
    }
    const size_t i = items.empty() ? 0 : pick(items.size());
    switch (pick(7)) {
      case 0:
        items.push_back(pick(kTexts));
        break;
      case 1:
        if (!items.empty()) items.pop_back();
        break;
      case 2:
        if (!items.empty()) items[i] = pick(items);
        break;
      case 3:
        if (!items.empty()) items[i] = pick(kTexts);
        break;
      case 4:
        if (!items.empty()) items[i] += static_cast<char>(pick(256));
        break;
      case 5:
        if (!items.empty() && !items[i].empty()) items[i].erase(pick(items[i].size()), 1);
        break;
      default:
        items.clear();
    }
    file.texts(value.key, items);
    return;
  }
  if (n == 0 || value.payload.size() < 16) return;
  const size_t width = (value.payload.size() - 12) / n;
  switch (pick(3)) {
    case 0: {
      const std::string bytes =
          item == GGUF_TYPE_FLOAT32 ? value_payload(item) : integer_bytes(width);
      value.payload.replace(12 + pick(n) * width, width, bytes.substr(0, width));
      break;
    }
    case 1:
      n--;
      value.payload.resize(value.payload.size() - width);
      break;
    default:
      n++;
      value.payload += std::string(width, '\1');
  }
  std::memcpy(value.payload.data() + 4, &n, sizeof n);
}

void mutate_tensor(Builder& file) {
  if (file.tensors.empty()) return;
  Builder::Tensor& tensor = file.tensors[pick(file.tensors.size())];
  if (tensor.shape.empty()) tensor.shape = {1};
  switch (pick(8)) {
    case 0:
      tensor.type = static_cast<int32_t>(pick(45)) - 1;
      break;
    case 1:
      tensor.shape[pick(tensor.shape.size())] = static_cast<int64_t>(pick(kIntegers));
      break;
    case 2:
      tensor.shape[pick(tensor.shape.size())] += 32;
      break;
    case 3:
      if (tensor.shape.size() > 1) std::swap(tensor.shape[0], tensor.shape[1]);
      break;
    case 4:
      tensor.name = pick(file.tensors).name;
      break;
    case 5:
      file.tensors.push_back({pick(kTexts), {32}, static_cast<int32_t>(pick(3))});
      break;
    case 6:
      tensor.shape.resize(pick(6), 1);
      break;
    default:
      file.erase_tensor(std::string(tensor.name));
  }
}

void mutate(Builder& file, const std::string& architecture) {
  for (size_t n = 1 + pick(3); n > 0; n--) {
    const size_t way = pick(10);
    Builder::Value& value = file.values[pick(file.values.size())];
    if (way < 2) {
      if (value.type == GGUF_TYPE_ARRAY)
        mutate_array(file, value);
      else
        value.payload = value_payload(value.type);
    } else if (way == 2) {
      value.type = static_cast<uint32_t>(pick(13));
      value.payload = value_payload(value.type);
    } else if (way == 3) {
      if (file.values.size() > 1) file.erase(std::string(value.key));
    } else if (way < 7) {
      const std::string key = pick(2) == 0 ? architecture + "." + pick(kKeys) : pick(kGeneralKeys);
      const uint32_t type = pick(4) == 0 ? static_cast<uint32_t>(pick(13)) : usual_type(key);
      file.set(key, type, value_payload(type));
    } else if (way == 7) {
      Builder::Value* tokens =
          file.find(pick(2) == 0 ? "tokenizer.ggml.tokens" : "tokenizer.ggml.merges");
      if (tokens != nullptr && tokens->type == GGUF_TYPE_ARRAY) mutate_array(file, *tokens);
    } else {
      mutate_tensor(file);
    }
  }
  if (pick(20) == 0) file.alignment = 1ULL << pick(12);
  if (pick(40) == 0) file.version = static_cast<uint32_t>(pick(5));
}

void mutate(std::string& bytes, size_t header) {
  for (size_t n = 1 + pick(3); n > 0; n--) {
    const size_t at = pick(std::min(header, bytes.size()));
    switch (pick(7)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << pick(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(pick(256));
        break;
      case 2:
        bytes.replace(at, 4, integer_bytes(4));
        break;
      case 3:
        bytes.replace(at, 8, integer_bytes(8));
        break;
      case 4:
        bytes.erase(at, 1 + pick(16));
        break;
      case 5:
        bytes.insert(at, bytes.substr(pick(bytes.size()), 1 + pick(16)));
        break;
      default:
        if (pick(8) == 0) bytes.resize(at + 1);
    }
    if (bytes.empty()) bytes = "G";
  }
}

// A model that is whole, of a size that may not work.
Size random_size() {
  const auto any = [](std::vector<int> sizes) { return pick(sizes); };
  Size size;
  size.n_head = any({1, 1, 2, 2, 3, 4, 8, 16});
  size.n_head_kv = pick(4) == 0 ? any({1, 2, 3, 4, 5, 8}) : pick(2) == 0 ? 1 : size.n_head;
  size.head_dim = any({1, 2, 3, 4, 6, 8, 16, 16, 16, 32, 64, 7, 128});
  size.n_embd =
      pick(3) != 0 ? size.n_head * size.head_dim : any({1, 2, 3, 16, 31, 32, 48, 64, 96, 128});
  size.n_ff = any({1, 2, 3, 16, 32, 64, 64, 96, 100, 128});
  size.n_layer = any({1, 1, 2, 2, 3, 4, 6, 7});
  size.n_ctx = any({1, 2, 16, 63, 64, 64, 512});
  return size;
}

// ---- one mutant ----
struct Tally {
  int n = 0, n_refused = 0, n_accepted = 0, n_ran = 0, n_declined = 0, n_crashed = 0;
};
std::map<std::string, int> crashes;
bool has_llama = false;
std::string folder_of_crashes;

#if HAS_FORK
enum Exit { kRan = 0, kNotLoaded = 10, kNoContext, kNotDecoded, kThrew };

int run_llama(const std::string& path, const Facts& facts, bool vocabulary_only) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = vocabulary_only;
  params.n_gpu_layers = 0;
  llama_model* model = llama_model_load_from_file(path.c_str(), params);
  if (model == nullptr) return kNotLoaded;
  const llama_vocab* vocab = llama_model_get_vocab(model);
  llama_token ids[256];
  int n = 0;
  try {
    for (const char* text :
         {"", "Hello  world, yes or no?\n\n x<|im_end|>", "\xc3\xa9\xe4\xbd\xa0\xff\x01 hell"}) {
      n = llama_tokenize(vocab, text, static_cast<int32_t>(std::strlen(text)), ids, 40, true,
                         false);
      n = llama_tokenize(vocab, text, static_cast<int32_t>(std::strlen(text)), ids, 40, true, true);
    }
    char piece[4096];
    llama_detokenize(vocab, ids, n < 0 ? 0 : n, piece, sizeof piece, false, true);
  } catch (const std::exception&) {
    return kThrew;
  }
  if (vocabulary_only || n <= 0) return kRan;

  llama_context_params context_params = llama_context_default_params();
  context_params.n_ctx = context_params.n_batch = context_params.n_ubatch = 64;
  context_params.n_threads = context_params.n_threads_batch = 1;
  context_params.embeddings = true;
  context_params.type_k = context_params.type_v = GGML_TYPE_F32;
  context_params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  if (!facts.pooling) context_params.pooling_type = LLAMA_POOLING_TYPE_LAST;
  llama_context* context = llama_init_from_model(model, context_params);
  if (context == nullptr) return kNoContext;
  n = std::min(n, facts.n_ctx_train);  // longer, and bert's position table aborts
  for (int i = 0; i < n; i++) ids[i] = std::max(0, ids[i]);
  if (llama_decode(context, llama_batch_get_one(ids, n)) != 0) return kNotDecoded;
  const float* row = facts.pooling == Pooling::none ? llama_get_embeddings_ith(context, 0)
                                                    : llama_get_embeddings_seq(context, 0);
  return row == nullptr ? kNotDecoded : kRan;
}

int run_packed(const std::string& path, const Facts& facts) {
  PackedOptions options;
  options.max_tokens = facts.n_ctx_train;
  options.ranks = facts.head != Head::none;
  options.yes = 257;
  options.no = 258;
  try {
    const Gguf file(path);
    const std::unique_ptr<Forward> forward = make_packed(file, facts, options);
    std::vector<Sequence> sequences = {{{0, 1, 2, 3, 259}}, {{0, 1, 7}}, {{5}}};
    Pack pack{{}, options.ranks ? Pooling::rank : Pooling::last};
    for (Sequence& sequence : sequences) {
      if (static_cast<int>(sequence.ids.size()) > facts.n_ctx_train) continue;
      for (Token& id : sequence.ids) id = std::min(id, facts.n_vocab - 1);
      pack.sequences.push_back(&sequence);
    }
    size_t n_rows = 0;
    forward->run(
        pack, [] { return false; }, [&](size_t, const float*, size_t) { n_rows++; });
    return n_rows == pack.sequences.size() ? kRan : kNotDecoded;
  } catch (const Failure&) {
    return kNotLoaded;
  }
}

// The reason a child died: the first line of what it said.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.find("ERROR: AddressSanitizer") != std::string::npos ||
        line.find("GGML_A") != std::string::npos || line.find(": ") != std::string::npos) {
      return line.substr(0, 160);
    }
  }
  return "without a word";
}

enum class Runner { llama, llama_vocabulary, packed };

void give_to(Runner runner, const std::string& path, const Facts& facts, const std::string& name,
             const std::string& words, Tally& tally) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int out = open(words.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(out, 1);
    dup2(out, 2);
    alarm(20);
    const rlimit core = {0, 0};
    setrlimit(RLIMIT_CORE, &core);
    _exit(runner == Runner::packed ? run_packed(path, facts)
                                   : run_llama(path, facts, runner == Runner::llama_vocabulary));
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == kRan) {
    tally.n_ran++;
  } else if (code == kNotLoaded || code == kNoContext || code == kNotDecoded) {
    tally.n_declined++;
  } else {
    tally.n_crashed++;
    const std::string where = runner == Runner::packed ? "packed engine, " : "llama.cpp, ";
    const std::string why = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                            : code == kThrew    ? std::string("exception from llama_tokenize")
                                                : "exit " + std::to_string(code);
    const std::string reason = where + why + ": " + first_line(words);
    if (crashes[reason]++ == 0 && !folder_of_crashes.empty()) {
      std::filesystem::copy_file(path,
                                 folder_of_crashes + "/" + std::to_string(crashes.size()) + ".gguf",
                                 std::filesystem::copy_options::overwrite_existing);
      std::printf("crash %zu: %s\n  %s\n", crashes.size(), name.c_str(), reason.c_str());
    }
  }
}
#endif

void try_mutant(const std::string& name, const std::string& path, const std::string& words,
                bool vocabulary_only, Tally& tally) {
  tally.n++;
  std::optional<Facts> facts;
  const size_t before = memory::live;
  memory::peak = memory::live;
  std::string message;
  try {
    const Gguf file(path);
    facts = read_facts(file);
  } catch (const Failure& failure) {
    message = failure.message;
    CHECK(failure.code == Code::model_invalid || failure.code == Code::model_unsupported ||
          failure.code == Code::model_not_found);
  }
  CHECK(memory::peak - before < kMostMemory);
  if (!facts) {
    tally.n_refused++;
    CHECK(!message.empty() && message.size() < 2000);
    // inspect never throws for what read_facts finds, and finds it too.
    try {
      const Gguf file(path);
      const Facts all = read_facts(file, true);
      bool fatal = false;
      for (const Finding& finding : all.findings) fatal = fatal || finding.fatal;
      CHECK(fatal);
    } catch (const Failure&) {  // from Gguf
    }
    return;
  }
  tally.n_accepted++;
#if HAS_FORK
  if (!has_llama) return;
  give_to(vocabulary_only ? Runner::llama_vocabulary : Runner::llama, path, *facts, name, words,
          tally);
  if (facts->is_qwen3 && !vocabulary_only)
    give_to(Runner::packed, path, *facts, name, words, tally);
#else
  (void)name, (void)words, (void)vocabulary_only;
#endif
}

void print(const std::string& name, const Tally& tally) {
  std::printf(
      "%-28s %6d mutants %6d refused %6d accepted: engines ran %d, declined %d, crashed %d\n",
      name.c_str(), tally.n, tally.n_refused, tally.n_accepted, tally.n_ran, tally.n_declined,
      tally.n_crashed);
}

}  // namespace

int main() {
  const char* count = std::getenv("QWEN3_FUZZ");
  const int n_mutants = count != nullptr ? std::atoi(count) : 40;
  if (const char* seed = std::getenv("QWEN3_FUZZ_SEED"))
    random_bits.seed(static_cast<unsigned>(std::atoi(seed)));
  const std::string only =
      std::getenv("QWEN3_FUZZ_ONLY") != nullptr ? std::getenv("QWEN3_FUZZ_ONLY") : "";
  if (const char* folder = std::getenv("QWEN3_FUZZ_CRASHES")) folder_of_crashes = folder;
#if HAS_FORK
  if (const char* libraries = std::getenv("QWEN3_LIBRARIES")) {
    setenv("GGML_NO_BACKTRACE", "1", 1);
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    ggml_backend_load_all_from_path(libraries);
    has_llama = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr;
  }
#endif
  std::printf("llama.cpp %s\n",
              has_llama ? "takes part" : "does not take part: QWEN3_LIBRARIES names no backend");
  const Folder folder;
  const std::string words = folder.write("words", "");
  Tally sum;

  const auto add = [&sum](const Tally& tally) {
    sum.n += tally.n;
    sum.n_refused += tally.n_refused;
    sum.n_accepted += tally.n_accepted;
    sum.n_ran += tally.n_ran;
    sum.n_declined += tally.n_declined;
    sum.n_crashed += tally.n_crashed;
  };
  for (const auto& [name, make] : all_models()) {
    if (name.find(only) == std::string::npos) continue;
    const Builder model = make(Size{});
    const std::string good = model.build();
    const size_t header = model.header_bytes();
    const std::string architecture = name.substr(0, name.find(' '));
    Tally whole;
    try_mutant(name, folder.write("model.gguf", good), words, false, whole);
    CHECK(whole.n_accepted == 1);
    CHECK(!has_llama || whole.n_ran == (architecture == "qwen3" ? 2 : 1));

    Tally fields, sizes, bytes;
    for (int i = 0; i < n_mutants; i++) {
      Builder file = model;
      mutate(file, architecture);
      try_mutant(name, folder.write("model.gguf", file.build()), words, i % 8 == 0, fields);
    }
    print(name + ", fields", fields);
    for (int i = 0; i < n_mutants; i++) {
      Builder file = make(random_size());
      if (pick(2) == 0) mutate(file, architecture);
      try_mutant(name, folder.write("model.gguf", file.build()), words, false, sizes);
    }
    print(name + ", sizes", sizes);
    for (int i = 0; i < n_mutants; i++) {
      std::string file = good;
      mutate(file, header);
      try_mutant(name, folder.write("model.gguf", file), words, i % 8 == 0, bytes);
    }
    print(name + ", bytes", bytes);
    for (const Tally& tally : {fields, sizes, bytes}) add(tally);
  }

  const char* root = std::getenv("QWEN3_ROOT");
  std::ifstream mini((root != nullptr ? std::string(root) : std::string(".")) +
                         "/models/mini/mini-embed-Q8_0.gguf",
                     std::ios::binary);
  if (mini && std::string("mini").find(only) != std::string::npos) {
    const std::string good((std::istreambuf_iterator<char>(mini)),
                           std::istreambuf_iterator<char>());
    Tally tally;
    for (int i = 0; i < n_mutants / 4; i++) {
      std::string file = good;
      mutate(file, pick(2) == 0 ? 1200 : size_t{1} << 20);
      try_mutant("mini", folder.write("model.gguf", file), words, i % 2 == 0, tally);
    }
    print("mini, bytes", tally);
    add(tally);
  }

  print("all", sum);
  for (const auto& [reason, n] : crashes) std::printf("  %d x %s\n", n, reason.c_str());
  CHECK(sum.n_crashed == 0);
  return check::finish();
}
