#include "index/database.h"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>

#include "index/refused.h"
#include "index/words.h"

namespace qwen3_embed {

namespace {

// Waits of a writer for another one, and of anyone for a checkpoint.
constexpr int kBusyMs = 10'000;

// A file that nobody can write to: SQLite then needs no file beside it to agree with writers. What
// a URI sets apart is escaped.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool plain = c != '%' && c != '?' && c != '#';
    uri += plain ? std::string(1, c) : c == '%' ? "%25" : c == '?' ? "%3f" : "%23";
  }
  return uri + "?immutable=1";
}

bool has_content(const std::string& path) {
  std::error_code error;
  const auto n_bytes = std::filesystem::file_size(std::filesystem::u8path(path), error);
  return !error && n_bytes > 0;
}

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

int bind(sqlite3_stmt* statement, int place, const Value& value) {
  if (const auto* whole = std::get_if<int64_t>(&value))
    return sqlite3_bind_int64(statement, place, *whole);
  if (const auto* number = std::get_if<double>(&value))
    return sqlite3_bind_double(statement, place, *number);
  if (const auto* text = std::get_if<std::string>(&value))
    return sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  if (const auto* bytes = std::get_if<Bytes>(&value)) {
    if (bytes->empty()) return sqlite3_bind_zeroblob(statement, place, 0);
    return sqlite3_bind_blob64(statement, place, bytes->data(), bytes->size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, place);
}

Value column(sqlite3_stmt* statement, int i) {
  const auto size = [&] { return static_cast<size_t>(sqlite3_column_bytes(statement, i)); };
  switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, i)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, i);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      return text == nullptr ? std::string() : std::string(text, size());
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement, i));
      return bytes == nullptr ? Bytes() : Bytes(bytes, bytes + size());
    }
    default:
      return std::monostate();
  }
}

// Gives a statement back as it was, whatever happens while it runs.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

struct Database::Statements {
  std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>> by_text;
};

Database::Database(const std::string& path, Access access)
    : path_(path), statements_(std::make_unique<Statements>()) {
  const int flags = access == Access::kRead    ? SQLITE_OPEN_READONLY
                    : access == Access::kWrite ? SQLITE_OPEN_READWRITE
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int status = open(path, flags);
  // On a medium that takes no file beside it, reading fails with the first page.
  const int kind = status & 0xff;
  const bool is_fixed = access == Access::kRead && has_content(path) && !has_content(path + "-wal");
  if (is_fixed && (kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY)) {
    sqlite3_close(handle_);
    status = open(immutable_uri(path), flags | SQLITE_OPEN_URI);
  }
  if (status != SQLITE_OK) {
    Failure failure = refused(status, handle_, path_);
    sqlite3_close(handle_);
    throw failure;
  }
}

// What SQLite says; the handle is to be closed whatever that is.
int Database::open(const std::string& name, int flags) {
  const int status = sqlite3_open_v2(name.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (status != SQLITE_OK) return status;
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, kBusyMs);
  // Content of a damaged or hostile file is refused rather than trusted.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return register_words(handle_);
}

Database::~Database() {
  statements_.reset();
  sqlite3_close(handle_);
}

void Database::execute(const std::string& statements) {
  const int status = sqlite3_exec(handle_, statements.c_str(), nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) throw refused(status, handle_, path_);
}

sqlite3_stmt* Database::prepared(const std::string& statement) {
  auto& kept = statements_->by_text[statement];
  if (!kept) {
    sqlite3_stmt* made = nullptr;
    const int status = sqlite3_prepare_v3(handle_, statement.c_str(), -1, SQLITE_PREPARE_PERSISTENT,
                                          &made, nullptr);
    kept.reset(made);
    if (status != SQLITE_OK) throw refused(status, handle_, path_);
  }
  return kept.get();
}

std::vector<Row> Database::rows(const std::string& statement, const Row& values) {
  sqlite3_stmt* prepared_statement = prepared(statement);
  const Use use(prepared_statement);
  for (size_t i = 0; i < values.size(); i++) {
    const int status = bind(prepared_statement, static_cast<int>(i + 1), values[i]);
    if (status != SQLITE_OK) throw refused(status, handle_, path_);
  }
  std::vector<Row> found;
  const int n_columns = sqlite3_column_count(prepared_statement);
  for (;;) {
    const int status = sqlite3_step(prepared_statement);
    if (status == SQLITE_DONE) return found;
    if (status != SQLITE_ROW) throw refused(status, handle_, path_);
    Row row;
    row.reserve(static_cast<size_t>(n_columns));
    for (int i = 0; i < n_columns; i++) row.push_back(column(prepared_statement, i));
    found.push_back(std::move(row));
  }
}

int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_); }

int64_t Database::changes() const { return sqlite3_changes64(handle_); }

void Database::score_words(const std::string& expression, const Lengths& lengths, float* scores) {
  ScoreWords task{lengths, scores};
  sqlite3_stmt* statement =
      prepared("SELECT qwen3_scores(lex, ?2) FROM lex WHERE lex MATCH ?1 LIMIT 1");
  const Use use(statement);
  int status = sqlite3_bind_text64(statement, 1, expression.data(), expression.size(),
                                   SQLITE_STATIC, SQLITE_UTF8);
  if (status == SQLITE_OK) status = sqlite3_bind_pointer(statement, 2, &task, kScoreWords, nullptr);
  if (status == SQLITE_OK) status = sqlite3_step(statement);
  // No chunk has any of the words: the function was not called, and nothing is to be added.
  if (status != SQLITE_ROW && status != SQLITE_DONE) throw refused(status, handle_, path_);
}

}  // namespace qwen3_embed
