// Our tokenizer against llama.cpp's, in slices against the whole, and against texts made to hurt.
// QWEN3_TOKENIZER_BYTES: how long the hostile texts; QWEN3_TOKENIZER_TEXTS: how many random texts;
// QWEN3_TOKENIZER_SEED; QWEN3_TOKENIZER_FILE: another vocabulary than the bundled one.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "check.h"
#include "core/failure.h"
#include "core/file/checks.h"
#include "core/machine/backends.h"
#include "core/text/byte_level.h"
#include "core/text/byte_pairs.h"
#include "core/text/llama_tokenizer.h"
#include "core/text/piece_encoder.h"
#include "core/text/pieces.h"
#include "core/text/prompt.h"
#include "core/text/unicode.h"
#include "tiny_models.h"
#include "tokenizer_texts.h"

namespace {

using namespace qwen3_embed;

std::string environment(const char* name, const std::string& absent) {
  const char* value = std::getenv(name);
  return value ? value : absent;
}

std::string shown(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 200)) {
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(c)));
    out += c >= ' ' && c < 127 ? std::string(1, c) : hex;
  }
  return out;
}

std::vector<Token> all_of(const Tokenizer& tokenizer, const std::string& text, bool special) {
  std::vector<Token> ids;
  const std::unique_ptr<TokenStream> stream = tokenizer.stream(text, special);
  for (bool done = text.empty(); !done;) {
    const TokenStream::Step step = stream->step(ids);
    CHECK(step.n_taken_back == 0);
    done = step.done;
  }
  return ids;
}

// llama.cpp's tables are of an older Unicode than ours: characters that became letters, numbers or
// spaces since are left out. Behind one of those 's is a contraction; behind another mark it is
// not.
bool same_classes(uint32_t first, uint32_t n, const Tokenizer& theirs, const Tokenizer& ours) {
  std::string text;
  for (uint32_t code = first; code < first + n; ++code) {
    text += " a";
    append_utf8(text, code);
    text += "'s a ";
    append_utf8(text, code);
    append_utf8(text, code);
    text += "1";
  }
  return all_of(theirs, text, false) == all_of(ours, text, false);
}

void agrees_with_llama(const Tokenizer& ours, const LlamaTokenizer& theirs) {
  CHECK(ours.n_tokens() == theirs.n_tokens());
  std::vector<bool> left_out(0x110000);
  size_t n_left_out = 0;
  constexpr uint32_t kAtOnce = 256;
  for (uint32_t first = 0; first < 0x110000; first += kAtOnce) {
    if (first >= 0xd800 && first < 0xe000) continue;
    if (same_classes(first, kAtOnce, theirs, ours)) continue;
    for (uint32_t code = first; code < first + kAtOnce; ++code) {
      left_out[code] = !same_classes(code, 1, theirs, ours);
      n_left_out += left_out[code];
    }
  }
  std::printf("%zu characters are of another class in llama.cpp's Unicode tables\n", n_left_out);
  CHECK(n_left_out < 12000);

  const uint64_t seed = std::stoull(environment("QWEN3_TOKENIZER_SEED", "20261126"));
  const size_t n_texts = std::stoull(environment("QWEN3_TOKENIZER_TEXTS", "3000"));
  TextMaker maker(seed);
  size_t n_run = 0, n_different = 0, n_bytes = 0;
  while (n_run < n_texts) {
    const std::string text = maker.make(1 + maker.below(40));
    bool known = true;
    for (size_t at = 0; at < text.size();) {
      const Character next = character_at(text, at);
      if (left_out[next.code]) known = false;
      at += next.n_bytes;
    }
    if (!known) continue;
    ++n_run;
    n_bytes += text.size();
    for (const bool special : {false, true}) {
      const std::vector<Token> ids = all_of(ours, text, special);
      const bool same = ids == theirs.tokenize(text, special);
      if (!same && ++n_different > 10) continue;
      check::report(same, "ids as llama.cpp's", __FILE__, __LINE__, shown(text));
      const bool spelled = ours.text(ids) == text && theirs.text(ids) == text;
      check::report(spelled, "text of the ids", __FILE__, __LINE__, shown(text));
    }
  }
  std::printf("seed %llu: %zu texts of %zu bytes, %zu different\n",
              static_cast<unsigned long long>(seed), n_run, n_bytes, n_different);
  CHECK(n_different == 0);

  std::vector<Token> every(static_cast<size_t>(ours.n_tokens()));
  for (size_t i = 0; i < every.size(); ++i) {
    every[i] = static_cast<Token>(i);
    CHECK(ours.spelling(every[i]) == theirs.spelling(every[i]));
  }
  CHECK(ours.text(every) == theirs.text(every));
  const TextEnds a = ours.ends(), b = theirs.ends();
  CHECK(a.lead == b.lead && a.trail == b.trail && a.eos == b.eos && a.bos == b.bos);
  CHECK(a.sep == b.sep && a.add_bos == b.add_bos && a.add_eos == b.add_eos);
}

