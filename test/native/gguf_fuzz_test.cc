// Damages model files in thousands of ways, always the same ones. Each must be read or refused with
// a Failure, within bounded memory; and what is accepted must not bring llama.cpp down, which each
// file is given in a process of its own.
//
// QWEN3_FUZZ: mutants of each kind (40 unless told). QWEN3_FUZZ_ONLY: part of a model's name.
// QWEN3_FUZZ_SEED: another sequence of them. QWEN3_FUZZ_CRASHES: a folder that takes one file of
// each kind of crash.
#include <cmath>
#include <cstdlib>
#include <map>
#include <new>
#include <optional>
#include <set>

#include "check.h"
#include "core/failure.h"
#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/network/make_forward.h"
#include "core/network/network.h"
#include "gguf_mutations.h"
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
using namespace gguf_mutations;

constexpr size_t kMostMemory = size_t{256} << 20;
const std::set<std::string> kPacked = {"qwen3",       "qwen2",    "llama",
                                       "llama-embed", "eurobert", "bert"};

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
    const std::unique_ptr<Pass> pass = forward->begin(pack);
    while (pass->step({})) {
    }
    size_t n_rows = 0;
    for (size_t i = 0; i < pack.sequences.size(); ++i) n_rows += pass->row(i).n_values > 0;
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

bool can_pack(const std::string& path, const Facts& facts) {
  try {
    return cannot_build(Gguf(path), facts).empty();
  } catch (const Failure&) {
    return false;
  }
}

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
    message = failure.sentence();
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
  if (!vocabulary_only && can_pack(path, *facts))
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
    const bool packs =
        can_pack(folder.path() + "/model.gguf", read_facts(Gguf(folder.path() + "/model.gguf")));
    CHECK(packs == (kPacked.count(architecture) != 0));
    CHECK(!has_llama || whole.n_ran == (packs ? 2 : 1));

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
