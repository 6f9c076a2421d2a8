// File systems of a test's own: a process that holds a mount namespace in which small tmpfs stand where the test wants
// them. Programs run inside it; nobody else sees the mounts, and they go with the holder.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/wait.hpp"

namespace arca::crash {

// Not thread-safe: one test thread.
class MountNamespace {
 public:
  // Runs `script` (mounts) in a new namespace. Null, with the reason in `error`, where the kernel forbids that.
  static std::unique_ptr<MountNamespace> make(const std::string& directory, const std::string& script,
                                              std::string& error) {
    // With a user namespace anybody may do it; without, root may.
    for (const char* options : {"-rm", "-m"}) {
      const std::string ready = directory + "/namespace" + options;
      support::ProcessOptions process_options;
      process_options.output_path = directory + "/namespace.log";
      auto holder = support::Process::start(
          {"unshare", options, "sh", "-ec", script + "\n: > " + ready + "\nexec sleep 900"}, process_options);
      if (!holder) {
        error = holder.error().message();
        return nullptr;
      }
      support::wait_until([&] { return std::ifstream(ready).good() || !(*holder)->is_alive(); });
      if ((*holder)->is_alive()) {
        return std::unique_ptr<MountNamespace>(new MountNamespace(std::move(*holder), std::string(options) == "-rm"));
      }
    }
    std::ifstream log(directory + "/namespace.log");
    error.assign(std::istreambuf_iterator<char>(log), {});
    return nullptr;
  }

  // The command that runs `command` inside.
  [[nodiscard]] std::vector<std::string> inside(const std::vector<std::string>& command) const {
    std::vector<std::string> whole{"nsenter", "-t", std::to_string(holder_->pid()), "-m"};
    if (has_user_namespace_) whole.insert(whole.end(), {"-U", "--preserve-credentials"});
    whole.emplace_back("--");
    whole.insert(whole.end(), command.begin(), command.end());
    return whole;
  }
  // Runs a shell script inside, to its end.
  [[nodiscard]] Result<std::string> run(const std::string& script) const {
    return support::run_command(inside({"sh", "-ec", script}));
  }

 private:
  MountNamespace(std::unique_ptr<support::Process> holder, bool has_user_namespace)
      : holder_(std::move(holder)), has_user_namespace_(has_user_namespace) {}

  std::unique_ptr<support::Process> holder_;
  bool has_user_namespace_;
};

}  // namespace arca::crash
