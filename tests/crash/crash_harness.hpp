// The crash harness: runs the writer, ends it with SIGKILL, again and again over one state directory, lets recovery
// finish, and compares what the sink has with what had been accepted. Used by the crash tests and by the soak.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "crash/oracle_file.hpp"
#include "crash/pool_sweeper.hpp"
#include "crash/sink_process.hpp"
#include "support/temporary_directory.hpp"

namespace arca::crash {

struct Trial {
  std::uint64_t threads = 2;
  std::uint64_t children = 0;
  std::uint64_t records = UINT64_MAX;
  std::string point;  // die at the nth passing of this place; empty: at a random moment
  std::uint64_t nth = 1;
  std::uint64_t kill_after_us_max = 60'000;
  std::uint64_t pause_every = 50;  // records between pauses of a millisecond; 0: none
  std::uint64_t padding = 0;       // bytes that each record carries besides
  std::string end;                 // ends by itself after `records`: abort, exec, _exit
  std::vector<std::string> more;   // options of the writer
  // Dies once this holds, instead of at a point or a random moment. Empty: not asked.
  std::function<bool(const Promises&)> until = {};
};

// A writer goes on until its point is reached. Only a writer that will never get there takes this long, however slow
// the build and however busy the machine.
constexpr auto point_deadline = std::chrono::seconds(120);

struct Tally {
  std::uint64_t trials = 0, killed_at_point = 0, accepted = 0, missing = 0, duplicates = 0, renamed = 0, unpromised = 0;
};

class Harness {
 public:
  explicit Harness(std::vector<std::string> sink_options = {}, bool collector_away = false)
      : collector_away_(collector_away),
        sink_(directory_.path(), std::move(sink_options)),
        seed_(seed_of_run()),
        random_(seed_) {
    std::printf("seed %llu (ARCA_CRASH_SEED repeats it)\n", static_cast<unsigned long long>(seed_));
    if (collector_away) sink_.behave("refuse");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  SinkProcess& sink() noexcept { return sink_; }
  std::mt19937_64& random() noexcept { return random_; }
  [[nodiscard]] std::string state() const { return directory_ / "state"; }
  [[nodiscard]] const support::TemporaryDirectory& directory() const noexcept { return directory_; }

  // Runs one writer until it is dead. Returns whether it died at its point (always true without one).
  bool run(const Trial& trial) {
    // Writers that die before they get to recovering leave a pool each; thousands of them would fill the memory.
    if (tally_.trials % 50 == 49 && !collector_away_) recover();
    const std::string name = "t" + std::to_string(tally_.trials++);
    oracles_.push_back(std::make_unique<OracleFile>(directory_ / name + ".oracle"));
    OracleFile& oracle = *oracles_.back();
    std::vector<std::string> command{std::string(ARCA_CRASH_PROGRAMS) + "/crash_writer",
                                     "--state",
                                     state(),
                                     "--endpoint",
                                     sink_.endpoint(),
                                     "--oracle",
                                     directory_ / name + ".oracle",
                                     "--name",
                                     name,
                                     "--threads",
                                     std::to_string(trial.threads),
                                     "--children",
                                     std::to_string(trial.children),
                                     "--pause-every",
                                     std::to_string(trial.pause_every),
                                     "--padding",
                                     std::to_string(trial.padding)};
    if (trial.records != UINT64_MAX) command.insert(command.end(), {"--records", std::to_string(trial.records)});
    if (!trial.point.empty()) {
      command.insert(command.end(), {"--point", trial.point, "--nth", std::to_string(trial.nth)});
    }
    if (!trial.end.empty()) command.insert(command.end(), {"--end", trial.end});
    command.insert(command.end(), trial.more.begin(), trial.more.end());
    support::ProcessOptions options;
    options.output_path = directory_ / "writer.log";
    auto process = support::Process::start(command, options);
    if (!process) throw std::runtime_error(process.error().message());
    trials_.push_back({name, trial.threads, 2 * trial.children});  // each child has one
    if (!trial.end.empty()) {
      const auto ended = (*process)->wait(point_deadline);
      EXPECT_TRUE(ended) << "the writer did not end with " << trial.end;
      return true;
    }
    const bool began = support::wait_until([&] { return oracle->started.load() != 0 || !(*process)->is_alive(); });
    EXPECT_TRUE(began) << "the writer did not start";
    bool at_point = true;
    if (trial.until) {
      at_point = false;
      support::wait_until([&] { return (at_point = trial.until(*oracle)) || !(*process)->is_alive(); }, point_deadline);
    } else if (trial.point.empty()) {
      usleep(static_cast<useconds_t>(random_() % (trial.kill_after_us_max + 1)));  // when to kill is chance
    } else {
      at_point = support::wait_until([&] { return !(*process)->is_alive(); }, point_deadline);
      tally_.killed_at_point += at_point ? 1 : 0;
    }
    (*process)->send_signal(SIGKILL);
    const auto status = (*process)->wait();
    EXPECT_TRUE(status && status->signal == SIGKILL) << "the writer ended by itself; see " << options.output_path;
    EXPECT_TRUE(trial.children == 0 || reap_children_of((*process)->pid())) << "a forked child hangs";
    return at_point;
  }

  // Runs `arca recover` until it says that nothing is left.
  void recover() {
    const auto done =
        support::run_command({ARCA_PROGRAM, "recover", "--state", state(), "--endpoint", "http://" + sink_.endpoint()});
    EXPECT_TRUE(done) << done.error().message();
  }

  // Runs `arca recover` and ends it with SIGKILL after a moment.
  void recover_and_kill() {
    support::ProcessOptions options;
    options.output_path = directory_ / "recover.log";
    auto process = support::Process::start(
        {ARCA_PROGRAM, "recover", "--state", state(), "--endpoint", "http://" + sink_.endpoint()}, options);
    if (!process) throw std::runtime_error(process.error().message());
    static_cast<void>((*process)->wait(std::chrono::milliseconds(random_() % 60)));
    (*process)->send_signal(SIGKILL);
    static_cast<void>((*process)->wait());
  }

  // Compares. Children's streams stand behind the threads'. `may_miss`: the caller judges what is missing.
  Tally judge(bool may_miss = false) {
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      const Known& trial = trials_[i];
      for (std::uint64_t s = 0; s < trial.threads + trial.children; ++s) {
        const bool is_log = s < trial.threads && s % 2 == 1;
        const std::uint64_t accepted = (*oracles_[i])->accepted[s].load();
        if (accepted == 0) continue;  // killed before its first record
        const std::string stream = trial.name + "." + std::to_string(s);
        nlohmann::json seen;
        const auto arrived = [&] {
          seen = sink_.stream(is_log ? "logs" : "traces", stream, accepted);
          return seen["missing_count"].get<std::uint64_t>() == 0;
        };
        support::wait_until(arrived, std::chrono::seconds(may_miss ? 0 : 1));
        tally_.accepted += accepted;
        tally_.duplicates += seen["duplicates"].get<std::uint64_t>();
        // A duplicate is told from new data by the id of its chunk: the one of its first arrival.
        const auto renamed = seen["renamed"].get<std::uint64_t>();
        tally_.renamed += renamed;
        EXPECT_EQ(renamed, 0U) << trial.name << "." << s << ": came again in a chunk with another id";
        const auto missing = seen["missing_count"].get<std::uint64_t>();
        tally_.missing += missing;
        const auto count = seen["count"].get<std::uint64_t>();
        tally_.unpromised += count > accepted ? count - accepted : 0;
        EXPECT_TRUE(missing == 0 || may_miss)
            << trial.name << "." << s << " lacks " << missing << ": " << seen["missing"].dump().substr(0, 300);
        // One record may have been committed when its End() had not returned yet.
        EXPECT_LE(count, accepted + 1) << trial.name << "." << s;
      }
    }
    if (tally_.missing != 0 && !may_miss)
      std::cout << "the writers said:\n" << std::ifstream(directory_ / "writer.log").rdbuf() << '\n';
    std::printf(
        "trials %llu, died at a named point %llu, accepted %llu, missing %llu, duplicates %llu, of these in a chunk "
        "with "
        "another id %llu, committed but not promised %llu, chunks that came twice %llu\n",
        to_ull(tally_.trials), to_ull(tally_.killed_at_point), to_ull(tally_.accepted), to_ull(tally_.missing),
        to_ull(tally_.duplicates), to_ull(tally_.renamed), to_ull(tally_.unpromised),
        to_ull(sink_.report()["chunks"]["duplicates"].get<std::uint64_t>()));
    return tally_;
  }

 private:
  struct Known {
    std::string name;
    std::uint64_t threads, children;
  };
  // The children of a dead writer are ours now (see the constructor), and in its process group. They end by themselves.
  static bool reap_children_of(pid_t writer) {
    const auto all_ended = [&] {
      pid_t reaped = 0;
      while ((reaped = waitpid(-writer, nullptr, WNOHANG)) > 0) {
      }
      return reaped < 0;
    };
    const bool ended = support::wait_until(all_ended, point_deadline);
    if (!ended) ::kill(-writer, SIGKILL);
    return ended;
  }
  static unsigned long long to_ull(std::uint64_t value) { return value; }
  static std::uint64_t seed_of_run() {
    const char* given = std::getenv("ARCA_CRASH_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }

  support::TemporaryDirectory directory_;
  PoolSweeper sweeper_{directory_ / "state"};
  bool collector_away_;
  SinkProcess sink_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<OracleFile>> oracles_;
  std::vector<Known> trials_;
  Tally tally_;
};

}  // namespace arca::crash
