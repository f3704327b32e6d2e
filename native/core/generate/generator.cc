#include "core/generate/generator.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/failure.h"
#include "core/generic/generic.h"
#include "core/machine/backends.h"
#include "core/machine/cpus.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

// Of those whose files are checked against llama.cpp's assertions, the ones that chat.
constexpr std::array<const char*, 3> kArchitectures = {"qwen3", "qwen2", "llama"};

constexpr int kMostTokens = 4096;
// Prompts whose beginning is kept: a kind of call each.
constexpr int kHeads = 2;
// Tokens of a prompt in one pass: llama.cpp keeps room for the logits of all of them.
constexpr int kPassTokens = 256;
// llama.cpp gives sequences room in steps of this.
constexpr int kRoomStep = 256;

bool says(const std::string& text, const std::string& word) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == b; };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

void check_architecture(const Gguf& file, const std::string& path) {
  const std::optional<std::string> found = file.text("general.architecture");
  const auto is_same = [&](const char* one) { return found == one; };
  if (!found || std::any_of(kArchitectures.begin(), kArchitectures.end(), is_same)) return;
  throw Failure{
      Code::model_unsupported,
      "Expected a chat model of architecture qwen3, qwen2 or llama but " + path + " is " + *found +
          ".",
      {{"path", path}, {"architecture", *found}},
      "Use a model of the Qwen or Llama family, or serve this one and give its endpoint."};
}

void check_kind(const Facts& facts, const std::string& path) {
  const bool pools = facts.pooling && *facts.pooling != Pooling::none;
  const bool ranks =
      facts.head == Head::cls || facts.pooling == Pooling::rank || says(facts.name, "rerank");
  if (!ranks && !pools && !says(facts.name, "embed")) return;
  throw Failure{Code::model_mismatch,
                "Expected a chat model but " + path + " is " +
                    (ranks ? "a reranker" : "an embedding model") + ".",
                {{"path", path}},
                "Use an instruction-tuned model (its name says Instruct or Chat)."};
}

Failure too_long(size_t n_tokens, int most) {
  return {Code::text_too_long,
          "expected a prompt and answer of at most " + std::to_string(most) +
              " tokens but they take " + std::to_string(n_tokens) + ".",
          {{"tokens", static_cast<int64_t>(n_tokens)}, {"limit", most}},
          "Shorten the text, or allow more tokens."};
}

}  // namespace

struct Generator::Place {
  Place(const llama_vocab* vocab, const Spellings& spellings, const ChatQuestion& question)
      : choices(vocab, spellings, question.grammar, question.seed),
        most_tokens(question.most_tokens) {}

  Choices choices;
  const int most_tokens;
  int n_prompt = 0, n_tokens = 0;
  Token last = -1;
  bool complete = false, done = false;
  std::optional<Failure> failure;
};

void Generator::ContextDelete::operator()(llama_context* context) const { llama_free(context); }
void Generator::BatchDelete::operator()(llama_batch* batch) const {
  llama_batch_free(*batch);
  delete batch;
}

Generator::Generator(const GeneratorOptions& options, const Abort& abort) : options_(options) {
  const std::string& path = options_.path;
  const Gguf file(path);
  check_architecture(file, path);
  facts_ = read_facts(file);
  check_kind(facts_, path);
  const int known = facts_.n_ctx_train > 0 ? facts_.n_ctx_train : kMostTokens;
  max_tokens_ = std::min(options_.max_tokens > 0 ? options_.max_tokens : kMostTokens, known);
  n_threads_ = options_.n_threads > 0 ? options_.n_threads : default_threads(read_cpus()).n;
  GenericOptions loading{};
  loading.n_threads = n_threads_;
  loading.abort_load = abort;
  model_ = load_llama_model(file, loading);
  template_.emplace(model_, facts_, path);
  spellings_.emplace(llama_model_get_vocab(model_.get()), path);
  threads_ = std::make_unique<GgmlThreads>(n_threads_);
  places_.resize(static_cast<size_t>(options_.n_sequences));
  heads_.resize(kHeads);
}

