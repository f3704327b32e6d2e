// The store of an index: SQLite's refusals as failures, words between spaces, BM25 of all chunks by
// the formula.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "check.h"
#include "core/failure.h"
#include "index/database.h"
#include "index/scan.h"

using namespace qwen3_embed;

namespace {

const std::string kPath =
    (std::filesystem::temp_directory_path() / "qwen3-index-test.index").string();

void remove_files() {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(kPath + suffix);
}

Code code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    CHECK(!failure.message.empty());
    return failure.code;
  }
  return Code::aborted;
}

void test_values() {
  Database database(kPath, Database::Access::kCreate);
  database.execute("CREATE TABLE t(a, b, c, d, e)");
  const Row row = {int64_t{1} << 52, 0.5, std::string("a\0b", 3), Bytes{0, 255}, std::monostate()};
  database.rows("INSERT INTO t VALUES (?, ?, ?, ?, ?)", row);
  const auto rows = database.rows("SELECT * FROM t", {});
  CHECK(rows.size() == 1 && rows[0] == row);
  CHECK(database.rows("SELECT ?", {Bytes()})[0][0] == Value(Bytes()));
  CHECK(database.last_row() == 1 && database.changes() == 1);
}

void test_refusals() {
  Database database(kPath, Database::Access::kRead);
  CHECK(code_of([&] { database.execute("no SQL"); }) == Code::compute);
  CHECK(code_of([&] { database.execute("INSERT INTO t VALUES (1, 2, 3, 4, 5)"); }) ==
        Code::compute);
  CHECK(code_of([] { Database("/no/such/folder/x", Database::Access::kCreate); }) ==
        Code::index_not_found);
  CHECK(code_of([] { Database(kPath + ".none", Database::Access::kRead); }) ==
        Code::index_not_found);
  if (FILE* file = std::fopen((kPath + ".text").c_str(), "w")) {
    for (int i = 0; i < 1000; i++) std::fputs("a text, and no database. ", file);
    std::fclose(file);
  }
  CHECK(code_of([] { Database(kPath + ".text", Database::Access::kRead); }) == Code::index_damaged);
  std::filesystem::remove(kPath + ".text");
}

void test_full_disk() {
  Database database(kPath, Database::Access::kCreate);
  database.rows("PRAGMA max_page_count = 8", {});
  const auto insert = [&] { database.rows("INSERT INTO t(a) VALUES (?)", {Bytes(1 << 20)}); };
  CHECK(code_of(insert) == Code::disk_full);
  CHECK(database.rows("SELECT count(*) FROM t", {})[0][0] == Value(int64_t{1}));
}

// k1 1.2, b 0.75, words of the head count twice.
double bm25(double count, double length, double mean, double n, double chunks) {
  const double idf = std::max(1e-6, std::log((chunks - n + 0.5) / (n + 0.5)));
  return idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean));
}

void test_words() {
  remove_files();
  Database database(kPath, Database::Access::kCreate);
  database.execute(
      "CREATE VIRTUAL TABLE lex USING fts5(head, body, content='', contentless_delete=1, "
      "tokenize='qwen3words')");
  const auto insert = [&](int64_t id, const char* head, const char* body) {
    database.rows("INSERT INTO lex(rowid, head, body) VALUES (?, ?, ?)",
                  {id, std::string(head), std::string(body)});
  };
  insert(1, "red fox", "the quick red fox");
  insert(2, "", "a lazy dog and a dog");
  insert(4, "dog", "\xe4\xb8\xad\xe6\x96\x87 1.0.21 a_b");
  insert(5, "gone", "fox");
  for (int64_t id = 6; id < 12; id++) insert(id, "", "filler");
  database.execute("DELETE FROM lex WHERE rowid = 5");
  const float lengths[12] = {0, 6, 6, 0, 4, 0, 1, 1, 1, 1, 1, 1};
  const double mean = 22.0 / 9;
  const auto scored = [&](const char* expression) {
    std::vector<float> scores(12);
    database.score_words(expression, {lengths, 12, mean, 9}, scores.data());
    return scores;
  };
  const auto near = [](double a, double b) { return std::fabs(a - b) < 1e-5; };
  const std::vector<float> fox = scored("\"fox\"");
  CHECK(near(fox[1], bm25(3, 6, mean, 1, 9)));
  CHECK(fox[2] == 0 && fox[5] == 0);
  const std::vector<float> both = scored("\"fox\" OR \"dog\"");
  CHECK(near(both[1], fox[1]) && near(both[2], bm25(2, 6, mean, 2, 9)));
  CHECK(near(both[4], bm25(2, 4, mean, 2, 9)));
  CHECK(scored("\"1.0.21\"")[4] > 0 && scored("\"a_b\"")[4] > 0 &&
        scored("\"\xe4\xb8\xad\xe6\x96\x87\"")[4] > 0 && scored("\"1.0\"")[4] == 0);
  CHECK(scored("\"\xe4\xb8\xad\"*")[4] > 0);
  CHECK(scored("\"lazy dog\"")[2] > 0 && scored("\"dog lazy\"")[2] == 0);
  CHECK(scored("\"none\"") == std::vector<float>(12));
  CHECK(code_of([&] { scored("NEAR("); }) == Code::compute);
  // Not for anyone who comes by SQL.
  CHECK(code_of([&] {
          database.rows("SELECT qwen3_scores(lex, 1) FROM lex WHERE lex MATCH '\"fox\"'", {});
        }) == Code::compute);
}

void test_scan() {
  constexpr size_t kN = 2500, kWidth = 77;
  std::vector<int8_t> codes(kN * kWidth), query(kWidth);
  std::vector<float> scales(kN), cosines(kN);
  uint32_t state = 1;
  const auto next = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<int8_t>(static_cast<int>(state >> 24) - 128);
  };
  for (int8_t& code : codes) code = next();
  for (int8_t& code : query) code = next();
  for (size_t i = 0; i < kN; i++) scales[i] = static_cast<float>(i) / 1000;
  scan({codes.data(), scales.data(), kN, kWidth}, query.data(), 0.5f, cosines.data());
  bool same = true;
  for (size_t i = 0; i < kN; i++) {
    int sum = 0;
    for (size_t j = 0; j < kWidth; j++) sum += codes[i * kWidth + j] * query[j];
    same = same && cosines[i] == static_cast<float>(sum) * scales[i] * 0.5f;
  }
  CHECK(same);
}

}  // namespace

int main() {
  remove_files();
  test_values();
  test_refusals();
  test_full_disk();
  test_words();
  test_scan();
  remove_files();
  return check::finish();
}
