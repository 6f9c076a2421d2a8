// The command line: texts, exit codes, and the man pages that are made from them.
#include "cli/command_line.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/docs_command.hpp"
#include "cli/run_command.hpp"
#include "cli/units.hpp"
#include "fakes/fake_clock.hpp"

namespace arca::cli {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& command : make_commands()) names.emplace_back(command->text().name);
  return names;
}

TEST(CommandLineTest, HelpListsEveryCommandAndExitCode) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const std::string& name : command_names())
    EXPECT_NE(help.out.find("\n  " + name + " "), std::string::npos) << name;
  for (int code = 0; code <= 7; ++code)
    EXPECT_NE(help.out.find("\n  " + std::to_string(code) + "  "), std::string::npos);
}

TEST(CommandLineTest, EveryCommandHasAManQualityHelp) {
  for (const std::string& name : command_names()) {
    const Outcome help = run({name, "--help"});
    EXPECT_EQ(help.code, 0) << name;
    EXPECT_TRUE(help.err.empty()) << name;
    for (const char* part : {"Usage: arca ", "Options:", "Examples:", "Exit codes:"}) {
      EXPECT_NE(help.out.find(part), std::string::npos) << name << " lacks " << part;
    }
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << name << ": " << line;
  }
}

TEST(CommandLineTest, HelpHasNoColourWhenItIsNoTerminal) {
  for (const std::string& name : command_names()) EXPECT_EQ(run({name, "--help"}).out.find('\x1b'), std::string::npos);
}

TEST(CommandLineTest, VersionIsOneLine) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.substr(0, 5), "arca ");
}

TEST(CommandLineTest, MistakesSayWhatAndWhereToLookAndExitWithTwo) {
  const std::vector<std::vector<std::string>> mistakes{{},
                                                       {"dance"},
                                                       {"sink", "--grpc-port", "lots"},
                                                       {"sink", "--grpc-port", "70000"},
                                                       {"sink", "--unknown"},
                                                       {"sink", "--behave", "dance"},
                                                       {"sink", "--schedule", "5s ok"},
                                                       {"sink", "--track", "feelings"},
                                                       {"sink", "--bandwidth", "fast"},
                                                       {"status", "--sample", "later"},
                                                       {"recover", "--watch", "--dry-run", "--state", "/nonexistent"},
                                                       {"recover", "--rate", "slow"},
                                                       {"recover", "--endpoint", "::::", "--state", "/nonexistent"},
                                                       {"docs", "novel"}};
  for (const auto& arguments : mistakes) {
    const Outcome outcome = run(arguments);
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    EXPECT_EQ(outcome.code, 2) << line;
    if (!arguments.empty()) {
      EXPECT_NE(outcome.err.find("arca: "), std::string::npos) << line;
      EXPECT_TRUE(outcome.out.empty()) << line << outcome.out;
    }
  }
}

TEST(CommandLineTest, CheckedInManPagesAreInStep) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  for (const ManPage& page : make_man_pages()) {
    std::ifstream file(root / "docs" / "man" / page.file_name);
    ASSERT_TRUE(file) << page.file_name << " is missing: run `arca docs man docs/man`";
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(text, page.content) << page.file_name << " is out of step: run `arca docs man docs/man`";
  }
}

TEST(CommandLineTest, ConfigurationPageComesFromTheList) {
  const Outcome page = run({"docs", "configuration"});
  EXPECT_EQ(page.code, 0);
  EXPECT_NE(page.out.find("ARCA_STATE_DIRECTORY"), std::string::npos);
}

TEST(ConsoleTest, ProgressRewritesOneLineOnATerminalOnly) {
  std::ostringstream out, err;
  Console terminal(out, err, true, true);
  terminal.progress("one two");
  terminal.progress("three");
  terminal.print("done");
  EXPECT_EQ(err.str(), "\rone two\rthree  \n");
}

TEST(ConsoleTest, ProgressInALogIsALineNowAndThen) {
  std::ostringstream out, err;
  fakes::FakeClock clock;
  Console plain(out, err, false, false, clock);
  plain.progress("one");
  plain.progress("two");
  clock.advance(5s);
  plain.progress("three");
  clock.advance(5s);
  plain.progress("three");
  EXPECT_EQ(err.str(), "one\nthree\n");
}

TEST(ConsoleTest, WhatOthersSaidCannotSpeakToTheTerminal) {
  std::ostringstream err;
  Console console(err, err, true, true);
  console.note("the last answer: \x1b[2Jgone");
  console.error("failed\x1b]0;title\a",
                "\xc2\x9b"
                "31m",
                "two\nlines", ExitCode::failure);
  console.progress("\rover");
  console.end_progress();
  EXPECT_EQ(err.str(),
            "arca: the last answer: \\x1b[2Jgone\n"
            "arca: failed\\x1b]0;title\\x07: \\x9b31m\n  two\nlines\n"
            "\r\\x0dover\n");
}

TEST(UnitsTest, DurationsAndSizesReadAsTheyArePrinted) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("0"), 0ns);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_FALSE(parse_duration("5"));
  EXPECT_FALSE(parse_duration("-5s"));
  EXPECT_EQ(format_duration(-90s), "-1m 30s");
  EXPECT_TRUE(format_duration(base::Duration::min()).starts_with("-106751d"));  // which has no opposite
  EXPECT_FALSE(parse_duration("1e30d"));
  EXPECT_EQ(parse_bytes("4MiB"), 4U << 20U);
  EXPECT_EQ(parse_bytes("1.5 kB"), 1500U);
  EXPECT_FALSE(parse_bytes("4 miles"));
  EXPECT_EQ(format_bytes(4U << 20U), "4.0 MiB");
  EXPECT_EQ(format_duration(65s), "1m 5s");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

}  // namespace
}  // namespace arca::cli