Generator::~Generator() = default;

bool Generator::is_idle() const {
  return std::all_of(places_.begin(), places_.end(), [](const auto& place) { return !place; });
}

std::optional<size_t> Generator::free_place() const {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (!places_[i]) return i;
  }
  return std::nullopt;
}

bool Generator::begin(size_t place, const ChatQuestion& question, const Abort& abort) {
  const ChatPrompt prompt = template_->prompt(question.system, question.user);
  const size_t n_prompt = prompt.head.size() + prompt.rest.size();
  const size_t n_tokens = n_prompt + static_cast<size_t>(question.most_tokens);
  if (n_tokens > static_cast<size_t>(max_tokens_)) throw too_long(n_tokens, max_tokens_);
  if (static_cast<int>(n_tokens) > room_) {
    if (!is_idle()) return false;
    make_context(static_cast<int>(n_tokens));
  }
  auto begun = std::make_unique<Place>(llama_model_get_vocab(model_.get()), *spellings_, question);
  begun->n_prompt = static_cast<int>(n_prompt);

  const auto sequence = static_cast<llama_seq_id>(place);
  llama_memory_t memory = llama_get_memory(context_.get());
  if (prompt.head.empty()) {
    llama_memory_seq_rm(memory, sequence, -1, -1);
  } else {
    const size_t head = head_of(prompt.head, abort);
    llama_memory_seq_cp(memory, static_cast<llama_seq_id>(places_.size() + head), sequence, -1, -1);
  }
  run_alone(sequence, prompt.rest, prompt.head.size(), true, abort);
  choose(*begun, llama_get_logits_ith(context_.get(), -1));
  places_[place] = std::move(begun);
  return true;
}

// Which of the kept beginnings it is; run if it is none.
size_t Generator::head_of(const std::vector<Token>& ids, const Abort& abort) {
  size_t oldest = 0;
  for (size_t i = 0; i < heads_.size(); ++i) {
    if (heads_[i].ids == ids) {
      heads_[i].last_used = ++n_uses_;
      return i;
    }
    if (heads_[i].last_used < heads_[oldest].last_used) oldest = i;
  }
  const auto sequence = static_cast<llama_seq_id>(places_.size() + oldest);
  heads_[oldest].ids.clear();
  llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, -1, -1);
  run_alone(sequence, ids, 0, false, abort);
  heads_[oldest] = {ids, ++n_uses_};
  return oldest;
}

void Generator::run_alone(int sequence, const std::vector<Token>& ids, size_t first_position,
                          bool output, const Abort& abort) {
  llama_batch& batch = *batch_;
  for (size_t first = 0; first < ids.size(); first += kPassTokens) {
    const size_t n = std::min(ids.size() - first, static_cast<size_t>(kPassTokens));
    batch.n_tokens = static_cast<int32_t>(n);
    for (size_t i = 0; i < n; ++i) {
      batch.token[i] = ids[first + i];
      batch.pos[i] = static_cast<llama_pos>(first_position + first + i);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = sequence;
      batch.logits[i] = output && first + i + 1 == ids.size();
    }
    decode(abort);
  }
}

void Generator::step(const Abort& abort) {
  llama_memory_t memory = llama_get_memory(context_.get());
  llama_batch& batch = *batch_;
  batch.n_tokens = static_cast<int32_t>(places_.size());
  for (size_t i = 0; i < places_.size(); ++i) {
    const auto sequence = static_cast<llama_seq_id>(i);
    const Place* place = places_[i] && !places_[i]->done ? places_[i].get() : nullptr;
    // Nobody's row: the shortest text there is.
    if (place == nullptr) llama_memory_seq_rm(memory, sequence, -1, -1);
    batch.token[i] = place ? place->last : spellings_->usable().front();
    batch.pos[i] = place ? place->n_prompt + place->n_tokens - 1 : 0;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = sequence;
    batch.logits[i] = 1;
  }
  decode(abort);
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i] && !places_[i]->done)
      choose(*places_[i], llama_get_logits_ith(context_.get(), static_cast<int32_t>(i)));
  }
}

