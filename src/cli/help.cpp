#include "cli/help.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "arca/version.hpp"

namespace arca::cli {

namespace {

constexpr std::size_t line_width = 100;

struct OptionText {
  std::string head;  // "-n, --name TEXT"
  std::string body;  // description and default
};

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + separator.size(), text.size()));
  }
  return parts;
}

// Breaks at blanks; every line begins with `indent` blanks.
std::string wrap(std::string_view text, std::size_t indent) {
  std::string result;
  std::string line(indent, ' ');
  for (const std::string& word : split(text, " ")) {
    if (line.size() > indent && line.size() + word.size() + 1 > line_width) {
      result += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += ' ';
    line += word;
  }
  return result + line + "\n";
}

// A paragraph whose lines begin with two blanks stands as it is (lists, tables); others are wrapped.
bool is_verbatim(std::string_view paragraph) { return paragraph.starts_with("  "); }

std::string placeholder(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";  // a flag
  std::string type = option.get_type_name();
  type = type.substr(0, type.find(':'));
  const std::size_t checks = type.find(' ');
  if (checks != std::string::npos) type.resize(checks);
  return type.empty() ? "TEXT" : type;
}

std::vector<OptionText> option_texts(const CLI::App& options) {
  std::vector<OptionText> texts;
  for (const CLI::Option* option : options.get_options()) {
    std::string head = option->get_positional() ? option->get_name(true) : option->get_name(false, true);
    std::replace(head.begin(), head.end(), ',', ' ');
    std::string names;
    for (const std::string& name : split(head, " ")) names += (names.empty() ? "" : ", ") + name;
    const std::string type = placeholder(*option);
    if (!type.empty() && !option->get_positional()) names += " " + type;
    std::string body = option->get_description();
    const std::string standard = option->get_default_str();
    if (!standard.empty() && option->get_items_expected_max() != 0) body += " [default: " + standard + "]";
    texts.push_back({names, body});
  }
  return texts;
}

std::string exit_lines(const CommandText& text, std::string_view pattern) {
  std::string lines;
  for (const ExitNote& note : text.exits) {
    lines += fmt::format(fmt::runtime(pattern), to_int(note.code),
                         note.meaning.empty() ? describe(note.code) : note.meaning);
  }
  return lines;
}

// In troff a leading dot or apostrophe, a backslash and a hyphen mean something.
std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result.push_back(c);
    }
  }
  if (result.starts_with('.') || result.starts_with('\'')) result.insert(0, "\\&");
  return result;
}

std::string man_paragraphs(std::string_view description) {
  std::string page;
  for (const std::string& paragraph : split(description, "\n\n")) {
    if (is_verbatim(paragraph)) {
      page += ".PP\n.nf\n";
      for (const std::string& line : split(paragraph, "\n")) page += escape(line) + "\n";
      page += ".fi\n";
    } else {
      page += ".PP\n";
      for (const std::string& line : split(paragraph, "\n")) page += escape(line) + "\n";
    }
  }
  return page;
}

std::string man_head(std::string_view page_name) {
  return fmt::format(".TH \"{}\" 1 \"\" \"arca {}\" \"User Commands\"\n", page_name, ARCA_VERSION);
}

}  // namespace

std::string program_help(const CommandList& commands) {
  std::string help =
      "arca: an OpenTelemetry agent that loses nothing it accepted\n\nUsage: arca COMMAND [OPTIONS]\n\nCommands:\n";
  for (const auto& command : commands) {
    help += fmt::format("  {:<10} {}\n", command->text().name, command->text().summary);
  }
  help +=
      "\nOptions:\n  -h, --help     Shows this help; after a command, the help of that command\n"
      "  --version      Shows the version\n\nExit codes:\n";
  for (int code = 0; code <= to_int(last_exit_code); ++code) {
    help += fmt::format("  {}  {}\n", code, describe(static_cast<ExitCode>(code)));
  }
  return help + "\nMan pages: arca(1), and arca-COMMAND(1) for each command.\n";
}

