// `arca sink` as the judge of a crash test: what arrived, what came twice. Asked over its control port.
#pragma once

#include <httplib.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/wait.hpp"

namespace arca::crash {

class SinkProcess {
 public:
  SinkProcess(const std::string& directory, std::vector<std::string> options = {}) {
    const std::string ready = directory + "/sink.ready";
    std::vector<std::string> command{ARCA_PROGRAM, "sink",           "--grpc-port", "0",       "--http-port",
                                     "0",          "--control-port", "0",           "--track", "sequences",
                                     "--quiet",    "--ready-file",   ready};
    command.insert(command.end(), options.begin(), options.end());
    support::ProcessOptions process_options;
    process_options.output_path = directory + "/sink.log";
    auto process = support::Process::start(command, process_options);
    if (!process) throw std::runtime_error(process.error().message());
    process_ = std::move(*process);
    std::string line;
    const bool is_ready = support::wait_until([&] {
      std::ifstream file(ready);
      return static_cast<bool>(std::getline(file, line)) || !process_->is_alive();
    });
    std::smatch match;
    if (!is_ready || !std::regex_search(line, match, std::regex("grpc=(\\S+).*control=(\\S+)"))) {
      throw std::runtime_error("arca sink did not become ready: " + line);
    }
    endpoint_ = match[1];
    client_ = std::make_unique<httplib::Client>("http://" + match[2].str());
    client_->set_read_timeout(20);
  }

  [[nodiscard]] const std::string& endpoint() const noexcept { return endpoint_; }

  void behave(const std::string& words) {
    const nlohmann::json body{{"behave", words}};
    const auto answer = client_->Post("/behave", body.dump(), "application/json");
    if (!answer || answer->status != 200) throw std::runtime_error("arca sink refused to behave: " + words);
  }
  nlohmann::json report() { return get("/report"); }
  // What of 0 .. count - 1 is missing of a stream, and what came twice.
  nlohmann::json stream(const std::string& signal, const std::string& name, std::uint64_t count) {
    return get("/stream?signal=" + signal + "&stream=" + name +
               "&from=0&to=" + std::to_string(count == 0 ? 0 : count - 1));
  }

 private:
  nlohmann::json get(const std::string& path) {
    const auto answer = client_->Get(path);
    if (!answer || answer->status != 200) throw std::runtime_error("arca sink did not answer " + path);
    return nlohmann::json::parse(answer->body);
  }

  std::unique_ptr<support::Process> process_;
  std::string endpoint_;
  std::unique_ptr<httplib::Client> client_;
};

}  // namespace arca::crash
