#include "core/text/byte_level.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text/byte_letters.h"
#include "core/text/piece_encoder.h"
#include "core/text/pieces.h"

namespace qwen3_embed {
namespace {

constexpr std::array<std::string_view, 4> kPreTokenizers = {"qwen2", "deepseek-r1-qwen", "kormo",
                                                            "f2llmv2"};

// llama.cpp takes these for control tokens whatever the file says: in a user's text they stay text.
constexpr std::array<std::string_view, 8> kAlwaysControl = {
    "<|endoftext|>",  "<|im_end|>",  "<|fim_prefix|>", "<|fim_suffix|>",
    "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>",  "<|file_sep|>"};

// As in the file (llama_token_type).
enum FileType { kUndefined, kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// llama.cpp reads strings up to their first zero.
std::string_view as_c_string(std::string_view text) { return text.substr(0, text.find('\0')); }

TextEnds read_ends(const Gguf& file) {
  const std::string prefix = "tokenizer.ggml.";
  const auto id = [&](const char* key, Token absent) {
    return static_cast<Token>(file.integer(prefix + key).value_or(absent));
  };
  const auto flag = [&](const char* key) { return file.boolean(prefix + key).value_or(false); };
  TextEnds ends;
  constexpr Token kOfGpt2 = 11;  // what llama.cpp assumes of a byte-pair vocabulary
  ends.bos = id("bos_token_id", kOfGpt2);
  ends.eos = id("eos_token_id", kOfGpt2);
  ends.sep = id("seperator_token_id", -1);  // spelled so in the format
  ends.add_bos = flag("add_bos_token");
  ends.add_eos = flag("add_eos_token");
  ends.add_sep = flag("add_sep_token");
  if (ends.add_bos) ends.lead = {ends.bos};
  if (ends.add_eos) ends.trail = {ends.eos};
  return ends;
}

// Bytes merged in one step: a few milliseconds of merging on a slow core. Looking for tokens
// that are spelled out, and for the end of a piece, is some twenty times as quick.
constexpr size_t kStepBytes = 64 << 10;
constexpr size_t kScanBytes = 20 * kStepBytes;

class Stream final : public TokenStream {
 public:
  Stream(const BytePairs& pairs, const SpecialTokens& special, std::string_view text)
      : special_(special), text_(text), encoder_(pairs) {}

  Step step(std::vector<Token>& ids) override {
    size_t to_scan = kScanBytes, to_merge = kStepBytes;
    begin_ = ids.size();
    while (to_scan > 0 && to_merge > 0) {
      if (piece_) {
        if (const size_t n_taken_back = merge(to_merge, ids); n_taken_back > 0)
          return {false, n_taken_back};
      } else if (pieces_) {
        next_piece(to_scan, ids);
      } else if (at_ < text_.size()) {
        find_fragment(to_scan);
      } else {
        return {true};
      }
    }
    return {at_ == text_.size() && !pieces_ && !piece_};
  }

 private:
  // A fragment is what stands between two spelled tokens; pieces never reach beyond it.
  void find_fragment(size_t& to_scan) {
    const size_t to = scanned_ + std::min(to_scan, text_.size() - scanned_);
    found_ = special_.find(text_, scanned_, to);
    to_scan -= std::min(to_scan, (found_ ? found_->at : to) - scanned_ + 1);
    scanned_ = found_ ? found_->at : to;
    if (!found_ && to < text_.size()) return;
    pieces_.emplace(text_.substr(at_, scanned_ - at_));
  }

  void next_piece(size_t& to_scan, std::vector<Token>& ids) {
    if (pieces_->done()) {
      pieces_.reset();
      at_ = scanned_;
      if (!found_) return;
      ids.push_back(found_->id);
      at_ = scanned_ = found_->at + found_->n_bytes;
      found_.reset();
      return;
    }
    piece_ = pieces_->next(to_scan);
    if (piece_) encoder_.begin(*piece_);
  }

  size_t merge(size_t& to_merge, std::vector<Token>& ids) {
    const size_t before = ids.size();
    const Step step = encoder_.step(ids);
    to_merge -= std::min(to_merge, std::min(piece_->size(), encoder_.window_bytes()));
    if (step.done) piece_.reset();
    // Of the tokens taken back, those of this step go at once.
    const size_t n_here = std::min(step.n_taken_back, before - begin_);
    const auto at = ids.begin() + static_cast<std::ptrdiff_t>(before);
    ids.erase(at - static_cast<std::ptrdiff_t>(n_here), at);
    return step.n_taken_back - n_here;
  }