std::string command_help(const CommandText& text, const CLI::App& options) {
  std::string usage = fmt::format("arca {} [OPTIONS]", text.name);
  for (const CLI::Option* option : options.get_options()) {
    if (option->get_positional()) {
      usage += option->get_required() ? " " + option->get_name(true) : " [" + option->get_name(true) + "]";
    }
  }
  std::string help = fmt::format("arca {}: {}\n\nUsage: {}\n\n", text.name, text.summary, usage);
  for (const std::string& paragraph : split(text.description, "\n\n")) {
    if (is_verbatim(paragraph)) {
      help += paragraph + "\n\n";
    } else {
      std::string flat = paragraph;
      std::replace(flat.begin(), flat.end(), '\n', ' ');
      help += wrap(flat, 0) + "\n";
    }
  }
  help += "Options:\n";
  for (const OptionText& option : option_texts(options)) help += "  " + option.head + "\n" + wrap(option.body, 6);
  if (!text.examples.empty()) help += "\nExamples:\n";
  for (const Example& example : text.examples) help += fmt::format("  # {}\n  {}\n", example.purpose, example.line);
  help += "\nExit codes:\n" + exit_lines(text, "  {}  {}\n");
  return help;
}

std::string program_man_page(const CommandList& commands) {
  std::string page = man_head("ARCA");
  page += ".SH NAME\narca \\- an OpenTelemetry agent that loses nothing it accepted\n";
  page += ".SH SYNOPSIS\n.B arca\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH COMMANDS\n";
  for (const auto& command : commands) {
    page += fmt::format(".TP\n.BR arca\\-{} (1)\n{}\n", command->text().name, escape(command->text().summary));
  }
  page +=
      ".SH OPTIONS\n.TP\n.BR \\-h \", \" \\-\\-help\nShows the help; after a command, the help of that command.\n"
      ".TP\n.B \\-\\-version\nShows the version.\n.SH EXIT STATUS\n";
  for (int code = 0; code <= to_int(last_exit_code); ++code) {
    page += fmt::format(".TP\n.B {}\n{}\n", code, escape(describe(static_cast<ExitCode>(code))));
  }
  return page;
}

std::string command_man_page(const CommandText& text, const CLI::App& options) {
  std::string upper(text.name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
  std::string page = man_head("ARCA-" + upper);
  page += fmt::format(".SH NAME\narca-{} \\- {}\n", text.name, escape(text.summary));
  page += fmt::format(".SH SYNOPSIS\n.B arca {}\n[\\fIOPTIONS\\fR]\n", text.name);
  for (const CLI::Option* option : options.get_options()) {
    if (option->get_positional()) page += fmt::format("\\fI{}\\fR\n", option->get_name(true));
  }
  page += ".SH DESCRIPTION\n" + man_paragraphs(text.description) + ".SH OPTIONS\n";
  for (const OptionText& option : option_texts(options)) {
    page += fmt::format(".TP\n.B {}\n{}\n", escape(option.head), escape(option.body));
  }
  if (!text.examples.empty()) page += ".SH EXAMPLES\n";
  for (const Example& example : text.examples) {
    page += fmt::format(".PP\n{}\n.PP\n.nf\n  {}\n.fi\n", escape(example.purpose), escape(example.line));
  }
  page += ".SH EXIT STATUS\n";
  for (const ExitNote& note : text.exits) {
    page += fmt::format(".TP\n.B {}\n{}\n", to_int(note.code),
                        escape(note.meaning.empty() ? describe(note.code) : note.meaning));
  }
  page += ".SH SEE ALSO\n.BR arca (1)";
  for (const std::string_view other : text.see_also) {
    page += fmt::format(",\n.BR {} (1)", escape(other.substr(0, other.find('('))));
  }
  return page + "\n";
}

}  // namespace arca::cli
