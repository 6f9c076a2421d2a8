#include "cli/docs_command.hpp"

#include <CLI/CLI.hpp>

#include "arca/config.hpp"
#include "cli/help.hpp"
#include "cli/sink/output_file.hpp"

namespace arca::cli {

namespace {

class DocsCommand final : public Command {
 public:
  [[nodiscard]] const CommandText& text() const override {
    static const CommandText text{
        "docs",
        "writes the man pages and the table of configuration keys",
        "The documents that are made from the program itself.\n\n"
        "  arca docs man DIRECTORY     writes arca.1 and arca-COMMAND.1 into the directory\n"
        "  arca docs configuration     prints every environment variable and key, with its default, as Markdown\n\n"
        "The files that the project carries are made this way, and a test holds them in step.",
        {{"Makes the man pages again", "arca docs man docs/man"},
         {"Reads about the configuration", "arca docs configuration | less"}},
        {{ExitCode::ok, ""}, {ExitCode::failure, "a file cannot be written"}, {ExitCode::usage, ""}},
        {}};
    return text;
  }

  void add_options(CLI::App& app) override {
    app.add_option("DOCUMENT", document_, "What to make: man or configuration")
        ->required()
        ->check(CLI::IsMember({"man", "configuration"}));
    app.add_option("DIRECTORY", directory_, "Where man pages go; it must exist")->check(CLI::ExistingDirectory);
  }

  int run(Console& console) override {
    if (document_ == "configuration") {
      console.print(configuration_markdown());
      return to_int(ExitCode::ok);
    }
    if (directory_.empty()) {
      return console.error("docs man", "no directory given", "Name the directory to write to.", ExitCode::usage);
    }
    for (const ManPage& page : make_man_pages()) {
      const auto written = sink::write_atomically(directory_ + "/" + page.file_name, page.content);
      if (!written) {
        return console.error("docs man", written.error().message(), "Check the directory's permissions.",
                             ExitCode::failure);
      }
    }
    return to_int(ExitCode::ok);
  }

 private:
  std::string document_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<Command> make_docs_command() { return std::make_unique<DocsCommand>(); }

std::vector<ManPage> make_man_pages() {
  const CommandList commands = make_commands();
  std::vector<ManPage> pages{{"arca.1", program_man_page(commands)}};
  for (const auto& command : commands) {
    CLI::App options;
    options.set_help_flag("-h,--help", "Shows this help");
    command->add_options(options);
    pages.push_back({"arca-" + std::string(command->text().name) + ".1", command_man_page(command->text(), options)});
  }
  return pages;
}

}  // namespace arca::cli