  const SpecialTokens& special_;
  const std::string_view text_;
  PieceEncoder encoder_;
  size_t begin_ = 0;    // of this step's tokens
  size_t at_ = 0;       // what comes before it is done
  size_t scanned_ = 0;  // up to here there is no spelled token but found_
  std::optional<SpecialTokens::Match> found_;
  std::optional<PieceReader> pieces_;
  std::optional<std::string_view> piece_;
};

}  // namespace

ByteLevelTokenizer::ByteLevelTokenizer(BytePairs pairs, SpecialTokens all,
                                       SpecialTokens in_user_text)
    : pairs_(std::move(pairs)), all_(std::move(all)), in_user_text_(std::move(in_user_text)) {}

std::unique_ptr<ByteLevelTokenizer> ByteLevelTokenizer::make(const Gguf& file) {
  const std::string prefix = "tokenizer.ggml.";
  if (file.text(prefix + "model") != "gpt2" ||
      !contains(kPreTokenizers, file.text(prefix + "pre").value_or(""))) {
    return nullptr;
  }
  const auto texts = file.views(prefix + "tokens"), merges = file.views(prefix + "merges");
  const auto types = file.integers(prefix + "token_type");
  if (!texts || !merges || !types || types->size() != texts->size()) return nullptr;

  const size_t n_tokens = texts->size();
  std::vector<std::string> tokens(n_tokens), spellings(n_tokens);
  std::vector<Type> kinds(n_tokens, Type::pairs);
  std::vector<std::pair<std::string, Token>> all, in_user_text;
  size_t longest = 1;
  for (size_t id = 0; id < n_tokens; ++id) {
    const std::string_view text = as_c_string((*texts)[id]);
    const int64_t type = (*types)[id];
    if (text.empty() || type == kByte) return nullptr;
    std::optional<std::string> bytes = bytes_of_letters(text);
    // Only what can be spelled in letters is ever merged into.
    if (bytes) tokens[id] = std::move(*bytes);
    if (type == kControl || type == kUserDefined || type == kUnknown) {
      kinds[id] = Type::spelled;
      all.emplace_back(text, static_cast<Token>(id));
      if (type == kUserDefined && !contains(kAlwaysControl, text))
        in_user_text.push_back(all.back());
      longest = std::max(longest, text.size());
    } else if (type != kNormal) {
      kinds[id] = Type::silent;
      if (contains(kAlwaysControl, text)) return nullptr;
    } else if (!bytes || contains(kAlwaysControl, text)) {
      return nullptr;
    }
    if (kinds[id] != Type::pairs || tokens[id].empty()) spellings[id] = text;
  }
  std::optional<SpecialTokens> found_all = SpecialTokens::make(std::move(all));
  std::optional<SpecialTokens> found_in_user_text = SpecialTokens::make(std::move(in_user_text));
  if (!found_all || !found_in_user_text) return nullptr;

  BytePairs pairs(std::move(tokens), merges->size());
  for (int byte = 0; byte < 256; ++byte) {
    if (pairs.find(std::string(1, static_cast<char>(byte))) < 0) return nullptr;
  }
  for (const std::string_view merge : *merges) {
    const std::string_view pair = as_c_string(merge);
    const size_t space = pair.find(' ', 1);
    if (space == std::string_view::npos) continue;
    const std::optional<std::string> left = bytes_of_letters(pair.substr(0, space));
    const std::optional<std::string> right = bytes_of_letters(pair.substr(space + 1));
    pairs.add_merge(left.value_or(""), right.value_or(""));
  }
  longest = std::max(longest, pairs.longest());
  std::unique_ptr<ByteLevelTokenizer> made(new ByteLevelTokenizer(
      std::move(pairs), std::move(*found_all), std::move(*found_in_user_text)));
  made->types_ = std::move(kinds);
  made->spellings_ = std::move(spellings);
  made->ends_ = read_ends(file);
  made->longest_ = longest;
  return made;
}

std::unique_ptr<TokenStream> ByteLevelTokenizer::stream(std::string_view text,
                                                        bool parse_special) const {
  return std::make_unique<Stream>(pairs_, parse_special ? all_ : in_user_text_, text);
}

std::string ByteLevelTokenizer::text(const std::vector<Token>& ids) const {
  std::string out;
  for (const Token id : ids) {
    const auto i = static_cast<size_t>(id);
    if (types_[i] == Type::pairs) out += pairs_.bytes(id);
    if (types_[i] == Type::spelled) out += spellings_[i];
  }
  return out;
}

std::string ByteLevelTokenizer::spelling(Token id) const {
  const std::string& spelled = spellings_[static_cast<size_t>(id)];
  if (!spelled.empty()) return spelled;
  std::string letters;
  for (const char byte : pairs_.bytes(id)) letters += byte_letter(static_cast<uint8_t>(byte));
  return letters;
}

}  // namespace qwen3_embed
