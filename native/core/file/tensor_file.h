// The bytes of a GGUF's tensors, read where and when they are asked for. Never mapped: a file that
// shrinks or changes while it is loaded is an error here, where a map would be a signal or another
// model's vector.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/file/gguf_file.h"

namespace qwen3_embed {

class TensorFile {
 public:
  // Keeps the parts of `file` open: one that is replaced or unlinked is read on as it was. Throws
  // Failure model_not_found.
  explicit TensorFile(const Gguf& file);
  ~TensorFile();
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  // Copies n_bytes of a part from `offset` on. From any thread. Throws Failure model_changed.
  void read(size_t part, uint64_t offset, size_t n_bytes, void* to) const;

  // Throws Failure model_changed if a part was written to since it was opened. A few microseconds.
  void check_unchanged() const;

  // What tells these bytes from any others that this process may open: device, file number, size
  // and time of the last change of every part.
  std::string identity() const;

 private:
  class Part;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace qwen3_embed
