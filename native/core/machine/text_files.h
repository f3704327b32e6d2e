// The small text files in which Linux tells of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3_embed {

// At most 1 MiB; empty where there is no such file.
std::string read_text_file(const std::string& path);
std::vector<std::string> words_of(std::string_view text);
std::string first_word(const std::string& path);
// Of digits only, with a sign before them or not; nullopt for anything else and what does not fit.
std::optional<int64_t> whole_number(std::string_view text);
// "0-3,8,10-11", sorted, each once; empty for anything else and for numbers beyond reason.
std::vector<int> cpu_list(std::string_view text);

}  // namespace qwen3_embed
