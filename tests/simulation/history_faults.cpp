// What may go wrong in a history.
#include <algorithm>

#include "simulation/history.hpp"

namespace arca::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

}  // namespace

Process* History::any_process() {
  return processes_.empty() ? nullptr : processes_[dice_.below(processes_.size())].get();
}

Host* History::any_host() {
  Host* host = hosts_[dice_.below(hosts_.size())].get();
  return host->is_lost ? nullptr : host;
}

void History::fault() {
  ++fault_count_;
  switch (dice_.below(6)) {
    case 0:
    case 1:
      return fault_of_process();
    case 2:
      return fault_of_host();
    default:
      return fault_of_peer();
  }
}

void History::fault_of_process() {
  const std::uint64_t kind = dice_.below(6);
  if (kind == 5 || processes_.size() < 2) {
    Host* host = any_host();
    if (host != nullptr && allows("restart") && processes_.size() < 8) start_process(*host);
    return;
  }
  Process* process = any_process();
  if (process == nullptr || process->has_ended()) return;
  Life& life = process->life();
  if (kind == 0 && allows("kill")) {
    world_.note("{} is killed", process->name());
    life.die();
  } else if (kind == 1 && allows("kill-in-write")) {
    life.die_at_operation(dice_.between(1, 20));
  } else if (kind == 2 && allows("kill-at-point")) {
    life.die_at_point(dice_.between(1, 60));
  } else if (kind == 3 && allows("freeze") && !life.is_frozen()) {
    const base::Duration time =
        dice_.chance(30) ? dice_.between(seconds(30), seconds(200)) : dice_.between(milliseconds(10), seconds(10));
    world_.note("{} is frozen for {} ms", process->name(), time / milliseconds(1));
    life.freeze();
    world_.after(time, [thawed = life.shared_from_this()] {
      if (!thawed->is_dead() && thawed->is_frozen()) thawed->thaw();
    });
  } else if (kind == 4 && allows("shutdown") && life.runs()) {
    process->begin_shutdown(dice_.between(milliseconds(50), seconds(5)));
  }
  bury_dead();
}

void History::kill_all_on(const Host& host) {
  for (const auto& process : processes_)
    if (&process->host() == &host) process->life().die();
  bury_dead();
}

void History::fault_of_host() {
  Host* host = any_host();
  if (host == nullptr) return;
  const std::uint64_t kind = dice_.below(12);
  if (kind < 3 && allows("clock-jump")) {
    const base::Duration by = dice_.between(-base::Duration(minutes(30)), minutes(30));
    world_.note("the clock of host {} jumps by {} s", host->number(), by / seconds(1));
    host->clock.jump_wall(by);
  } else if (kind < 7) {
    fault_of_disk(*host);
  } else if (kind < 9 && allows("power-loss")) {
    world_.note("host {} loses power", host->number());
    kill_all_on(*host);
    oracle_.power_failed(host->number());
    host->lose_power(dice_.next());
  } else if (kind == 9 && allows("host-loss") && hosts_.size() > 1 && dice_.chance(30)) {
    world_.note("host {} is lost", host->number());
    kill_all_on(*host);
    oracle_.host_was_lost(host->number());
    host->lose_all();
  }
}

void History::fault_of_disk(Host& host) {
  const base::Duration time = dice_.between(milliseconds(100), seconds(30));
  if (dice_.chance(50)) {
    if (!allows("disk-full")) return;
    world_.note("the disk of host {} is full for {} ms", host.number(), time / milliseconds(1));
    host.disk.set_capacity(dice_.between(100'000, 4'000'000));
    world_.after(time, [&host] { host.disk.set_capacity(~std::uint64_t{0}); });
    return;
  }
  if (!allows("disk-errors")) return;
  world_.note("the disk of host {} fails for {} ms", host.number(), time / milliseconds(1));
  auto dice = std::make_shared<Dice>(dice_.next(), "disk");
  const auto percent = static_cast<std::uint32_t>(dice_.between(1, 60));
  const bool only_syncs = dice_.chance(50);
  host.disk.fail_when([this, dice, percent, only_syncs](fakes::Operation operation, const std::string& path) {
    if (only_syncs && operation != fakes::Operation::sync) return false;
    if (!dice->chance(percent)) return false;
    world_.note("disk: {} of {} fails", static_cast<int>(operation), path);
    return true;
  });
  world_.after(time, [&host] { host.disk.heal(); });
}

void History::fault_of_peer() {
  const bool is_cluster = uses_cassandra_ && dice_.chance(40);
  if (!allows(is_cluster ? "cluster" : "collector")) return;
  Weather& weather = is_cluster ? cluster_.weather : collector_.weather;
  weather = {};
  if (dice_.chance(35)) {
    world_.note("{} is well", is_cluster ? "the cluster" : "the collector");
    return;
  }
  const auto up_to = [&](std::uint32_t percent) {
    return dice_.chance(50) ? 0 : static_cast<std::uint32_t>(dice_.below(percent));
  };
  weather.is_away = dice_.chance(40);
  weather.busy = up_to(60);
  weather.lost_requests = up_to(30);
  weather.lost_answers = up_to(30);
  weather.late = up_to(15);
  if (!is_cluster) {
    weather.rejected = up_to(8);
    weather.partly = up_to(8);
  }
  if (dice_.chance(30)) weather.latency = dice_.between(milliseconds(2), seconds(3));
  world_.note("{}: away {}, busy {}, requests lost {}, answers lost {}, late {}, rejected {}, partly {}, {} ms",
              is_cluster ? "the cluster" : "the collector", weather.is_away, weather.busy, weather.lost_requests,
              weather.lost_answers, weather.late, weather.rejected, weather.partly, weather.latency / milliseconds(1));
}

}  // namespace arca::simulation
