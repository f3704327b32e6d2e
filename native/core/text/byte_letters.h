// GPT-2 writes each byte of a token as a printable letter.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qwen3_embed {

// The letter for a byte: itself if printable in Latin-1, else the next unused one from U+0100 on.
std::string byte_letter(int byte);

// The bytes that letters stand for; nullopt where one of them stands for none.
std::optional<std::string> bytes_of_letters(std::string_view letters);

}  // namespace qwen3_embed
