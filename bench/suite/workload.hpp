// The work that every subject of the benchmark suite does, against the official API only: a subject differs from
// another in nothing but the provider that it installed. Spans have the typical shape (5 string, 2 integer and
// 1 boolean attributes, 1 event with 1 attribute, status Ok: about 470 bytes of OTLP) with values that vary.
#pragma once

#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/span.h>
#include <opentelemetry/trace/tracer.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace bench {

namespace trace = opentelemetry::trace;
using Tracer = opentelemetry::nostd::shared_ptr<trace::Tracer>;

inline std::uint64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(time.tv_nsec);
}

// Values that vary from span to span, so that nothing is folded and compression sees real data.
struct Values {
  std::array<std::string, 64> url, address, user_agent;
  Values() {
    for (std::size_t i = 0; i < 64; ++i) {
      url[i] = "/api/v1/customers/" + std::to_string(10007 * (i + 1)) + "/orders/" + std::to_string(i);
      address[i] = "10.21." + std::to_string(i * 3) + "." + std::to_string(255 - i);
      user_agent[i] = "Mozilla/5.0 (X11; Linux x86_64) shop/" + std::to_string(i);
    }
  }
};

// One typical span, from start to end. `sequence` becomes the attribute bench.seq.
__attribute__((noinline)) inline void typical_span(trace::Tracer& tracer, const Values& values,
                                                   std::uint64_t sequence) {
  const std::size_t i = sequence % 64;
  trace::StartSpanOptions options;
  options.kind = trace::SpanKind::kServer;
  const auto span = tracer.StartSpan("GET /customers/{id}/orders", options);
  span->SetAttribute("http.request.method", "GET");
  span->SetAttribute("url.path", values.url[i]);
  span->SetAttribute("client.address", values.address[i]);
  span->SetAttribute("user_agent.original", values.user_agent[i]);
  span->SetAttribute("http.route", "/customers/{id}/orders");
  span->SetAttribute("http.response.status_code", static_cast<std::int64_t>(200 + i % 4));
  span->SetAttribute("bench.seq", static_cast<std::int64_t>(sequence));
  span->SetAttribute("cache.hit", (i & 1U) != 0);
  span->AddEvent("cache.lookup", {{"cache.key", values.address[63 - i]}});
  span->SetStatus(trace::StatusCode::kOk);
  span->End();
}

// The same as one of ten spans of a trace, and its event has a second attribute: what the Go peer records, too (see
// bench/peers/go/workload). The first of the ten is the root, whose context is kept in `root`.
inline constexpr std::uint64_t spans_per_trace = 10;
__attribute__((noinline)) inline void span_of_trace(trace::Tracer& tracer, const Values& values, std::uint64_t sequence,
                                                    trace::SpanContext& root) {
  const std::size_t i = sequence % 64;
  const bool is_root = sequence % spans_per_trace == 0;
  trace::StartSpanOptions options;
  options.kind = trace::SpanKind::kServer;
  if (!is_root) options.parent = root;
  const auto span = tracer.StartSpan("GET /customers/{id}/orders", options);
  span->SetAttribute("http.request.method", "GET");
  span->SetAttribute("url.path", values.url[i]);
  span->SetAttribute("client.address", values.address[i]);
  span->SetAttribute("user_agent.original", values.user_agent[i]);
  span->SetAttribute("http.route", "/customers/{id}/orders");
  span->SetAttribute("http.response.status_code", static_cast<std::int64_t>(200 + i % 4));
  span->SetAttribute("bench.seq", static_cast<std::int64_t>(sequence));
  span->SetAttribute("cache.hit", (i & 1U) != 0);
  span->AddEvent("cache.lookup",
                 {{"cache.key", values.address[63 - i]}, {"cache.size", static_cast<std::int64_t>(sequence % 1000)}});
  span->SetStatus(trace::StatusCode::kOk);
  if (is_root) root = span->GetContext();
  span->End();
}

// Logarithmic histogram: 64 powers of two with 16 steps each. Fixed memory, no allocation while measuring.
class Histogram {
 public:
  void add(std::uint64_t ns) noexcept {
    const unsigned power = ns < 16 ? 4 : 63U - static_cast<unsigned>(__builtin_clzll(ns));
    const std::uint64_t step = ns < 16 ? ns : (ns >> (power - 4)) & 15U;
    ++counts_[(power - 4) * 16 + step];
    ++total_;
    sum_ += ns;
  }
  void add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    sum_ += other.sum_;
  }
  [[nodiscard]] std::uint64_t quantile(double q) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return i < 16 ? i : (16 + i % 16) << (i / 16);
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return total_; }
  [[nodiscard]] double mean() const noexcept {
    return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_);
  }

 private:
  std::array<std::uint64_t, 61 * 16> counts_{};
  std::uint64_t total_ = 0, sum_ = 0;
};

