// shop-load: buys at a steady rate and notes every request that was answered, so that somebody can check afterwards
// whether the telemetry of each has arrived. It carries no telemetry of its own.
#include <httplib.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string url = "http://127.0.0.1:8080";
  double rate = 100;  // requests per second
  double seconds = 10;
  int connections = 4;
  std::string answered_path;  // one line per answered request: id, status
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)) {
    if (!options_.answered_path.empty()) answered_.open(options_.answered_path, std::ios::app);
  }

  bool run() {
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < options_.connections; ++i) threads.emplace_back([this, start] { buy_until_done(start); });
    for (std::thread& thread : threads) thread.join();
    nlohmann::json report = {{"sent", sent_.load()}, {"unanswered", unanswered_.load()}};
    for (const auto& [status, count] : by_status_) report["answered"][std::to_string(status)] = count;
    std::cout << report.dump() << std::endl;
    return options_.answered_path.empty() || answered_.good();
  }

 private:
  // The threads share one beat: request number n is due n/rate seconds after the start.
  void buy_until_done(Clock::time_point start) {
    httplib::Client client(options_.url);
    client.set_keep_alive(true);
    client.set_connection_timeout(1);
    client.set_read_timeout(5);
    while (true) {
      const auto number = next_++;
      const double due = static_cast<double>(number) / options_.rate;
      if (due >= options_.seconds) return;
      std::this_thread::sleep_until(start +
                                    std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due)));
      const std::string id = "order-" + std::to_string(number);
      const std::string path =
          "/buy?item=" + std::to_string(number * 7 % 13) + "&customer=c" + std::to_string(number % 10);
      ++sent_;
      note(id, client.Get(path, {{"x-request-id", id}}));
    }
  }

  void note(const std::string& id, const httplib::Result& result) {
    if (!result) {
      ++unanswered_;
      return;
    }
    const std::lock_guard lock(mutex_);
    ++by_status_[result->status];
    if (answered_.is_open())
      answered_ << id << ' ' << result->status << std::endl;  // whole lines, for those who follow the file
  }

  const Options options_;
  std::atomic<std::uint64_t> next_{0}, sent_{0}, unanswered_{0};
  std::mutex mutex_;
  std::map<int, std::uint64_t> by_status_;  // protected by mutex_
  std::ofstream answered_;                  // protected by mutex_
};

}  // namespace

int main(int count, char** values) {
  CLI::App app("Buys in the example shop, and counts");
  Options options;
  app.add_option("--url", options.url, "Where shop-web listens")->capture_default_str();
  app.add_option("--rate", options.rate, "Requests per second")->check(CLI::Range(0.1, 5000.0))->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  app.add_option("--connections", options.connections, "How many at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--answered", options.answered_path, "Appends id and status of each answered request to this file");
  CLI11_PARSE(app, count, values);
  return Load(options).run() ? 0 : 1;
}