// What is wrong with one answer is that answer's failure alone.
void Generator::choose(Place& place, const float* logits) {
  try {
    if (logits == nullptr) throw Failure{Code::compute, "llama.cpp gave no logits.", {}};
    place.last = place.choices.choose(logits);
    ++place.n_tokens;
    place.complete = place.choices.is_complete();
    place.done = place.complete || place.n_tokens >= place.most_tokens;
  } catch (...) {
    place.failure = caught_failure();
    place.done = true;
  }
}

bool Generator::is_done(size_t place) const { return places_[place] && places_[place]->done; }

ChatAnswer Generator::take(size_t place) {
  const std::unique_ptr<Place> taken = std::move(places_[place]);
  if (taken->failure) throw *taken->failure;
  return {taken->choices.text(), taken->complete, taken->n_prompt, taken->n_tokens,
          taken->choices.digest()};
}

void Generator::forget_all() {
  for (std::unique_ptr<Place>& place : places_) place.reset();
  // What a pass that ended early has left of keys and values is not known.
  context_.reset();
  room_ = 0;
  is_broken_ = false;
}

void Generator::make_context(int n_tokens) {
  context_.reset();
  batch_.reset();
  heads_.assign(heads_.size(), Head());
  room_ = 0;
  const int room = (n_tokens + kRoomStep - 1) / kRoomStep * kRoomStep;
  const auto n_sequences = static_cast<uint32_t>(places_.size() + heads_.size());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(room) * n_sequences;
  params.n_batch = kPassTokens;
  params.n_ubatch = kPassTokens;
  params.n_seq_max = n_sequences;
  // Each sequence's keys in a place of its own, and attention without tiles of a shared one: sums
  // run over the sequence's own keys in their order, whoever else is there.
  params.kv_unified = false;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.n_threads = n_threads_;
  params.n_threads_batch = n_threads_;
  params.offload_kqv = false;
  params.op_offload = false;
  params.no_perf = true;
  params.abort_callback = [](void* self) {
    const Abort* abort = static_cast<Generator*>(self)->abort_;
    return abort != nullptr && *abort && (*abort)();
  };
  params.abort_callback_data = this;
  take_llama_log();
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_ || llama_n_ctx_seq(context_.get()) < static_cast<uint32_t>(n_tokens)) {
    context_.reset();
    throw Failure{Code::out_of_memory,
                  "llama.cpp could not make a context of " + std::to_string(n_sequences) +
                      " times " + std::to_string(room) + " tokens: " + take_llama_log() + ".",
                  {{"sequences", static_cast<int64_t>(n_sequences)}, {"tokens", room}},
                  "Generate fewer answers at a time (sequences)."};
  }
  if (threads_->pool() != nullptr)
    llama_attach_threadpool(context_.get(), threads_->pool(), threads_->pool());
  batch_.reset(new llama_batch(llama_batch_init(kPassTokens, 0, 1)));
  room_ = room;
}

void Generator::decode(const Abort& abort) {
  take_llama_log();
  abort_ = &abort;
  const int status = llama_decode(context_.get(), *batch_);
  abort_ = nullptr;
  if (status == 0) return;
  is_broken_ = true;
  if (status == 2) throw Failure{Code::aborted, "The pass was aborted.", {}};
  const auto n_tokens = static_cast<int64_t>(batch_->n_tokens);
  if (status == -2) {
    throw Failure{Code::out_of_memory,
                  "llama.cpp could not allocate a pass of " + std::to_string(n_tokens) +
                      " tokens: " + take_llama_log() + ".",
                  {{"tokens", n_tokens}},
                  "Generate fewer answers at a time (sequences)."};
  }
  throw Failure{
      Code::compute,
      "llama_decode failed with status " + std::to_string(status) + ": " + take_llama_log() + ".",
      {{"status", static_cast<int64_t>(status)}},
      "This is a defect: please report it with the model's name."};
}

}  // namespace qwen3_embed
