// Answers of a chat model under grammars, several at a time, through llama.cpp's own passes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/generate/chat_prompt.h"
#include "core/generate/token_choice.h"
#include "core/machine/ggml_threads.h"
#include "core/road/forward.h"

struct llama_batch;
struct llama_context;
struct llama_model;

namespace qwen3_embed {

struct GeneratorOptions {
  std::string path;
  int n_threads = 0;    // 0: as many as suit the machine
  int n_sequences = 8;  // answers that grow at a time, 1..16
  int max_tokens = 0;   // of a prompt with its answer; 0: 4,096, or less where the model knows less
};

struct ChatQuestion {
  std::string system, user;
  std::string grammar;  // GBNF whose root ends where nothing can follow
  int most_tokens;      // of the answer
  uint32_t seed;
};

struct ChatAnswer {
  std::string text;
  bool complete;  // or it was cut by most_tokens
  int n_prompt, n_tokens;
  uint32_t digest;  // of the logits behind its tokens
};

// A token depends on its question, the seed and the machine, not on what else is being answered: a
// prompt runs alone, in pieces that only it decides, and a step of answers always has n_sequences
// rows, each with keys and values in a place of its own; rows that nobody needs are run and thrown
// away. For one thread.
class Generator {
 public:
  // Throws Failure: as reading a model; model_mismatch for one that embeds or ranks;
  // model_unsupported for one that does not chat.
  Generator(const GeneratorOptions& options, const Abort& abort);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  const Facts& facts() const { return facts_; }
  int max_tokens() const { return max_tokens_; }
  int n_sequences() const { return options_.n_sequences; }
  int n_threads() const { return n_threads_; }

  bool is_idle() const;
  // The number of a free place, if there is one.
  std::optional<size_t> free_place() const;
  // Takes a question and runs its prompt. False: it needs more room than there is, which can be
  // made once is_idle. Throws Failure: text_too_long, compute (the grammar), and as a pass.
  bool begin(size_t place, const ChatQuestion& question, const Abort& abort);
  // The next token of every answer. Throws Failure as a pass: then nothing is left of any of them.
  void step(const Abort& abort);
  // Whether the answer is there, or cannot be.
  bool is_done(size_t place) const;
  // Frees the place. Throws the Failure of an answer that has none.
  ChatAnswer take(size_t place);
  void forget_all();
  // A pass failed: nothing is known of the answers that grow, and all are to be forgotten.
  bool is_broken() const { return is_broken_; }

 private:
  struct Place;
  struct Head {
    std::vector<Token> ids;
    uint64_t last_used = 0;
  };

  void make_context(int n_tokens);
  size_t head_of(const std::vector<Token>& ids, const Abort& abort);
  void run_alone(int sequence, const std::vector<Token>& ids, size_t first_position, bool output,
                 const Abort& abort);
  void decode(const Abort& abort);
  static void choose(Place& place, const float* logits);

  struct ContextDelete {
    void operator()(llama_context* context) const;
  };
  struct BatchDelete {
    void operator()(llama_batch* batch) const;
  };

  GeneratorOptions options_;
  Facts facts_;
  int max_tokens_ = 0;
  int n_threads_ = 1;
  std::shared_ptr<llama_model> model_;
  std::optional<Spellings> spellings_;
  std::optional<ChatTemplate> template_;
  std::vector<std::unique_ptr<Place>> places_;  // (n_sequences), null: free
  std::vector<Head> heads_;  // prompts' beginnings, in the sequences after those of places
  uint64_t n_uses_ = 0;
  int room_ = 0;  // tokens of each sequence
  bool is_broken_ = false;
  const Abort* abort_ = nullptr;
  std::unique_ptr<GgmlThreads> threads_;
  std::unique_ptr<llama_batch, BatchDelete> batch_;
  std::unique_ptr<llama_context, ContextDelete> context_;  // last: it uses the threads
};

}  // namespace qwen3_embed
