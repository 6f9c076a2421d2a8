// What all subjects share: the command line, the modes, the JSON line at the end. A subject provides a Pipeline.
#pragma once

#include <cstring>
#include <functional>
#include <stdexcept>

#include "workload.hpp"

namespace bench {

struct Arguments {
  Plan plan;
  std::string endpoint = "127.0.0.1:4317";
  std::string state_directory;
  double drain_s = 30;          // how long to wait at the end for what is not yet delivered
  bool null_export = false;     // stock: encode, then throw away (the caller's cost alone)
  bool waits_for_rows = false;  // arca: the drain ends when the rows for look-up are written, too
};

struct Pipeline {
  Tracer tracer;
  std::function<bool(double seconds)> flush;  // true: everything delivered
  std::function<void()> shutdown;
  std::function<std::string()> more = {};  // JSON members that are added to the answer, each with a comma before it
};

inline Arguments parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string key = words[i];
    const char* value = words[i + 1];
    if (key == "--mode")
      arguments.plan.mode = value;
    else if (key == "--rate")
      arguments.plan.rate = std::stoull(value);
    else if (key == "--seconds")
      arguments.plan.seconds = std::stod(value);
    else if (key == "--threads")
      arguments.plan.threads = static_cast<unsigned>(std::stoul(value));
    else if (key == "--spans")
      arguments.plan.spans = std::stoull(value);
    else if (key == "--endpoint")
      arguments.endpoint = value;
    else if (key == "--state")
      arguments.state_directory = value;
    else if (key == "--drain")
      arguments.drain_s = std::stod(value);
    else if (key == "--null-export")
      arguments.null_export = std::strcmp(value, "yes") == 0;
    else if (key == "--traces")
      arguments.plan.in_traces = std::strcmp(value, "yes") == 0;
    else if (key == "--rows")
      arguments.waits_for_rows = std::strcmp(value, "yes") == 0;
    else
      throw std::invalid_argument("unknown option " + key);
  }
  return arguments;
}

std::uint64_t mallocs_of(trace::Tracer& tracer, std::uint64_t spans);  // in the subject's main file

// Named, so that an instruction counter can be told to look at it alone.
__attribute__((noinline)) inline void counted_loop(trace::Tracer& tracer, const Values& values, std::uint64_t spans) {
  for (std::uint64_t i = 0; i < spans; ++i) typical_span(tracer, values, i);
}

inline int run_idle(const Plan& plan, const Tracer& tracer) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> idle;
  for (unsigned t = 0; t < plan.threads; ++t) {
    idle.emplace_back([&] {
      const Values values;
      typical_span(*tracer, values, 1);  // so that each thread has what a thread of a real program has
      stop.wait(false);
    });
  }
  sleep_until_ns(now_ns() + 3'000'000'000ULL);  // the start is not idling
  const double cpu = cpu_seconds();
  const std::uint64_t begin = now_ns();
  sleep_until_ns(begin + static_cast<std::uint64_t>(plan.seconds * 1e9));
  const double share = (cpu_seconds() - cpu) / (static_cast<double>(now_ns() - begin) / 1e9) * 100;
  stop.store(true);
  stop.notify_all();
  for (auto& thread : idle) thread.join();
  std::printf("{\"idle_cpu_percent\":%.4f,\"threads\":%u}\n", share, plan.threads);
  return 0;
}

// Ends a span now and then and says when; the driver watches the sink.
inline int run_freshness(const Plan& plan, const Pipeline& pipeline) {
  const Values values;
  for (std::uint64_t i = 0; i < plan.spans; ++i) {
    typical_span(*pipeline.tracer, values, i);
    std::printf("ended %llu\n", static_cast<unsigned long long>(now_ns()));
    std::fflush(stdout);
    sleep_until_ns(now_ns() + 2'317'000'000ULL);  // drifts through the schedule
  }
  pipeline.shutdown();
  return 0;
}

inline int run_subject(const Arguments& arguments, const Pipeline& pipeline) {
  const Plan& plan = arguments.plan;
  // A second thread is alive in every measurement: without one, glibc's locks cost next to nothing.
  std::atomic<bool> over{false};
  std::thread second([&over] { over.wait(false); });
  struct Ender {
    std::atomic<bool>& over;
    std::thread& thread;
    ~Ender() {
      over.store(true);
      over.notify_all();
      thread.join();
    }
  } ender{over, second};
  if (plan.mode == "idle") return run_idle(plan, pipeline.tracer);
  if (plan.mode == "freshness") return run_freshness(plan, pipeline);
  if (plan.mode == "hot") {
    static_cast<void>(hot_loop_ns(*pipeline.tracer, 20'000));  // warm
    std::printf("{\"caller_ns\":%.2f}\n", hot_loop_ns(*pipeline.tracer, plan.spans));
    pipeline.shutdown();
    return 0;
  }
  if (plan.mode == "mallocs") {
    static_cast<void>(hot_loop_ns(*pipeline.tracer, 20'000));
    const std::uint64_t mallocs = mallocs_of(*pipeline.tracer, plan.spans);
    std::printf("{\"mallocs_per_span\":%.5f}\n", static_cast<double>(mallocs) / static_cast<double>(plan.spans));
    pipeline.shutdown();
    return 0;
  }
  if (plan.mode == "instructions") {
    const Values values;
    counted_loop(*pipeline.tracer, values, plan.spans);
    pipeline.shutdown();
    return 0;
  }
  const double cpu_before = cpu_seconds();
  const Outcome outcome = run(plan, pipeline.tracer);
  const long rss_made = rss_kib();
  const std::uint64_t drain_begin = now_ns();
  const bool flushed = pipeline.flush(arguments.drain_s);
  const double drain_s = static_cast<double>(now_ns() - drain_begin) / 1e9;
  const double cpu = cpu_seconds() - cpu_before;
  std::printf(
      "{\"made\":%llu,\"wall_s\":%.4f,\"caller_mean_ns\":%.1f,\"caller_p50_ns\":%llu,\"caller_p99_ns\":%llu,"
      "\"caller_p999_ns\":%llu,\"cpu_s\":%.4f,\"rss_kib\":%ld,\"peak_rss_kib\":%ld,\"flushed\":%s,\"drain_s\":%.3f%s}"
      "\n",
      static_cast<unsigned long long>(outcome.made), outcome.wall_s, outcome.latency.mean(),
      static_cast<unsigned long long>(outcome.latency.quantile(0.5)),
      static_cast<unsigned long long>(outcome.latency.quantile(0.99)),
      static_cast<unsigned long long>(outcome.latency.quantile(0.999)), cpu, rss_made, peak_rss_kib(),
      flushed ? "true" : "false", drain_s, pipeline.more ? pipeline.more().c_str() : "");
  std::fflush(stdout);
  pipeline.shutdown();
  return 0;
}

}  // namespace bench
