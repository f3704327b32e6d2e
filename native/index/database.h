// One connection to a SQLite file, for one thread. Whatever SQLite refuses is a Failure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace qwen3_embed {

using Bytes = std::vector<uint8_t>;
using Value = std::variant<std::monostate, int64_t, double, std::string, Bytes>;
using Row = std::vector<Value>;

// What the scorer of words needs of the chunks: places are the row ids of the table of words.
struct Lengths {
  const float* words;  // of each place, (places); 0 where there is no chunk
  size_t places;
  double mean;    // over the chunks
  double chunks;  // how many there are
};

class Database {
 public:
  enum class Access { kRead, kWrite, kCreate };

  // A file that is to be read or written must be there. One that lies where nobody can write is
  // read as it stands.
  Database(const std::string& path, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Statements without values or rows, one after another.
  void execute(const std::string& statements);

  // The rows of one statement. It is kept prepared.
  std::vector<Row> rows(const std::string& statement, const Row& values);

  // Row id of the last insertion.
  int64_t last_row() const;
  // Rows changed by the last statement.
  int64_t changes() const;

  // Adds to scores[place] the BM25 of each chunk for the phrases of an FTS5 expression over the
  // table `lex` (head, body): k1 1.2, b 0.75, words of the head count twice.
  void score_words(const std::string& expression, const Lengths& lengths, float* scores);

 private:
  struct Statements;
  int open(const std::string& name, int flags);
  sqlite3_stmt* prepared(const std::string& statement);

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::unique_ptr<Statements> statements_;
};

}  // namespace qwen3_embed
