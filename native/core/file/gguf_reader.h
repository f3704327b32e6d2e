// One file read from front to back, never past its end: the bytes under Gguf.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/failure.h"

namespace qwen3_embed {

// 128 bits that tell files apart; no defence against someone who wants two files to look alike.
class Digest {
 public:
  void add(const char* bytes, size_t n);
  void add(uint64_t word);
  std::string hex() const;

 private:
  uint64_t low_ = 0x243f6a8885a308d3, high_ = 0x13198a2e03707344;
};

// Text out of a file made fit for a message: short, one line, in quotes.
std::string in_quotes(std::string_view text);

class GgufReader {
 public:
  // Throws Failure model_not_found: no such file, a directory, no permission.
  explicit GgufReader(const std::string& path);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  uint64_t position() const { return position_; }
  uint64_t remaining() const { return size_ - position_; }

  // `what` names the thing being read, for the message if the file ends inside it.
  void read(char* to, uint64_t n, const char* what) {
    if (n > end_ - next_) return read_slowly(to, n, what);
    std::memcpy(to, buffer_.data() + next_, static_cast<size_t>(n));
    next_ += static_cast<size_t>(n);
    position_ += n;
  }
  template <typename T>
  T number(const char* what) {
    T value;
    read(reinterpret_cast<char*>(&value), sizeof value, what);
    return value;
  }
  // Appends `n` bytes to `to`, having checked first that the file and the header's limit have that
  // many.
  void append(std::string& to, uint64_t n, const char* what);
  // A length and that many bytes.
  std::string text(uint64_t longest, const char* what);

  // Fails unless `name` has letters and no control characters.
  void check_name(const std::string& name, const char* what) const;

  // Digest of all bytes read so far and of a sample of the rest; the reader is spent afterwards.
  void finish(Digest& digest);

  // Failure model_invalid that names the file and the place.
  static constexpr const char* kDamaged = "The file is cut short or damaged; download it again.";
  [[noreturn]] void fail(const std::string& what, const std::string& remedy = kDamaged) const {
    fail_at(position_, what, remedy);
  }
  [[noreturn]] void fail_at(uint64_t offset, const std::string& what,
                            const std::string& remedy = kDamaged) const;

 private:
  void read_slowly(char* to, uint64_t n, const char* what);

  std::string path_;
  std::ifstream file_;
  uint64_t size_ = 0;
  uint64_t position_ = 0;
  std::vector<char> buffer_;
  size_t next_ = 0, end_ = 0;  // the unread part of buffer_
  Digest digest_;              // of the buffers that were read to their end
};

}  // namespace qwen3_embed
