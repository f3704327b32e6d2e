// Rounds of crews played on a machine that is not here, event by event: who takes which item when,
// what the hand-out, the end of a round and the memory cost. Times in microseconds.
#pragma once

#include <cstdint>
#include <vector>

namespace crews {

struct Round {
  const char* what;
  double alone_us;  // of the caller, before it
  double weight_bytes;
  std::vector<double> item_us;
};

struct Machine {
  // A line of memory that another thread wrote last, fetched to be written: within a cache of so
  // many threads, within a socket, and between sockets.
  int per_cache = 8, per_socket = 64;
  double near_us = 0.04, far_us = 0.1, other_us = 0.25;
  // What all weights that are being read share.
  double bytes_per_us = 300e3;
  // As Crew: a thread that waited for so long sleeps; and what waking it costs the caller, and
  // itself.
  double awake_us = 60, wake_us = 2, woken_us = 30;

  double line_us(int width) const {
    return width <= 1            ? 0.01
           : width <= per_cache  ? near_us
           : width <= per_socket ? far_us
                                 : other_us;
  }
};

struct Played {
  double us = 0;       // from the first crew's start to the last one's end
  double busy_us = 0;  // of all items, as they ran
  // By round, of the first crew: from the end of the one before.
  std::vector<double> round_us;
};

// `n_crews` crews of `width` threads, each through all rounds `times` times, one crew a little
// after the other.
Played play(const std::vector<Round>& rounds, int n_crews, int width, int times,
            const Machine& machine);

}  // namespace crews
