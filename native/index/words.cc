#include "index/words.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>

namespace qwen3_embed {
namespace {

// ---- the tokenizer ----

int create_tokenizer(void*, const char**, int, Fts5Tokenizer** made) {
  static char nothing;
  *made = reinterpret_cast<Fts5Tokenizer*>(&nothing);
  return SQLITE_OK;
}

void delete_tokenizer(Fts5Tokenizer*) {}

using OnWord = int(void*, int, const char*, int, int, int);

int tokenize(Fts5Tokenizer*, void* context, int, const char* text, int size, OnWord* on_word) {
  for (int at = 0; at < size;) {
    if (text[at] == ' ') {
      at++;
      continue;
    }
    const int start = at;
    while (at < size && text[at] != ' ') at++;
    const int status = on_word(context, 0, text + start, at - start, start, at);
    if (status != SQLITE_OK) return status;
  }
  return SQLITE_OK;
}

// ---- BM25 ----

constexpr double kSaturation = 1.2;    // k1
constexpr double kLengthShare = 0.75;  // b
constexpr double kHeadWeight = 2;

struct Phrase {
  const ScoreWords* task;
  int number = 0;
  std::vector<std::pair<sqlite3_int64, float>> found;  // place, weighted count
};

int collect(const Fts5ExtensionApi* api, Fts5Context* context, void* user) {
  auto& phrase = *static_cast<Phrase*>(user);
  const sqlite3_int64 place = api->xRowid(context);
  if (place < 0 || static_cast<size_t>(place) >= phrase.task->lengths.places) return SQLITE_OK;
  double count = 0;
  Fts5PhraseIter iterator;
  int column = 0, offset = 0;
  // Within xQueryPhrase's callback the phrase at hand is number 0.
  const int status = api->xPhraseFirst(context, 0, &iterator, &column, &offset);
  if (status != SQLITE_OK) return status;
  for (; column >= 0; api->xPhraseNext(context, &iterator, &column, &offset))
    count += column == 0 ? kHeadWeight : 1;
  try {
    phrase.found.emplace_back(place, static_cast<float>(count));
  } catch (...) {
    return SQLITE_NOMEM;
  }
  return SQLITE_OK;
}

void add_scores(const Phrase& phrase) {
  const auto& [lengths, scores] = *phrase.task;
  const auto n = static_cast<double>(phrase.found.size());
  const double idf = std::max(1e-6, std::log((lengths.chunks - n + 0.5) / (n + 0.5)));
  for (const auto& [place, count] : phrase.found) {
    const double length = static_cast<double>(lengths.words[place]) / lengths.mean;
    const double share = count / (count + kSaturation * (1 - kLengthShare + kLengthShare * length));
    scores[place] += static_cast<float>(idf * (kSaturation + 1) * share);
  }
}

void score(const Fts5ExtensionApi* api, Fts5Context* context, sqlite3_context* result, int n_values,
           sqlite3_value** values) {
  auto* task = n_values == 1
                   ? static_cast<ScoreWords*>(sqlite3_value_pointer(values[0], kScoreWords))
                   : nullptr;
  if (task == nullptr) return sqlite3_result_error(result, "qwen3_scores takes a pointer", -1);
  for (int i = 0; i < api->xPhraseCount(context); i++) {
    Phrase phrase{task, i, {}};
    const int status = api->xQueryPhrase(context, i, &phrase, collect);
    if (status != SQLITE_OK) return sqlite3_result_error_code(result, status);
    add_scores(phrase);
  }
  sqlite3_result_int(result, api->xPhraseCount(context));
}

fts5_api* api_of(sqlite3* handle) {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle, "SELECT fts5(?1)", -1, &statement, nullptr) == SQLITE_OK) {
    sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", nullptr);
    sqlite3_step(statement);
  }
  sqlite3_finalize(statement);
  return api;
}

}  // namespace

int register_words(sqlite3* handle) {
  fts5_api* api = api_of(handle);
  // The first look at the file: one that is no database is told here.
  if (api == nullptr) return std::max(SQLITE_ERROR, sqlite3_errcode(handle));
  fts5_tokenizer tokenizer = {create_tokenizer, delete_tokenizer, tokenize};
  const int status = api->xCreateTokenizer(api, "qwen3words", nullptr, &tokenizer, nullptr);
  if (status != SQLITE_OK) return status;
  return api->xCreateFunction(api, "qwen3_scores", nullptr, score, nullptr);
}

}  // namespace qwen3_embed
