#include "core/file/gguf_reader.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

namespace qwen3_embed {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
// The largest header known (a vocabulary of 262,144 tokens) is under 32 MiB; ggml keeps it in
// memory several times.
constexpr uint64_t kMaxHeaderBytes = uint64_t{256} << 20;
constexpr uint64_t kSamples = 64, kSampleBytes = 64;

[[noreturn]] void not_found(const std::string& path, const std::string& what,
                            const std::string& remedy = "Give the path of a GGUF file.") {
  throw Failure{Code::model_not_found, what, {{"path", path}}, remedy};
}

}  // namespace

void Digest::add(uint64_t word) {
  low_ = (low_ ^ word) * 0x9fb21c651e98df25;
  low_ ^= low_ >> 29;
  high_ = (high_ ^ word ^ (word >> 31)) * 0xd6e8feb86659fd93;
  high_ ^= high_ >> 32;
}

void Digest::add(const char* bytes, size_t n) {
  uint64_t word;
  for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
    std::memcpy(&word, bytes, sizeof word);
    add(word);
  }
  if (n == 0) return;
  word = 0;
  std::memcpy(&word, bytes, n);
  add(word);
}

std::string Digest::hex() const {
  std::string text;
  for (uint64_t half : {high_, low_}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(half >> shift) & 15];
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string out = "\"";
  for (char c : text.substr(0, kLongest)) out += (c >= ' ' && c <= '~') ? c : '?';
  return out + (text.size() > kLongest ? "...\"" : "\"");
}

GgufReader::GgufReader(const std::string& path) : path_(path) {
  namespace fs = std::filesystem;
  // A NUL would end the path early for whoever opens it next.
  if (path.empty() || path.find('\0') != std::string::npos) {
    not_found(path, "Expected the path of a GGUF file but received an empty or broken one.");
  }
  fs::path native;
  try {
    native = fs::u8path(path);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    not_found(path, "Expected the path of a GGUF file in UTF-8 but received other bytes.");
  }
  std::error_code error;
  const fs::file_status status = fs::status(native, error);
  if (status.type() == fs::file_type::not_found) {
    not_found(path, "No file at " + path + ".", "Check the path, or download the model first.");
  }
  if (status.type() == fs::file_type::directory) {
    not_found(path, "Expected a GGUF file but " + path + " is a directory.",
              "Name the .gguf file inside it.");
  }
  if (status.type() != fs::file_type::regular) {
    not_found(path,
              "Expected a GGUF file but " + path + " is " +
                  (error ? "out of reach: " + error.message() : std::string("no regular file")) +
                  ".");
  }
  size_ = fs::file_size(native, error);
  if (!error) file_.open(native, std::ios::binary);
  if (error || !file_.is_open()) {
    const std::string reason = error ? error.message() : std::generic_category().message(errno);
    not_found(path, "Cannot read " + path + ": " + reason + ".", "Check its permissions.");
  }
}

void GgufReader::fail_at(uint64_t offset, const std::string& what,
                         const std::string& remedy) const {
  throw Failure{Code::model_invalid,
                what + " (" + path_ + ", byte " + std::to_string(offset) + ").",
                {{"path", path_}, {"offset", static_cast<int64_t>(offset)}},
                remedy};
}

void GgufReader::read_slowly(char* to, uint64_t n, const char* what) {
  if (n > remaining()) {
    fail("The file ends inside " + std::string(what) + ": " + std::to_string(n) +
         " more bytes expected, " + std::to_string(remaining()) + " left");
  }
  if (n > kMaxHeaderBytes - std::min(kMaxHeaderBytes, position_)) {
    fail("Expected at most 256 MiB of metadata but " + std::string(what) + " goes beyond");
  }
  while (n > 0) {
    if (next_ == end_) {
      digest_.add(buffer_.data(), end_);
      buffer_.resize(static_cast<size_t>(std::min<uint64_t>(kBufferBytes, size_)));
      file_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
      next_ = 0;
      end_ = static_cast<size_t>(file_.gcount());
      if (end_ == 0) fail("The file could not be read further, though it should have more bytes");
    }
    const size_t n_now = static_cast<size_t>(std::min<uint64_t>(n, end_ - next_));
    std::memcpy(to, buffer_.data() + next_, n_now);
    to += n_now;
    next_ += n_now;
    position_ += n_now;
    n -= n_now;
  }
}

void GgufReader::append(std::string& to, uint64_t n, const char* what) {
  if (n > remaining() || n > kMaxHeaderBytes - std::min(kMaxHeaderBytes, position_)) {
    return read_slowly(nullptr, n, what);  // throws
  }
  const size_t start = to.size();
  to.resize(start + static_cast<size_t>(n));
  read(to.data() + start, n, what);
}

std::string GgufReader::text(uint64_t longest, const char* what) {
  const uint64_t n = number<uint64_t>(what);
  if (n > longest) {
    fail("Expected at most " + std::to_string(longest) + " bytes for " + what + " but came " +
         std::to_string(n));
  }
  std::string bytes;
  append(bytes, n, what);
  return bytes;
}

void GgufReader::check_name(const std::string& name, const char* what) const {
  if (name.empty()) fail(std::string("Expected a name for ") + what + " but it is empty");
  // ggml compares names with strcmp, so a NUL would make two of them one.
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) {
    fail(std::string("Expected a printable name for ") + what + " but came " + in_quotes(name));
  }
}

void GgufReader::finish(Digest& digest) {
  digest_.add(buffer_.data(), next_);
  digest_.add(size_);
  const uint64_t data = position_, n = remaining();
  for (uint64_t i = 0; n > 0 && i < kSamples; i++) {
    char sample[kSampleBytes] = {};
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(data + n / kSamples * i));
    file_.read(sample, static_cast<std::streamsize>(kSampleBytes));
    digest_.add(sample, sizeof sample);
  }
  digest.add(digest_.hex().data(), 32);
}

}  // namespace qwen3_embed
