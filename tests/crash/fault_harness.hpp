// Runs fault_writer on file systems of the test's own, against `arca sink`, and compares ids: everything that was
// accepted arrives, and what does not arrive is exactly what was refused and counted. Used by the fault tests.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "crash/fault_control.hpp"
#include "crash/mount_namespace.hpp"
#include "crash/pool_sweeper.hpp"
#include "crash/sink_process.hpp"
#include "support/temporary_directory.hpp"

namespace arca::crash {

struct WriterOptions {
  std::uint64_t padding = 2000;
  std::uint64_t pool_size = 4U << 20U;
  std::uint64_t journal_size = 1U << 30U;
  std::uint64_t file_size_limit = 0;  // 0: none
};

// Generous: only what will never happen takes this long, also in slow builds on a busy machine.
constexpr auto patience = std::chrono::seconds(60);

// Not thread-safe: one test thread.
class FaultTest : public ::testing::Test {
 protected:
  FaultTest() : sink_(directory_.path()) { std::filesystem::create_directories(mount_point()); }

  // Where tests mount a file system for the state directory.
  [[nodiscard]] std::string mount_point() const { return directory_ / "disk"; }
  [[nodiscard]] std::string state() const { return mount_point() + "/state"; }

  // All programs run in a namespace of their own with these mounts from now on.
  void mount(const std::string& script) {
    std::string error;
    namespace_ = MountNamespace::make(directory_.path(), script, error);
    if (!namespace_)
      FAIL() << "the kernel lets this user have no mount namespace (root or user namespaces are needed): " << error;
  }
  static std::string tmpfs(const std::string& where, const std::string& size) {
    return "mount -t tmpfs -o size=" + size + ",mode=0700 tmpfs " + where + "\n";
  }
  void run_inside(const std::string& script) {
    const auto done = namespace_->run(script);
    ASSERT_TRUE(done) << done.error().message();
  }
  [[nodiscard]] std::vector<std::string> inside(const std::vector<std::string>& command) const {
    return namespace_ ? namespace_->inside(command) : command;
  }

  // A writer that follows the one before; what both recorded is compared at the end.
  void start(const WriterOptions& options = {}) {
    begin(options);
    const bool began = support::wait_until([&] { return control().started != 0 || !writer_->is_alive(); }, patience);
    ASSERT_TRUE(began && writer_->is_alive()) << "the writer did not start: " << log();
  }
  // For a writer that is expected to say no; returns its exit status.
  support::ExitStatus start_in_vain(const WriterOptions& options = {}) {
    begin(options);
    const auto status = writer_->wait(patience);
    files_.pop_back();
    return status.value_or(support::ExitStatus{-1, -1});
  }
  FaultControl& control() { return **files_.back().control; }
  // The writer lives on, but is not the test's present one any more.
  std::unique_ptr<support::Process> take_writer() { return std::move(writer_); }
  SinkProcess& sink() { return sink_; }
  [[nodiscard]] std::string log() const {
    std::ostringstream text;
    text << std::ifstream(directory_ / "writer.log").rdbuf();
    return text.str();
  }

  // `count` records more of each stream, made while the test waits.
  void record(std::uint64_t count) {
    control().refusals_max = UINT64_MAX;
    control().wanted += count;
    const auto made = [&] {
      return control().streams[0].recorded >= control().wanted && control().streams[1].recorded >= control().wanted;
    };
    support::wait_until([&] { return made() || !writer_->is_alive(); }, patience);
    ASSERT_TRUE(writer_->is_alive()) << "the writer died: " << log();
    ASSERT_TRUE(made()) << "the writer hangs: " << log();
  }
  // Records until `count` of each stream were refused, and then rests.
  void record_until_refused(std::uint64_t count) {
    control().refusals_max = count;
    control().wanted = sequence_max;
    const auto refused = [&] { return control().streams[0].refused >= count && control().streams[1].refused >= count; };
    support::wait_until([&] { return refused() || !writer_->is_alive(); }, patience);
    ASSERT_TRUE(writer_->is_alive()) << "the writer died: " << log();
    ASSERT_TRUE(refused()) << "nothing was refused";
    control().wanted = std::min(control().streams[0].recorded.load(), control().streams[1].recorded.load());
  }
  void ask(Request request, std::uint64_t argument = 0) {
    control().argument = argument;
    control().request = request;
    ASSERT_TRUE(support::wait_until([&] { return control().request == Request::none; }, patience));
  }
  void shut_down() {
    control().request = Request::shut_down;
    const auto ended = writer_->wait(patience);
    ASSERT_TRUE(ended && *ended == support::ExitStatus{}) << log();
  }
  void kill_writer() {
    writer_->send_signal(SIGKILL);
    static_cast<void>(writer_->wait(patience));
  }
  void recover() {
    const auto done = support::run_command(
        inside({ARCA_PROGRAM, "recover", "--state", state(), "--endpoint", "http://" + sink_.endpoint()}));
    EXPECT_TRUE(done) << done.error().message();
  }

