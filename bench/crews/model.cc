#include "model.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace crews {
namespace {

enum class Kind { announce, ready, item_done };

struct Event {
  double at;
  int64_t order;  // of two at the same time
  Kind kind;
  int crew, worker;
  bool operator>(const Event& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

struct Worker {
  int64_t n_unreported = 0;
  double demand = 0;  // bytes per microsecond of the item it is at
  bool waits = false;
  double waits_since = 0;
};

struct CrewState {
  size_t round = 0;  // of all that it plays
  int64_t next = 0, n_done = 0;
  bool announced = false;
  double board_free = 0, done_free = 0;  // when the line is there for the next thread
  double round_began = 0;
  std::vector<Worker> workers;
};

class Play {
 public:
  Play(const std::vector<Round>& rounds, int n_crews, int width, int times, const Machine& machine)
      : rounds_(rounds),
        n_rounds_(rounds.size() * static_cast<size_t>(times)),
        machine_(machine),
        line_us_(machine.line_us(width)) {
    crews_.resize(static_cast<size_t>(n_crews));
    for (int i = 0; i < n_crews; ++i) {
      CrewState& crew = crews_[static_cast<size_t>(i)];
      crew.workers.resize(static_cast<size_t>(width));
      const double start = i * 37.0;
      for (Worker& worker : crew.workers) worker = {0, 0, true, start};
      crew.round_began = start;
      add(start + rounds_[0].alone_us, Kind::announce, i, 0);
    }
  }

  Played run() {
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      CrewState& crew = crews_[static_cast<size_t>(event.crew)];
      if (event.kind == Kind::announce) announce(event, crew);
      if (event.kind == Kind::ready) take(event, crew);
      if (event.kind == Kind::item_done) finish_item(event, crew);
    }
    return played_;
  }

 private:
  const Round& round_of(const CrewState& crew) const {
    return rounds_[crew.round % rounds_.size()];
  }
  void add(double at, Kind kind, int crew, int worker) {
    events_.push({at, n_events_++, kind, crew, worker});
  }

  void announce(const Event& event, CrewState& crew) {
    crew.next = crew.n_done = 0;
    crew.announced = true;
    // Who sleeps is woken one after the other, by the caller; a round of one item wakes nobody.
    // As many threads as there are items take part.
    const size_t n_items = round_of(crew).item_us.size();
    double caller = event.at;
    for (size_t w = 1; w < crew.workers.size() && n_items > 1; ++w) {
      Worker& worker = crew.workers[w];
      if (!worker.waits) continue;
      if (w >= n_items) {
        worker.waits_since = event.at;
        continue;
      }
      worker.waits = false;
      if (event.at - worker.waits_since > machine_.awake_us) {
        caller += machine_.wake_us;
        add(caller + machine_.woken_us, Kind::ready, event.crew, static_cast<int>(w));
      } else {
        add(std::max(event.at, worker.waits_since) + line_us_, Kind::ready, event.crew,
            static_cast<int>(w));
      }
    }
    crew.workers[0].waits = false;
    add(caller, Kind::ready, event.crew, 0);
  }

  void take(const Event& event, CrewState& crew) {
    Worker& worker = crew.workers[static_cast<size_t>(event.worker)];
    if (!crew.announced) {
      worker.waits = true;
      worker.waits_since = event.at;
      return;
    }
    const double at = crew.board_free = std::max(event.at, crew.board_free) + line_us_;
    const Round& round = round_of(crew);
    if (crew.next >= static_cast<int64_t>(round.item_us.size())) {
      worker.waits = true;
      worker.waits_since = at;
      report(event, at, crew, worker);
      return;
    }
    const double item_us = round.item_us[static_cast<size_t>(crew.next++)];
    worker.demand =
        item_us > 0 ? round.weight_bytes / static_cast<double>(round.item_us.size()) / item_us : 0;
    demand_ += worker.demand;
    const double stretch = worker.demand > 0 ? std::max(1.0, demand_ / machine_.bytes_per_us) : 1.0;
    played_.busy_us += item_us * stretch;
    add(at + item_us * stretch, Kind::item_done, event.crew, event.worker);
  }

  void finish_item(const Event& event, CrewState& crew) {
    Worker& worker = crew.workers[static_cast<size_t>(event.worker)];
    demand_ -= worker.demand;
    ++worker.n_unreported;
    add(event.at, Kind::ready, event.crew, event.worker);
  }

  // A thread says what it has done once it finds nothing more.
  void report(const Event& event, double at, CrewState& crew, Worker& worker) {
    if (worker.n_unreported == 0) return;
    const double told = crew.done_free = std::max(at, crew.done_free) + line_us_;
    crew.n_done += worker.n_unreported;
    worker.n_unreported = 0;
    if (crew.n_done < static_cast<int64_t>(round_of(crew).item_us.size())) return;
    const double seen = told + line_us_;
    if (event.crew == 0) played_.round_us.push_back(seen - crew.round_began);
    crew.round_began = seen;
    crew.announced = false;
    played_.us = std::max(played_.us, seen);
    if (++crew.round < n_rounds_)
      add(seen + round_of(crew).alone_us, Kind::announce, event.crew, 0);
  }

  const std::vector<Round>& rounds_;
  const size_t n_rounds_;
  const Machine& machine_;
  const double line_us_;
  std::vector<CrewState> crews_;
  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
  int64_t n_events_ = 0;
  double demand_ = 0;
  Played played_;
};

}  // namespace

Played play(const std::vector<Round>& rounds, int n_crews, int width, int times,
            const Machine& machine) {
  return Play(rounds, n_crews, width, times, machine).run();
}

}  // namespace crews
