// The writer that the fault tests torment: two threads record spans and log records as far as the test asks and write
// down which of them were refused; it can take its own descriptors and file size away.
#include <fcntl.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/trace/provider.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "arca/telemetry.hpp"
#include "crash/fault_control.hpp"

namespace {

using arca::SignalStatus;
using arca::Telemetry;
using arca::crash::FaultControl;
using arca::crash::FaultFile;
using arca::crash::FaultStream;
using arca::crash::Request;

std::size_t padding_size = 0;

void record_span(const std::string& stream, std::uint64_t sequence) {
  static const auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("fault");
  static const std::string padding(padding_size, 'x');
  const auto span = tracer->StartSpan("work");
  span->SetAttribute("test.stream", stream);
  span->SetAttribute("test.seq", static_cast<std::int64_t>(sequence));
  span->SetAttribute("padding", padding);
  span->End();
}

void record_log(const std::string& stream, std::uint64_t sequence) {
  static const auto logger = opentelemetry::logs::Provider::GetLoggerProvider()->GetLogger("fault");
  static const std::string padding(padding_size, 'x');
  auto record = logger->CreateLogRecord();
  record->SetBody(padding);
  record->SetAttribute("test.stream", stream);
  record->SetAttribute("test.seq", static_cast<std::int64_t>(sequence));
  logger->EmitLogRecord(std::move(record));
}

// Each signal has one thread only, so a refusal that appears belongs to the record just made.
void work(Telemetry& telemetry, FaultControl& control, bool is_log, const std::string& name,
          const std::stop_token& stop) {
  FaultStream& stream = control.streams[is_log ? 1 : 0];
  const std::string stream_name = name + (is_log ? ".1" : ".0");
  const auto refused = [&] {
    const arca::Status status = telemetry.status();
    return is_log ? status.logs.refused : status.traces.refused;
  };
  std::uint64_t refused_before = refused();
  for (std::uint64_t i = 0; !stop.stop_requested();) {
    if (i >= control.wanted.load() || i >= arca::crash::sequence_max || stream.refused >= control.refusals_max) {
      usleep(500);
      continue;
    }
    is_log ? record_log(stream_name, i) : record_span(stream_name, i);
    const std::uint64_t refused_now = refused();
    if (refused_now != refused_before) stream.refuse(i);
    refused_before = refused_now;
    stream.recorded.store(++i);
  }
}

void publish(const Telemetry& telemetry, FaultControl& control) {
  const arca::Status status = telemetry.status();
  const auto sum = [&](std::uint64_t SignalStatus::*field) { return status.traces.*field + status.logs.*field; };
  control.accepted = sum(&SignalStatus::accepted);
  control.delivered = sum(&SignalStatus::delivered);
  control.refused = sum(&SignalStatus::refused);
  control.lost = sum(&SignalStatus::lost);
  control.kept = sum(&SignalStatus::in_journal) + sum(&SignalStatus::in_memory);
  control.holds = status.holds() ? 1 : 0;
  control.status_number += 1;
}

class Descriptors {
 public:
  void take_all() {
    struct rlimit limit {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 256;  // few, so that it does not take long
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC); descriptor >= 0;
         descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)) {
      taken_.push_back(descriptor);
    }
  }
  void give_back() {
    for (const int descriptor : taken_) close(descriptor);
    taken_.clear();
  }

 private:
  std::vector<int> taken_;
};

void limit_file_size(std::uint64_t bytes) {
  struct rlimit limit {};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace

// fault_writer CONTROL_FILE STREAM_NAME STATE_DIRECTORY ENDPOINT PADDING POOL_SIZE JOURNAL_SIZE FILE_SIZE_LIMIT
int main(int count, char** words) {
  if (count != 9) return 2;
  const std::vector<std::string> arguments(words + 1, words + count);
  FaultFile control(arguments[0]);
  padding_size = std::stoull(arguments[4]);
  if (const std::uint64_t limit = std::stoull(arguments[7]); limit != 0) limit_file_size(limit);

  arca::Config config;
  config.service_name = "fault-writer";
  config.state_directory = arguments[2];
  config.otlp.endpoint = "http://" + arguments[3];
  config.schedule_delay = std::chrono::milliseconds(20);
  config.recovery.scan_interval = std::chrono::milliseconds(100);
  config.pool_size = std::stoull(arguments[5]);
  config.journal_size = std::stoull(arguments[6]);
  config.self_metrics = false;
  auto telemetry = Telemetry::start(config);
  if (!telemetry) {
    std::fprintf(stderr, "fault_writer: %s\n", telemetry.error().message().c_str());
    return 1;
  }
  std::vector<std::jthread> threads;
  for (const bool is_log : {false, true}) {
    threads.emplace_back(
        [&, is_log](const std::stop_token& stop) { work(**telemetry, *control, is_log, arguments[1], stop); });
  }
  control->started = 1;
  const pid_t parent = getppid();
  Descriptors descriptors;
  while (getppid() == parent) {
    const Request request = control->request;
    switch (request) {
      case Request::none:
        usleep(1000);
        break;
      case Request::take_all_descriptors:
        descriptors.take_all();
        break;
      case Request::give_descriptors_back:
        descriptors.give_back();
        break;
      case Request::limit_file_size:
        limit_file_size(control->argument);
        break;
      case Request::shut_down:
        threads.clear();
        publish(**telemetry, *control);
        (*telemetry)->shutdown(std::chrono::seconds(10));
        return 0;
    }
    if (request != Request::none) control->request = Request::none;
    publish(**telemetry, *control);
  }
  return 3;
}