  // The law as the live writer counts it, whatever is under way.
  void expect_law() {
    const std::uint64_t seen = control().status_number;
    ASSERT_TRUE(support::wait_until([&] { return control().status_number >= seen + 2; }, patience));
    EXPECT_EQ(control().holds, 1U) << "the law does not hold";
    EXPECT_EQ(control().accepted, control().streams[0].recorded + control().streams[1].recorded);
    EXPECT_EQ(control().refused, control().streams[0].refused + control().streams[1].refused);
    EXPECT_EQ(control().lost, 0U);
  }
  // What the sink has is what was recorded less what was refused: waits for it, then says what differs.
  void expect_all_accepted_arrived() {
    for (const Known& known : files_) {
      for (std::size_t s = 0; s < 2; ++s) {
        const FaultStream& stream = (*known.control)->streams[s];
        const std::uint64_t recorded = stream.recorded;
        if (recorded == 0) continue;
        const std::string name = known.name + "." + std::to_string(s);
        nlohmann::json seen;
        support::wait_until(
            [&] {
              seen = sink_.stream(s == 1 ? "logs" : "traces", name, recorded);
              return seen["missing_count"].get<std::uint64_t>() <= stream.refused;
            },
            patience);
        expect_same(name, stream, seen);
      }
    }
  }

 private:
  struct Known {
    std::string name;
    std::unique_ptr<FaultFile> control;
  };

  void begin(const WriterOptions& options) {
    const std::string name = "w" + std::to_string(files_.size());
    const std::string path = directory_ / name + ".control";
    files_.push_back({name, std::make_unique<FaultFile>(path)});
    support::ProcessOptions process_options;
    process_options.output_path = directory_ / "writer.log";
    auto process = support::Process::start(
        inside({std::string(ARCA_CRASH_PROGRAMS) + "/fault_writer", path, name, state(), sink_.endpoint(),
                std::to_string(options.padding), std::to_string(options.pool_size),
                std::to_string(options.journal_size), std::to_string(options.file_size_limit)}),
        process_options);
    if (!process) throw std::runtime_error(process.error().message());
    writer_ = std::move(*process);
  }

  static void expect_same(const std::string& name, const FaultStream& stream, const nlohmann::json& seen) {
    std::uint64_t missing = 0;
    std::uint64_t lost = 0;
    for (const auto& range : seen["missing"]) {
      for (auto sequence = range[0].get<std::uint64_t>(); sequence <= range[1].get<std::uint64_t>(); ++sequence) {
        ++missing;
        if (!stream.is_refused(sequence)) ++lost;
      }
    }
    EXPECT_EQ(lost, 0U) << name << " lacks records that were accepted: " << seen["missing"].dump().substr(0, 300);
    EXPECT_EQ(seen["renamed"], 0U) << name << ": came again in a chunk with another id";
    EXPECT_EQ(missing, stream.refused) << name << ": some that were counted as refused arrived";
    std::printf("%s: recorded %llu, refused %llu, missing %llu, came twice %llu\n", name.c_str(),
                static_cast<unsigned long long>(stream.recorded), static_cast<unsigned long long>(stream.refused),
                static_cast<unsigned long long>(missing),
                static_cast<unsigned long long>(seen["duplicates"].get<std::uint64_t>()));
  }

  support::TemporaryDirectory directory_;
  PoolSweeper sweeper_{directory_ / "disk/state"};
  SinkProcess sink_;
  std::unique_ptr<MountNamespace> namespace_;
  std::unique_ptr<support::Process> writer_;
  std::vector<Known> files_;
};

}  // namespace arca::crash
