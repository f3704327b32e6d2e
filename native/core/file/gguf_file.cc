#include "core/file/gguf_file.h"

#include <gguf.h>

#include <algorithm>
#include <cstdio>

#include "core/file/gguf_reader.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

// llama.cpp looks for each name among all earlier ones (gguf_init_from_reader): more would take it
// minutes.
constexpr uint64_t kMostValues = 16384, kMostTensors = 16384;
constexpr uint64_t kSmallestAlignment = 32, kLargestAlignment = 1 << 20;
constexpr uint64_t kShortestValue = 8 + 1 + 4 + 1, kShortestTensor = 8 + 1 + 4 + 8 + 4 + 8;

void check_magic(GgufReader& reader) {
  if (reader.size() == 0) reader.fail("The file is empty");
  char magic[4];
  reader.read(magic, sizeof magic, "the four letters GGUF");
  if (std::memcmp(magic, GGUF_MAGIC, sizeof magic) == 0) return;
  std::string hint = "This is no GGUF file: download one.";
  if (std::memcmp(magic, "vers", 4) == 0)
    hint = "This looks like a Git LFS pointer: fetch the file itself.";
  if (magic[0] == '<') hint = "This looks like a web page: download the file again.";
  reader.fail_at(0,
                 "Expected the file to begin with \"GGUF\" but it begins with " +
                     in_quotes(std::string_view(magic, sizeof magic)),
                 hint);
}

void check_version(GgufReader& reader) {
  const uint32_t version = reader.number<uint32_t>("the version");
  if (version == 2 || version == 3) return;
  const bool big_endian = (version & 0xffff) == 0 && version != 0;
  throw Failure{
      Code::model_unsupported,
      "Expected GGUF version 2 or 3 but " + reader.path() +
          (big_endian ? " is a big-endian file." : " has version " + std::to_string(version) + "."),
      {{"path", reader.path()}, {"version", static_cast<int64_t>(version)}},
      big_endian ? "Convert it to little-endian." : "Convert the model anew."};
}

uint64_t read_count(GgufReader& reader, uint64_t most, uint64_t shortest, const char* what) {
  const uint64_t n = reader.number<uint64_t>(what);
  if (n > most || n > reader.remaining() / shortest) {
    reader.fail(std::string("Expected at most ") +
                std::to_string(std::min(most, reader.remaining() / shortest)) + " as " + what +
                " but came " + std::to_string(n));
  }
  return n;
}

// "<prefix>-00001-of-00003.gguf" -> "<prefix>"; empty if `path` is not named so.
std::string split_prefix(const std::string& path, size_t n_parts) {
  char ending[32];
  std::snprintf(ending, sizeof ending, "-%05d-of-%05d.gguf", 1, static_cast<int>(n_parts));
  const std::string_view tail(ending);
  if (path.size() <= tail.size() || path.compare(path.size() - tail.size(), tail.size(), tail) != 0)
    return {};
  return path.substr(0, path.size() - tail.size());
}

std::string part_path(const std::string& prefix, size_t part, size_t n_parts) {
  char ending[32];
  std::snprintf(ending, sizeof ending, "-%05d-of-%05d.gguf", static_cast<int>(part + 1),
                static_cast<int>(n_parts));
  return prefix + ending;
}

// Bytes of a tensor of this shape, or nothing if they, or the number of elements, pass an int64.
std::optional<uint64_t> tensor_bytes(int32_t type, const std::array<int64_t, 4>& shape) {
  int64_t n = 1;
  for (int64_t dim : shape) {
    if (n >= INT64_MAX / dim) return std::nullopt;
    n *= dim;
  }
  const uint64_t n_blocks = static_cast<uint64_t>(n / ggml_blck_size(static_cast<ggml_type>(type)));
  const uint64_t block_bytes = ggml_type_size(static_cast<ggml_type>(type));
  if (n_blocks > static_cast<uint64_t>(INT64_MAX) / block_bytes) return std::nullopt;
  return n_blocks * block_bytes;
}

}  // namespace

