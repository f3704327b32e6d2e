#include "core/file/tensor_file.h"

#include <algorithm>

#include "core/failure.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace qwen3_embed {
namespace {

// What a system says of an open file; equal for as long as nobody writes to it.
struct Stamp {
  uint64_t device, file, size;
  int64_t changed;  // of the contents, in the system's own unit
  bool operator==(const Stamp& other) const {
    return device == other.device && file == other.file && size == other.size &&
           changed == other.changed;
  }
};

Failure cannot_open(const std::string& path) {
  return {Code::model_not_found,
          "Expected a readable file at " + path + ".",
          {{"path", path}},
          "Check that it exists and is complete."};
}

Failure changed(const std::string& path) {
  return {Code::model_changed,
          "The model's file " + path + " was written to while it was loaded.",
          {{"path", path}},
          "Load the model again, and replace files by "
          "renaming a new one over the old."};
}

}  // namespace

#ifdef _WIN32

class TensorFile::Part {
 public:
  explicit Part(const std::string& path) : path_(path) {
    const int n = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
    std::wstring wide(static_cast<size_t>(n > 0 ? n : 1), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), n);
    file_ = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                        OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file_ == INVALID_HANDLE_VALUE) throw cannot_open(path);
    stamp = now();
  }
  ~Part() { CloseHandle(file_); }

  Stamp now() const {
    BY_HANDLE_FILE_INFORMATION info;
    if (!GetFileInformationByHandle(file_, &info)) throw changed(path_);
    const auto wide = [](DWORD high, DWORD low) { return uint64_t{high} << 32 | low; };
    return {info.dwVolumeSerialNumber, wide(info.nFileIndexHigh, info.nFileIndexLow),
            wide(info.nFileSizeHigh, info.nFileSizeLow),
            static_cast<int64_t>(
                wide(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime))};
  }

  size_t read(uint64_t offset, size_t n_bytes, void* to) const {
    OVERLAPPED at{};
    at.Offset = static_cast<DWORD>(offset);
    at.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD got = 0;
    if (!ReadFile(file_, to, static_cast<DWORD>(n_bytes), &got, &at)) return 0;
    return got;
  }

  const std::string& path() const { return path_; }
  Stamp stamp{};

 private:
  std::string path_;
  HANDLE file_;
};

#else

class TensorFile::Part {
 public:
  explicit Part(const std::string& path) : path_(path) {
    file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) throw cannot_open(path);
    stamp = now();
  }
  ~Part() { close(file_); }

  Stamp now() const {
    struct stat status;
    if (fstat(file_, &status) != 0) throw changed(path_);
#ifdef __APPLE__
    const timespec time = status.st_mtimespec;
#else
    const timespec time = status.st_mtim;
#endif
    return {static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino),
            static_cast<uint64_t>(status.st_size),
            static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec};
  }

  size_t read(uint64_t offset, size_t n_bytes, void* to) const {
    for (;;) {
      const ssize_t got = pread(file_, to, n_bytes, static_cast<off_t>(offset));
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return 0;
    }
  }

  const std::string& path() const { return path_; }
  Stamp stamp{};

 private:
  std::string path_;
  int file_;
};

#endif

TensorFile::TensorFile(const Gguf& file) {
  for (const std::string& path : file.paths()) parts_.push_back(std::make_unique<Part>(path));
}

TensorFile::~TensorFile() = default;

void TensorFile::read(size_t part, uint64_t offset, size_t n_bytes, void* to) const {
  // Systems read at most 2 GiB at once.
  constexpr size_t kMost = size_t{1} << 30;
  auto* out = static_cast<uint8_t*>(to);
  while (n_bytes > 0) {
    const size_t got = parts_[part]->read(offset, std::min(n_bytes, kMost), out);
    if (got == 0) throw changed(parts_[part]->path());
    out += got;
    offset += got;
    n_bytes -= got;
  }
}

void TensorFile::check_unchanged() const {
  for (const std::unique_ptr<Part>& part : parts_) {
    if (!(part->now() == part->stamp)) throw changed(part->path());
  }
}

std::string TensorFile::identity() const {
  std::string text;
  for (const std::unique_ptr<Part>& part : parts_) {
    const Stamp& stamp = part->stamp;
    for (const uint64_t value :
         {stamp.device, stamp.file, stamp.size, static_cast<uint64_t>(stamp.changed)}) {
      text += std::to_string(value) + ".";
    }
  }
  return text;
}

}  // namespace qwen3_embed
