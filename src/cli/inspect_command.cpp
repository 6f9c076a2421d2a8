#include "cli/inspect_command.hpp"

#include <CLI/CLI.hpp>

#include "cli/inspect_walk.hpp"
#include "cli/state_directory.hpp"

namespace arca::cli {

namespace {

class InspectCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "inspect",
        "walks pools, journals, quarantine and ledger, and shows all that is in them",
        "Never changes a file; decodes as much as possible of a damaged one; hides nothing. The path may be a state "
        "directory, a writer's directory, a journal or quarantine directory, a pool file, a segment, or a ledger; "
        "without "
        "one it is the state directory of the configuration. Files of live writers may be inspected too: they change "
        "while they are read. What its writer has removed meanwhile is \"gone\", memory that it has used again is "
        "\"changed\"; neither is damage, nor is what it is just writing.\n\n"
        "With --records each span, log record and metric is decoded. With --json every finding is one JSON object on a "
        "line of its own, with its kind; records come as OTLP JSON. Damage is a finding of the kind \"damage\".",
        {{"Everything in the state directory", "arca inspect /var/lib/arca"},
         {"The spans in one segment", "arca inspect --records 000000000000002a.segment"},
         {"Only the damage", "arca inspect --json /var/lib/arca | grep '\"kind\":\"damage\"'"}},
        {{ExitCode::ok, "all of it could be read"},
         {ExitCode::failure, "a file cannot be read, or damage was found (and shown)"},
         {ExitCode::usage, ""}},
        {"arca-status(1)", "arca-recover(1)"}};
    return text;
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH", paths_, "What to look at; several are walked one after the other");
    app.add_flag("--records", options_.records, "Also decodes and shows the records themselves");
    app.add_flag("--json", options_.json, "Prints one JSON object a line");
  }

  int run(Console& console) override {
    if (paths_.empty()) paths_.emplace_back();
    InspectOutput output(console, options_);
    for (const std::string& given : paths_) {
      const auto path = resolve_state_directory(given);  // also makes a given path absolute
      if (!path) return console.error("inspect", path.error().message(), "Name what to look at.", ExitCode::usage);
      if (const auto done = inspect_path(os::posix_file_system(), *path, output); !done) {
        return console.error("cannot inspect", done.error().message(), "Check the path and its permissions.",
                             ExitCode::failure);
      }
    }
    return to_int(output.damage_count() == 0 ? ExitCode::ok : ExitCode::failure);
  }

 private:
  std::vector<std::string> paths_;
  InspectOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace arca::cli
