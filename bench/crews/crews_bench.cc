// How well a pass keeps many cores busy, with one crew of all threads and with several, on machines
// that are not here: rounds of real passes, each item timed alone, played event by event. And, as
// far as this machine goes, the same with real threads.
//
//   crews_bench [--check] [--kernels NAME] [--repeats N] [--lines FACTOR] [--bandwidth GB/s]
//               [--most N] [--rounds]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/machine/backends.h"
#include "core/machine/cpus.h"
#include "model.h"
#include "recording.h"

using namespace crews;

namespace {

struct Arguments {
  bool check = false, rounds = false;
  std::string kernels = "auto";
  int repeats = 3, most = 128;
  double lines = 1, bandwidth = 300;
};

Arguments read(int n, char** given) {
  Arguments arguments;
  const auto value = [&](int& i) -> const char* { return i + 1 < n ? given[++i] : ""; };
  for (int i = 1; i < n; ++i) {
    const std::string name = given[i];
    if (name == "--check") arguments.check = true;
    if (name == "--rounds") arguments.rounds = true;
    if (name == "--kernels") arguments.kernels = value(i);
    if (name == "--repeats") arguments.repeats = std::atoi(value(i));
    if (name == "--most") arguments.most = std::atoi(value(i));
    if (name == "--lines") arguments.lines = std::atof(value(i));
    if (name == "--bandwidth") arguments.bandwidth = std::atof(value(i));
  }
  return arguments;
}

// What must come out whatever the constants.
int check_model() {
  int n_failed = 0;
  const auto expect = [&](const char* what, double is, double wanted, double within) {
    if (std::abs(is - wanted) <= within * wanted) return;
    std::printf("%s: %.2f, not %.2f\n", what, is, wanted);
    ++n_failed;
  };
  Machine free;
  free.near_us = free.far_us = free.other_us = 1e-6;
  free.bytes_per_us = 1e12;
  free.awake_us = 1e9;
  const std::vector<Round> equal = {{"equal", 0, 0, std::vector<double>(10, 50.0)}};
  expect("one thread does everything", play(equal, 1, 1, 4, free).us, 2000, 0.001);
  expect("two halve it", play(equal, 1, 2, 4, free).us, 1000, 0.001);
  expect("4 threads, 10 items: three turns", play(equal, 1, 4, 4, free).us, 600, 0.001);
  expect("more threads than items", play(equal, 1, 64, 1, free).us, 50, 0.001);
  expect("crews do not wait for each other", play(equal, 4, 1, 1, free).us, 500 + 3 * 37, 0.001);
  const std::vector<Round> after = {{"after", 100, 0, {10, 10}}};
  expect("the caller's own time", play(after, 1, 2, 3, free).us, 330, 0.01);
  Machine narrow = free;
  narrow.bytes_per_us = 100;
  const std::vector<Round> reading = {{"reading", 0, 10000, std::vector<double>(4, 10.0)}};
  expect("memory bounds it", play(reading, 1, 4, 1, narrow).us, 100, 0.4);
  Machine slow = free;
  slow.near_us = 1;
  const std::vector<Round> small = {{"small", 0, 0, std::vector<double>(1000, 0.1)}};
  expect("hand-out bounds it", play(small, 1, 8, 1, slow).us, 1000, 0.05);
  if (n_failed == 0) std::printf("the model keeps its word\n");
  return n_failed == 0 ? 0 : 1;
}

Machine machine_of(const Arguments& arguments) {
  Machine machine;
  machine.near_us *= arguments.lines;
  machine.far_us *= arguments.lines;
  machine.other_us *= arguments.lines;
  machine.bytes_per_us = arguments.bandwidth * 1e3;
  return machine;
}

// Where one crew's time goes.
void print_rounds(const Recorded& recorded, const Played& played, int width) {
  struct Sum {
    size_t n = 0, n_items = 0;
    double us = 0, items_us = 0;
  };
  std::map<std::string, Sum> sums;
  for (size_t i = 0; i < recorded.rounds.size(); ++i) {
    const Round& round = recorded.rounds[i];
    Sum& sum = sums[round.what];
    ++sum.n;
    sum.n_items += round.item_us.size();
    sum.us += played.round_us[i];
    for (const double us : round.item_us) sum.items_us += us;
  }
  for (const auto& [what, sum] : sums) {
    std::printf(
        "      %-9s %4zu rounds of %6.1f items of %7.1f us: %5.1f %% of the time, %3.0f %% busy\n",
        what.c_str(), sum.n, static_cast<double>(sum.n_items) / static_cast<double>(sum.n),
        sum.items_us / static_cast<double>(sum.n_items), 100 * sum.us / played.us,
        100 * sum.items_us / (sum.us * width));
  }
}

void play_workload(const Recorder& recorder, const Workload& workload, const Arguments& arguments,
                   bool bulk) {
  const Machine machine = machine_of(arguments);
  std::map<int, Recorded> recorded;
  for (int width = 1; width <= arguments.most; width *= 2)
    recorded.emplace(width, recorder.record(workload, width, arguments.repeats));
  std::printf("\n%s: %d x %d tokens, %.1f ms of one core\n", workload.name.c_str(),
              workload.n_texts, workload.n_tokens, recorded.at(1).items_us() / 1e3);
  for (int n = 1; n <= arguments.most; n *= 2) {
    std::printf("  %3d threads:", n);
    for (int n_crews = 1; n_crews <= (bulk ? n : 1); n_crews *= 2) {
      const int width = n / n_crews;
      const Recorded& pass = recorded.at(width);
      const int times = n_crews > 1 ? 2 : 1;
      const Played played = play(pass.rounds, n_crews, width, times, machine);
      const double per_pass = played.us / (n_crews * times);
      // Of the threads' time in items. What items take varies more from run to run on a machine
      // with neighbours than by how the work is cut.
      const double percent = 100 * pass.items_us() / (width * per_pass * n_crews);
      if (n_crews == 1) {
        std::printf(" one crew %5.1f %% (%.2f ms)", percent, per_pass / 1e3);
      } else {
        std::printf("  %dx%d %.1f %%", n_crews, width, percent);
      }
    }
    std::printf("\n");
    if (arguments.rounds)
      print_rounds(recorded.at(n), play(recorded.at(n).rounds, 1, n, 1, machine), n);
  }
}

}  // namespace

int main(int n, char** given) {
  const Arguments arguments = read(n, given);
  if (arguments.check) return check_model();
  const char* libraries = std::getenv("QWEN3_LIBRARIES");
  qwen3_embed::load_backends(libraries ? libraries : "build/Release");
  const Recorder recorder(arguments.kernels);
  const std::vector<Workload> workloads = {
      {"passages", 8, 128}, {"documents", 1, 1024}, {"query", 1, 12}};
  std::printf("kernels %s; lines %.2f, %.2f, %.2f us; %.0f GB/s\n", recorder.kernels().c_str(),
              machine_of(arguments).near_us, machine_of(arguments).far_us,
              machine_of(arguments).other_us, arguments.bandwidth);
  std::printf("\nof four blocks, with threads that are there (processor time of items in all):\n");
  for (const Workload& workload : workloads) {
    for (int width = 1; width <= qwen3_embed::read_cpus().n_cores; ++width) {
      const Recorder::Real real = recorder.run(workload, width, arguments.repeats);
      std::printf("  %-9s %d threads: %zu rounds, %.1f %% busy\n", workload.name.c_str(), width,
                  real.n_rounds, 100 * real.items_us / real.process_us);
    }
  }
  for (const Workload& workload : workloads)
    play_workload(recorder, workload, arguments, workload.name != "query");
  return 0;
}
