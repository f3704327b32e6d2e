// A GGUF file as data: every byte of the header is checked here, before llama.cpp or ggml, whose
// loaders assert, see the file. Split models (-00001-of-0000N) are one Gguf.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace qwen3_embed {

class Digest;
class GgufReader;

struct GgufTensor {
  std::string name;
  int32_t type;                  // a ggml_type whose block size and byte size are known
  int n_dims;                    // 1..4
  std::array<int64_t, 4> shape;  // ne, fastest first, padded with 1
  uint64_t bytes;
  size_t part;      // index into paths()
  uint64_t offset;  // from the start of that file; offset + bytes lies inside it
};

class Gguf {
 public:
  // Throws Failure: model_not_found (no such file, a directory, unreadable), model_invalid
  // (anything wrong in it), model_unsupported (big-endian, or a version of the format that
  // llama.cpp does not read). Of a split model one path (the first part) is enough: the other parts
  // are found beside it.
  explicit Gguf(const std::string& path);

  const std::vector<std::string>& paths() const { return paths_; }
  uint64_t file_bytes() const { return file_bytes_; }  // of all parts

  // Absent, or of another type: nullopt. Integers of any width and sign are integer(); f32 and f64
  // are real().
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> real(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  // Arrays: n_items is 0 where absent or no array.
  size_t n_items(std::string_view key) const;
  std::optional<std::vector<std::string>> texts(std::string_view key) const;
  std::optional<std::vector<int64_t>> integers(std::string_view key) const;
  std::optional<std::vector<double>> reals(std::string_view key) const;
  // Like texts(), but into this Gguf's own memory.
  std::optional<std::vector<std::string_view>> views(std::string_view key) const;
  std::optional<std::string_view> bytes(std::string_view key) const;  // of a u8 or i8 array
  // gguf_type of a value and of an array's items; nullopt where absent. llama.cpp takes a key only
  // in its one type.
  std::optional<uint32_t> type_of(std::string_view key) const;
  std::optional<uint32_t> item_type_of(std::string_view key) const;
  // A value as it stands in the file: its type, and the bytes after it. nullopt where absent.
  std::optional<std::pair<uint32_t, std::string>> stored(std::string_view key) const;
  // All keys in file order, for `inspect`.
  const std::vector<std::string>& keys() const { return keys_; }

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* tensor(std::string_view name) const;

  // Hex digest over header bytes (metadata and tensor table), file sizes and a sample of the
  // weights: cheap, stable, tells two models apart.
  std::string fingerprint() const { return fingerprint_; }

 private:
  struct Value {
    uint32_t type;               // gguf_type
    uint32_t item_type;          // of an array, else type
    uint64_t n_items;            // 1 for a scalar
    std::string bytes;           // as in the file; strings one after another without their lengths
    std::vector<uint32_t> ends;  // of each string in bytes
  };
  using Values = std::unordered_map<std::string, Value>;
  const Value* find(std::string_view key) const;
  const Value* find_array(std::string_view key) const;
  static Values read_values(GgufReader& reader, uint64_t n_values, std::vector<std::string>& keys);
  static std::optional<int64_t> integer_in(const Values& values, std::string_view key);
  void read_tensors(GgufReader& reader, size_t part, uint64_t n_tensors, uint64_t alignment);
  // Returns how many parts the file says there are.
  size_t read_part(const std::string& path, size_t part, Digest& digest);

  std::vector<std::string> paths_;
  std::vector<std::string> keys_;
  Values values_;  // of the first part
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, size_t> tensor_index_;
  uint64_t file_bytes_ = 0;
  std::string fingerprint_;
};

}  // namespace qwen3_embed