Gguf::Gguf(const std::string& path) {
  Digest digest;
  const size_t n_parts = read_part(path, 0, digest);
  if (n_parts > 1) {
    const std::string prefix = split_prefix(path, n_parts);
    if (prefix.empty()) {
      throw Failure{Code::model_invalid,
                    "Expected the first part of a model in " + std::to_string(n_parts) +
                        " parts to be named " + part_path("<name>", 0, n_parts) + " but received " +
                        path + ".",
                    {{"path", path}, {"parts", static_cast<int64_t>(n_parts)}},
                    "Keep the names the parts came with."};
    }
    for (size_t part = 1; part < n_parts; part++) {
      read_part(part_path(prefix, part, n_parts), part, digest);
    }
    const std::optional<int64_t> expected = integer("split.tensors.count");
    if (type_of("split.tensors.count") != GGUF_TYPE_INT32 ||
        *expected != static_cast<int64_t>(tensors_.size())) {
      throw Failure{Code::model_invalid,
                    "Expected " +
                        (expected ? std::to_string(*expected) : std::string("a number of")) +
                        " tensors (split.tensors.count) but the parts of " + path + " hold " +
                        std::to_string(tensors_.size()) + ": they do not belong together.",
                    {{"path", path}, {"tensors", static_cast<int64_t>(tensors_.size())}},
                    "Download the parts again."};
    }
  }
  fingerprint_ = digest.hex();
}

size_t Gguf::read_part(const std::string& path, size_t part, Digest& digest) {
  GgufReader reader(path);
  check_magic(reader);
  check_version(reader);
  const uint64_t n_tensors =
      read_count(reader, kMostTensors, kShortestTensor, "the number of tensors");
  const uint64_t n_values =
      read_count(reader, kMostValues, kShortestValue, "the number of metadata keys");

  std::vector<std::string> keys;
  Values values = read_values(reader, n_values, keys);

  uint64_t alignment = GGUF_DEFAULT_ALIGNMENT;
  if (const auto found = values.find("general.alignment"); found != values.end()) {
    const Value& value = found->second;
    alignment = value.type != GGUF_TYPE_UINT32
                    ? 0
                    : static_cast<uint64_t>(*integer_in(values, "general.alignment"));
    // Below 32, mapped tensors would trip ggml_backend_cpu_buffer_from_ptr.
    if (alignment < kSmallestAlignment || alignment > kLargestAlignment ||
        (alignment & (alignment - 1)) != 0) {
      reader.fail(
          "Expected general.alignment to be a power of two from 32 to 1048576, as a u32, but it is "
          "not",
          "The file is damaged, or has to be converted anew.");
    }
  }

  // llama_model_loader takes both as u16 and nothing else.
  size_t n_parts = 1;
  for (const char* key : {"split.count", "split.no"}) {
    const auto found = values.find(key);
    if (found != values.end() && found->second.type != GGUF_TYPE_UINT16) {
      reader.fail(std::string("Expected ") + key + " to be a u16 but it is of another type");
    }
  }
  n_parts = static_cast<size_t>(integer_in(values, "split.count").value_or(1));
  const std::optional<int64_t> number = integer_in(values, "split.no");
  if (part == 0 && n_parts > 1 && number.value_or(-1) != 0) {
    reader.fail("Expected the first part of a model in " + std::to_string(n_parts) +
                    " parts but this is another one",
                "Give the path of part 1; the others are found beside it.");
  }
  if (part > 0 && number != static_cast<int64_t>(part)) {
    reader.fail("Expected part " + std::to_string(part + 1) +
                    " of the model but this file says it is " +
                    (number ? "part " + std::to_string(*number + 1) : std::string("no part")),
                "Keep the names the parts came with.");
  }

  read_tensors(reader, part, n_tensors, alignment);
  if (part == 0) {
    values_ = std::move(values);
    keys_ = std::move(keys);
  }
  reader.finish(digest);
  paths_.push_back(path);
  file_bytes_ += reader.size();
  return n_parts;
}

