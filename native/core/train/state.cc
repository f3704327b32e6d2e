// What a training leaves on the disk: adapters, and states to go on from.
#include "core/failure.h"
#include "core/file/gguf_writer.h"
#include "core/file/tensor_file.h"
#include "core/train/trainer.h"

namespace qwen3_embed::train {
namespace {

Failure bad_state(const std::string& path, const std::string& what) {
  return {Code::model_invalid,
          "Expected " + path + " to be a state of this training but " + what + ".",
          {{"path", path}},
          "Start anew (--restart), or give back the options and data that it was begun with."};
}

}  // namespace

void Trainer::write_adapter(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& facts) const {
  GgufWriter writer;
  writer.text("general.architecture", facts_.architecture);
  writer.text("general.type", "adapter");
  writer.text("adapter.type", "lora");
  writer.f32("adapter.lora.alpha", static_cast<float>(lora_->options().alpha));
  writer.text("qwen3_embed.adapter.base_fingerprint", facts_.fingerprint);
  for (const auto& [key, value] : facts) writer.text("qwen3_embed.adapter." + key, value);
  for (const LoraPart& part : lora_->parts()) {
    const float* values = lora_->values.data();
    writer.floats(part.name + ".lora_a", {part.n_in, lora_->rank()}, values + part.a);
    writer.floats(part.name + ".lora_b", {lora_->rank(), part.n_out}, values + part.b);
  }
  writer.write(path);
}

void Trainer::write_state(const std::string& path, const std::string& words) const {
  GgufWriter writer;
  writer.text("general.type", "training");
  writer.text("qwen3_embed.training.base_fingerprint", facts_.fingerprint);
  writer.text("qwen3_embed.training.words", words);
  writer.u64("qwen3_embed.training.updates", static_cast<uint64_t>(n_updates_));
  const auto n = static_cast<int64_t>(lora_->values.size());
  writer.floats("values", {n}, lora_->values.data());
  writer.floats("first", {n}, first_.data());
  writer.floats("second", {n}, second_.data());
  writer.write(path, true);
}

std::string Trainer::state_words(const std::string& path) {
  if (!is_seal_whole(path)) throw bad_state(path, "it is damaged or cut short");
  return Gguf(path).text("qwen3_embed.training.words").value_or("");
}

std::string Trainer::read_state(const std::string& path) {
  std::string words = state_words(path);
  const Gguf file(path);
  if (file.text("qwen3_embed.training.base_fingerprint") != facts_.fingerprint)
    throw bad_state(path, "it is of another model");
  const TensorFile bytes(file);
  for (const auto& [name, values] : {std::pair<const char*, Vector*>{"values", &lora_->values},
                                     {"first", &first_},
                                     {"second", &second_}}) {
    const GgufTensor* tensor = file.tensor(name);
    if (tensor == nullptr || tensor->type != 0 || tensor->bytes != values->size() * sizeof(float))
      throw bad_state(path, "its parameters are of another shape");
    bytes.read(tensor->part, tensor->offset, static_cast<size_t>(tensor->bytes), values->data());
  }
  n_updates_ = file.integer("qwen3_embed.training.updates").value_or(0);
  weights_->pack_adapters(*lora_, *crew_);
  return words;
}

}  // namespace qwen3_embed::train
