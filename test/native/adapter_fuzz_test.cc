// Damages adapters in thousands of ways, always the same ones. Each must be read or refused with a
// Failure that names it, within bounded memory; and what is accepted must run in the packed engine.
//
// QWEN3_FUZZ: mutants of each kind (40 unless told), times ten: adapters are small.
#include <cstdlib>
#include <memory>

#include "check.h"
#include "core/adapter/adapter.h"
#include "core/failure.h"
#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/network/make_forward.h"
#include "ggml-backend.h"
#include "gguf_mutations.h"
#include "tiny_models.h"

namespace {

using namespace qwen3_embed;
using namespace gguf_builder;
using namespace gguf_mutations;

struct Tally {
  int n = 0, n_refused = 0, n_ran = 0;
};

// For some weights of the layers.
Builder adapter_for(const Gguf& base, const Facts& facts, int32_t type) {
  Builder file;
  file.text("general.architecture", facts.architecture);
  file.text("general.type", "adapter");
  file.text("adapter.type", "lora");
  file.f32("adapter.lora.alpha", 8);
  const int64_t rank = 32;  // a block of Q8_0
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.ffn_down.weight", "blk.1.attn_v.weight"}) {
    const GgufTensor* weight = base.tensor(name);
    CHECK(weight != nullptr);
    file.add(std::string(name) + ".lora_a", {weight->shape[0], rank}, type);
    file.add(std::string(name) + ".lora_b", {rank, weight->shape[1]}, type);
  }
  return file;
}

void run(const Gguf& base, const Facts& facts, Adapter adapter) {
  PackedOptions options;
  options.max_tokens = facts.n_ctx_train;
  options.adapters.push_back(std::move(adapter));
  const std::unique_ptr<Forward> forward = make_packed(base, facts, options);
  Sequence sequence{{0, 1, 2, 3}};
  Pack pack{{&sequence}, Pooling::last};
  const std::unique_ptr<Pass> pass = forward->begin(pack);
  while (pass->step({})) {
  }
  CHECK(pass->row(0).n_values > 0);
}

void try_mutant(const Gguf& base, const Facts& facts, const std::string& path, Tally& tally) {
  tally.n++;
  try {
    run(base, facts, read_adapter({path, 1, "", false}, base, facts));
    tally.n_ran++;
  } catch (const Failure& failure) {
    tally.n_refused++;
    const std::string sentence = failure.sentence();
    CHECK(!sentence.empty() && sentence.size() < 2000);
    CHECK(failure.code == Code::model_invalid || failure.code == Code::model_mismatch ||
          failure.code == Code::model_unsupported || failure.code == Code::non_finite);
  }
}

// What an adapter's keys are, beside those of models.
void mutate_adapter(Builder& file) {
  static const std::vector<std::string> keys = {"general.type",
                                                "general.architecture",
                                                "adapter.type",
                                                "adapter.lora.alpha",
                                                "adapter.alora.invocation_tokens",
                                                "qwen3_embed.adapter.side",
                                                "qwen3_embed.adapter.base_fingerprint"};
  const std::string& key = pick(keys);
  switch (pick(5)) {
    case 0:
      file.erase(key);
      break;
    case 1:
      file.text(key, pick(kTexts));
      break;
    case 2:
      file.f32(key, pick(kReals));
      break;
    case 3:
      file.array<uint64_t>(key, GGUF_TYPE_UINT64, {pick(kIntegers)});
      break;
    default:
      mutate(file, "qwen3");
  }
}

void print(const char* name, const Tally& tally) {
  std::printf("%-10s %6d mutants %6d refused %6d ran\n", name, tally.n, tally.n_refused,
              tally.n_ran);
}

}  // namespace

int main() {
  const char* count = std::getenv("QWEN3_FUZZ");
  const int n_mutants = 10 * (count != nullptr ? std::atoi(count) : 40);
  if (const char* libraries = std::getenv("QWEN3_LIBRARIES"))
    ggml_backend_load_all_from_path(libraries);
  const Folder folder;
  const std::string model = folder.write("model.gguf", qwen3_embedder().build());
  const Gguf base(model);
  const Facts facts = read_facts(base);

  for (const int32_t type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0}) {
    const Builder adapter = adapter_for(base, facts, type);
    const std::string good = adapter.build();
    Tally whole;
    try_mutant(base, facts, folder.write("adapter.gguf", good), whole);
    CHECK(whole.n_ran == 1);

    Tally fields, shapes, bytes, cut;
    for (int i = 0; i < n_mutants; i++) {
      Builder file = adapter;
      mutate_adapter(file);
      try_mutant(base, facts, folder.write("adapter.gguf", file.build()), fields);
    }
    for (int i = 0; i < n_mutants; i++) {
      Builder file = adapter;
      mutate_tensor(file);
      try_mutant(base, facts, folder.write("adapter.gguf", file.build()), shapes);
    }
    for (int i = 0; i < n_mutants; i++) {
      std::string file = good;
      mutate(file, adapter.header_bytes());
      try_mutant(base, facts, folder.write("adapter.gguf", file), bytes);
    }
    for (int i = 0; i < n_mutants; i++)
      try_mutant(base, facts, folder.write("adapter.gguf", good.substr(0, pick(good.size()))), cut);
    print("fields", fields);
    print("shapes", shapes);
    print("bytes", bytes);
    print("cut", cut);
    CHECK(cut.n_ran == 0);
    for (const Tally& tally : {fields, shapes, bytes}) CHECK(tally.n_refused > 0);
  }
  // A model is no adapter, nor is an adapter for itself.
  Tally others;
  try_mutant(base, facts, model, others);
  CHECK(others.n_refused == 1);
  return check::finish();
}
