#include "index/refused.h"

#include <sqlite3.h>

namespace qwen3_embed {

Failure refused(int status, sqlite3* handle, const std::string& path) {
  const std::string said = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(status);
  const std::vector<Fact> facts = {{"path", path}, {"sqlite", int64_t{status}}};
  switch (status & 0xff) {
    case SQLITE_NOMEM:
      return {Code::out_of_memory, "The process ran out of memory while it used " + path + ".", {}};
    case SQLITE_FULL:
      return {Code::disk_full, "There is no room on the disk for " + path + ".", facts,
              "Free some; what was committed is there and the work goes on from it."};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::index_busy, "Another process is writing to " + path + ".", facts,
              "Try again when it is done."};
    case SQLITE_CANTOPEN:
      return {Code::index_not_found, "There is no index that can be opened at " + path + ".", facts,
              "Make one first."};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::index_damaged, path + " is damaged, or is no index (" + said + ").", facts,
              "Put a backup in its place, or remove it and index again."};
    default:
      return {Code::compute, "SQLite refused work on " + path + ": " + said + ".", facts};
  }
}

}  // namespace qwen3_embed