void Gguf::read_tensors(GgufReader& reader, size_t part, uint64_t n_tensors, uint64_t alignment) {
  const size_t first = tensors_.size();
  uint64_t expected =
      0;  // gguf_init_from_reader demands tensors in file order without gaps but for alignment
  for (uint64_t i = 0; i < n_tensors; i++) {
    GgufTensor tensor{};
    tensor.part = part;
    tensor.name = reader.text(GGML_MAX_NAME - 1, "a tensor's name");
    reader.check_name(tensor.name, "a tensor");
    const std::string shown = "tensor " + in_quotes(tensor.name);
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      reader.fail("Expected each tensor once but " + shown + " comes twice");
    }

    const uint32_t n_dims = reader.number<uint32_t>("a tensor's number of dimensions");
    if (n_dims < 1 || n_dims > GGML_MAX_DIMS) {
      reader.fail("Expected 1 to 4 dimensions for " + shown + " but came " +
                  std::to_string(n_dims));
    }
    tensor.n_dims = static_cast<int>(n_dims);
    tensor.shape = {1, 1, 1, 1};
    for (uint32_t dim = 0; dim < n_dims; dim++) {
      tensor.shape[dim] = reader.number<int64_t>("a tensor's shape");
      if (tensor.shape[dim] < 1) {
        reader.fail("Expected positive dimensions for " + shown + " but came " +
                    std::to_string(tensor.shape[dim]));
      }
    }

    tensor.type = reader.number<int32_t>("a tensor's type");
    const bool known = tensor.type >= 0 && tensor.type < GGML_TYPE_COUNT;
    const int64_t block = known ? ggml_blck_size(static_cast<ggml_type>(tensor.type)) : 0;
    if (block == 0 || ggml_type_size(static_cast<ggml_type>(tensor.type)) == 0) {
      reader.fail("Expected a tensor type that llama.cpp knows for " + shown + " but came number " +
                      std::to_string(tensor.type),
                  "The file is damaged, or quantised for another llama.cpp.");
    }
    if (tensor.shape[0] % block != 0) {
      reader.fail("Expected rows of whole blocks of " + std::to_string(block) + " for " + shown +
                  " but they have " + std::to_string(tensor.shape[0]) + " elements");
    }
    const std::optional<uint64_t> bytes = tensor_bytes(tensor.type, tensor.shape);
    if (!bytes) reader.fail("The shape of " + shown + " has more elements than 64 bits count");
    tensor.bytes = *bytes;

    tensor.offset = reader.number<uint64_t>("a tensor's offset");
    if (tensor.offset != expected) {
      reader.fail("Expected " + shown + " at offset " + std::to_string(expected) +
                  " of the data but came " + std::to_string(tensor.offset));
    }
    if (tensor.offset + tensor.bytes > reader.size()) {
      reader.fail("Expected " + std::to_string(tensor.bytes) + " bytes of data for " + shown +
                  " but the file has only " + std::to_string(reader.size()));
    }
    expected += (tensor.bytes + alignment - 1) / alignment * alignment;
    tensors_.push_back(std::move(tensor));
  }

  const uint64_t data = (reader.position() + alignment - 1) / alignment * alignment;
  for (size_t i = first; i < tensors_.size(); i++) {
    GgufTensor& tensor = tensors_[i];
    tensor.offset += data;
    if (tensor.offset + tensor.bytes > reader.size()) {
      reader.fail_at(tensor.offset, "Expected the data of tensor " + in_quotes(tensor.name) +
                                        " to end at byte " +
                                        std::to_string(tensor.offset + tensor.bytes) +
                                        " but the file has only " + std::to_string(reader.size()));
    }
  }
}

const GgufTensor* Gguf::tensor(std::string_view name) const {
  const auto found = tensor_index_.find(std::string(name));
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace qwen3_embed