// Sleeps to a point in time; never spins (a spinning pacer would charge its own CPU to the subject).
inline void sleep_until_ns(std::uint64_t when) {
  const timespec time{static_cast<time_t>(when / 1'000'000'000ULL), static_cast<long>(when % 1'000'000'000ULL)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) != 0) {
  }
}

struct Plan {
  std::string mode = "rate";    // rate, max, hot, idle
  std::uint64_t rate = 10'000;  // spans per second over all threads
  double seconds = 4;
  unsigned threads = 1;
  std::uint64_t spans = 0;  // hot: how many; max: stop after so many (0: by time)
  bool in_traces = false;   // rate, max: ten spans a trace instead of one
};

struct Outcome {
  std::uint64_t made = 0;
  Histogram latency;  // of whole span lives on the caller's thread
  double wall_s = 0;  // of the making alone
};

inline void run_thread(const Plan& plan, Tracer tracer, unsigned thread, std::uint64_t end_ns, Outcome& outcome) {
  const Values values;
  std::uint64_t sequence = static_cast<std::uint64_t>(thread) << 40U;
  const std::uint64_t first = sequence;
  trace::SpanContext root = trace::SpanContext::GetInvalid();
  const auto one = [&] {
    const std::uint64_t begin = now_ns();
    if (plan.in_traces)
      span_of_trace(*tracer, values, sequence++, root);
    else
      typical_span(*tracer, values, sequence++);
    outcome.latency.add(now_ns() - begin);
  };
  if (plan.mode == "max") {
    const std::uint64_t limit = plan.spans == 0 ? UINT64_MAX : first + plan.spans / plan.threads;
    while (sequence < limit && ((sequence & 63U) != 0 || now_ns() < end_ns)) one();
  } else {
    const double per_ms = static_cast<double>(plan.rate) / plan.threads / 1000.0;
    double credit = 0;
    for (std::uint64_t next = now_ns(); next < end_ns; next += 1'000'000) {
      sleep_until_ns(next);
      for (credit += per_ms; credit >= 1; credit -= 1) one();
    }
  }
  outcome.made = sequence - first;
}

// Runs the plan on its threads and gathers what they saw.
inline Outcome run(const Plan& plan, const Tracer& tracer) {
  std::vector<Outcome> parts(plan.threads);
  const std::uint64_t begin = now_ns();
  const std::uint64_t end = begin + static_cast<std::uint64_t>(plan.seconds * 1e9);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < plan.threads; ++t) {
    threads.emplace_back([&, t] { run_thread(plan, tracer, t, end, parts[t]); });
  }
  for (auto& thread : threads) thread.join();
  Outcome all;
  all.wall_s = static_cast<double>(now_ns() - begin) / 1e9;
  for (const Outcome& part : parts) {
    all.made += part.made;
    all.latency.add(part.latency);
  }
  return all;
}

// The hot loop alone: bursts with pauses, so that what happens behind can keep up; only bursts are timed. The median
// burst counts: one of 2,000 spans holds several changes of chunk, but one into which another process ran tells
// nothing.
inline double hot_loop_ns(trace::Tracer& tracer, std::uint64_t spans) {
  const Values values;
  constexpr std::uint64_t burst = 2000;
  std::vector<std::uint64_t> bursts;
  for (std::uint64_t done = 0; done < spans; done += burst) {
    const std::uint64_t begin = now_ns();
    for (std::uint64_t i = 0; i < burst; ++i) typical_span(tracer, values, done + i);
    bursts.push_back(now_ns() - begin);
    sleep_until_ns(now_ns() + 2'000'000);
  }
  const auto middle = bursts.begin() + static_cast<std::ptrdiff_t>(bursts.size() / 2);
  std::nth_element(bursts.begin(), middle, bursts.end());
  return static_cast<double>(*middle) / static_cast<double>(burst);
}

inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
inline long peak_rss_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}
inline long rss_kib() {
  long pages = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace bench