// ---- pieces ----

std::vector<std::string_view> pieces_of(std::string_view text, size_t budget_each) {
  std::vector<std::string_view> pieces;
  PieceReader reader(text);
  while (!reader.done()) {
    size_t budget = budget_each;
    if (const auto piece = reader.next(budget)) pieces.push_back(*piece);
  }
  return pieces;
}

void pieces_are_the_same_in_any_steps() {
  TextMaker maker(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = maker.make(30);
    const auto whole = pieces_of(text, text.size() + 1);
    std::string joined;
    for (const std::string_view piece : whole) joined += piece;
    CHECK(joined == text);
    for (const size_t budget : {1, 2, 3, 7}) CHECK(pieces_of(text, budget) == whole);
  }
}

// ---- byte pairs ----

BytePairs letters(const std::vector<std::pair<std::string, std::string>>& merges) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  for (const auto& [left, right] : merges) {
    if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end())
      tokens.push_back(left + right);
  }
  BytePairs pairs(tokens, merges.size());
  for (const auto& [left, right] : merges) pairs.add_merge(left, right);
  return pairs;
}

// One merge after another, as the definition says.
std::vector<std::string> merged_slowly(
    const std::string& text, const std::vector<std::pair<std::string, std::string>>& merges) {
  std::vector<std::string> parts;
  for (const char c : text) parts.push_back(std::string(1, c));
  for (;;) {
    size_t best = merges.size(), at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found =
          std::find(merges.begin(), merges.end(), std::make_pair(parts[i], parts[i + 1]));
      const auto rank = static_cast<size_t>(found - merges.begin());
      if (rank < best) best = rank, at = i;
    }
    if (best == merges.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

std::vector<Token> in_windows(const BytePairs& pairs, std::string_view piece, size_t window,
                              bool* started_over = nullptr) {
  PieceEncoder encoder(pairs, window);
  encoder.begin(piece);
  std::vector<Token> ids;
  for (;;) {
    std::vector<Token> more;
    const TokenStream::Step step = encoder.step(more);
    if (started_over && step.n_taken_back > 0) *started_over = true;
    ids.resize(ids.size() - step.n_taken_back);
    ids.insert(ids.end(), more.begin(), more.end());
    if (step.done) return ids;
  }
}

// Random vocabularies over few letters, in which merges overlap as much as they can.
void byte_pairs_follow_their_definition() {
  TextMaker random(2);
  size_t n_windows = 0;
  for (int round = 0; round < 60; ++round) {
    const size_t n_letters = 1 + random.below(4);
    std::vector<std::string> known;
    for (size_t i = 0; i < n_letters; ++i)
      known.push_back(std::string(1, static_cast<char>('a' + i)));
    std::vector<std::pair<std::string, std::string>> merges;
    for (size_t n = 1 + random.below(40); n > 0; --n) {
      const std::string left = known[random.below(known.size())];
      const std::string right = known[random.below(known.size())];
      if (left.size() + right.size() > 12) continue;
      if (std::find(merges.begin(), merges.end(), std::make_pair(left, right)) != merges.end())
        continue;
      merges.emplace_back(left, right);
      known.push_back(left + right);
    }
    const BytePairs pairs = letters(merges);
    BytePairs::Work work;
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (size_t n = 1 + random.below(150); n > 0; --n)
        text += static_cast<char>('a' + random.below(n_letters));
      std::vector<Token> ids;
      pairs.encode(text, work, ids);
      std::vector<std::string> parts;
      for (const Token id : ids) parts.emplace_back(pairs.bytes(id));
      CHECK(parts == merged_slowly(text, merges));
      for (const size_t window : {8, 13, 32, 64}) {
        CHECK(in_windows(pairs, text, window) == ids);
        n_windows += text.size() / window;
      }
    }
  }
  CHECK(n_windows > 1000);
}

// Each letter pairs with the next one at a lower rank, so that the end of the text decides how all
// of it is paired: what no window can know.
void a_vocabulary_made_to_defeat_windows() {
  std::vector<std::pair<std::string, std::string>> merges;
  std::string text;
  for (int i = 0; i < 120; ++i) text += static_cast<char>(1 + i);
  for (size_t i = text.size() - 1; i > 0; --i)
    merges.emplace_back(text.substr(i - 1, 1), text.substr(i, 1));
  const BytePairs pairs = letters(merges);
  BytePairs::Work work;
  bool started_over = false;
  for (const size_t n : {size_t{120}, size_t{119}, size_t{77}}) {
    std::vector<Token> ids;
    pairs.encode(text.substr(0, n), work, ids);
    CHECK(in_windows(pairs, std::string_view(text).substr(0, n), 16, &started_over) == ids);
  }
  CHECK(started_over);
}

// ---- prompts ----

struct Made {
  Prompt prompt;
  int n_steps = 0;
};

Made make(const Vocabulary& vocabulary, const std::string& head, const std::string& body, int limit,
          bool truncate) {
  const Frame frame = vocabulary.embedding_frame();
  PromptInProgress prompt(vocabulary, frame, std::make_shared<const std::string>(head), body, limit,
                          truncate);
  Made made;
  do {
    ++made.n_steps;
  } while (!prompt.step());
  made.prompt = prompt.take();
  return made;
}

constexpr int kNoLimit = std::numeric_limits<int>::max();

void long_texts_go_in_slices(const Vocabulary& vocabulary) {
  const std::string sentence = "It was a bright cold day in April, and 13 clocks were striking.\n";
  const std::string text = repeated(sentence, 1 << 20);
  const Made whole = make(vocabulary, "", text, kNoLimit, false);
  CHECK(whole.n_steps >= 16);
  const std::vector<Token> once = vocabulary.plain(sentence);
  const size_t n = text.size() / sentence.size();
  CHECK(whole.prompt.sequence.ids.size() == n * once.size() + 1);

  const Made cut = make(vocabulary, "", text, 100, true);
  CHECK(cut.prompt.sequence.ids.size() == 100);
  CHECK(cut.prompt.n_tokens == whole.prompt.n_tokens);
  CHECK(cut.prompt.n_cut == cut.prompt.n_tokens - 100);
  CHECK(std::equal(cut.prompt.sequence.ids.begin(), cut.prompt.sequence.ids.end() - 1,
                   whole.prompt.sequence.ids.begin()));

  // Refused after a step or two, however long the text is; what is near the limit has its number.
  const auto refusal = [&](const std::string& body, int limit) {
    const Frame frame = vocabulary.embedding_frame();
    PromptInProgress prompt(vocabulary, frame, std::make_shared<const std::string>(), body, limit,
                            false);
    int n_steps = 0;
    try {
      while (++n_steps < 100 && !prompt.step()) {
      }
    } catch (const Failure& failure) {
      CHECK(failure.code == Code::text_too_long && n_steps <= 3);
      return failure.message;
    }
    return std::string("taken");
  };
  CHECK(refusal(text, 100).find("has more than ") != std::string::npos);
  CHECK(refusal(text, 15000).find("has more than ") != std::string::npos);
  CHECK(refusal(repeated(sentence, 20 << 20), 10).find("has more than ") != std::string::npos);
  const std::string near = "has " + std::to_string(10 * once.size() + 1) + ".";
  CHECK(refusal(repeated(sentence, 10 * sentence.size()), 100).find(near) != std::string::npos);
}

void hostile_texts_are_read(const Vocabulary& vocabulary) {
  const size_t n_bytes = std::stoull(environment("QWEN3_TOKENIZER_BYTES", "4000000"));
  for (const HostileText& hostile : hostile_texts()) {
    const std::string text = repeated(hostile.part, n_bytes);
    const Made made = make(vocabulary, "", text, 100, true);
    check::report(made.prompt.sequence.ids.size() == 100, hostile.what, __FILE__, __LINE__);
    const Made shorter = make(vocabulary, "", repeated(hostile.part, 100000), kNoLimit, false);
    std::vector<Token> ids = shorter.prompt.sequence.ids;
    ids.pop_back();
    check::report(vocabulary.text(ids) == repeated(hostile.part, 100000), hostile.what, __FILE__,
                  __LINE__);
  }
}

void several_threads_at_once(const Gguf& file, const Facts& facts) {
  const Vocabulary vocabulary(file, facts);
  std::vector<std::string> texts;
  TextMaker maker(3);
  for (int i = 0; i < 500; ++i) texts.push_back(maker.make(30));
  std::vector<std::vector<std::vector<Token>>> found(4);
  std::vector<std::thread> threads;
  for (auto& ids : found) {
    threads.emplace_back([&] {
      for (const std::string& text : texts) ids.push_back(vocabulary.plain(text));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : found) CHECK(ids == found[0]);
}

// ---- llama.cpp's pre-tokenizers ----

// One word as long as is let in, then one that is longer, of every sort of character.
void long_words_under_every_pre_tokenizer() {
  const gguf_builder::Folder folder;
  size_t n_loaded = 0, n_refused = 0;
  for (const std::string& pre : pre_tokenizers()) {
    gguf_builder::Builder file = gguf_builder::decoder("qwen2");
    file.text("tokenizer.ggml.pre", pre);
    std::unique_ptr<LlamaTokenizer> tokenizer;
    try {
      const Gguf gguf(folder.write("model.gguf", file.build()));
      tokenizer = LlamaTokenizer::load(gguf, read_facts(gguf));
    } catch (const Failure&) {
      continue;
    }
    ++n_loaded;
    for (const std::string_view part :
         {"a", "A", "7", "!", " ", "\n", "\xe4\xb8\xad", "\xcc\x81"}) {
      for (const size_t n_bytes : {size_t{50000}, size_t{500000}}) {
        if (n_bytes > 50000 && part != "a") continue;
        try {
          const std::string word = repeated(part, n_bytes);
          tokenizer->tokenize(word, false);
        } catch (const Failure& failure) {
          check::report(failure.code == Code::text_too_long, "refused", __FILE__, __LINE__, pre);
          ++n_refused;
        }
      }
    }
  }
  std::printf("%zu pre-tokenizers, %zu words refused\n", n_loaded, n_refused);
  CHECK(n_loaded > 50);
}

// Words of the letters and of the tokens that cuts must not break; everything else as well.
void parts_are_the_whole(const LlamaTokenizer& tokenizer, const std::string& name) {
  TextMaker maker(5);
  size_t n_parts = 0;
  for (int i = 0; i < 40; ++i) {
    std::string text;
    for (size_t n = maker.below(30); n > 0; --n) {
      text += maker.make(2);
      for (size_t m = maker.below(4); m > 0; --m) {
        text += ' ';
        for (size_t k = 1 + maker.below(5); k > 0; --k) text += "heloyeswn0123"[maker.below(13)];
      }
    }
    for (const bool special : {false, true}) {
      std::vector<Token> ids;
      const auto stream = tokenizer.stream(text, special, 16);
      while (!stream->step(ids).done) ++n_parts;
      check::report(ids == tokenizer.tokenize(text, special), "parts and whole", __FILE__, __LINE__,
                    name + ": " + shown(text));
    }
  }
  check::report(n_parts > 100, "cut", __FILE__, __LINE__, name);
}

// The vocabulary of each kind, with merges over a space where that could be seen.
void texts_go_to_llama_in_parts() {
  const gguf_builder::Folder folder;
  const auto load = [&](gguf_builder::Builder file) {
    const Gguf gguf(folder.write("model.gguf", file.build()));
    return LlamaTokenizer::load(gguf, read_facts(gguf));
  };
  size_t n_loaded = 0;
  for (const std::string& pre : pre_tokenizers()) {
    gguf_builder::Builder file = gguf_builder::decoder("qwen2");
    file.text("tokenizer.ggml.pre", pre);
    std::unique_ptr<LlamaTokenizer> tokenizer;
    try {
      tokenizer = load(std::move(file));
    } catch (const Failure&) {
      continue;
    }
    ++n_loaded;
    parts_are_the_whole(*tokenizer, pre);
  }
  CHECK(n_loaded > 50);
  for (const auto& [name, build] : gguf_builder::all_models())
    parts_are_the_whole(*load(build({})), name);
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  load_backends(environment("QWEN3_LIBRARIES", "build/Release"));
  const Gguf file(environment("QWEN3_TOKENIZER_FILE", environment("QWEN3_ROOT", ".") +
                                                          "/models/mini/mini-embed-Q8_0.gguf"));
  const Facts facts = read_facts(file);
  const std::unique_ptr<ByteLevelTokenizer> ours = ByteLevelTokenizer::make(file);
  CHECK(ours != nullptr);
  if (!ours) return check::finish();
  agrees_with_llama(*ours, *LlamaTokenizer::load(file, facts));
  pieces_are_the_same_in_any_steps();
  byte_pairs_follow_their_definition();
  a_vocabulary_made_to_defeat_windows();
  const Vocabulary vocabulary(file, facts);
  long_texts_go_in_slices(vocabulary);
  hostile_texts_are_read(vocabulary);
  several_threads_at_once(file, facts);
  long_words_under_every_pre_tokenizer();
  texts_go_to_llama_in_parts();
  return check::finish();
}
