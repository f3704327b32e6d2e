#include "core/machine/text_files.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace qwen3_embed {

std::string read_text_file(const std::string& path) {
  constexpr size_t kMost = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMost, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size())) && file.bad()) return {};
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  constexpr std::string_view kSpace = " \t\r\n";
  for (size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const size_t end = std::min(text.size(), text.find_first_of(kSpace, begin));
    words.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpace, end);
  }
  return words;
}

std::string first_word(const std::string& path) {
  const std::vector<std::string> words = words_of(read_text_file(path));
  return words.empty() ? "" : words.front();
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return number;
}

std::vector<int> cpu_list(std::string_view text) {
  constexpr int64_t kMost = 1 << 16;
  std::vector<int> cpus;
  while (!text.empty()) {
    const size_t comma = std::min(text.size(), text.find(','));
    const std::string_view range = text.substr(0, comma);
    text.remove_prefix(std::min(text.size(), comma + 1));
    const size_t dash = range.find('-', 1);
    const auto first = whole_number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : whole_number(range.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kMost) return {};
    for (int64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

}  // namespace qwen3_embed
