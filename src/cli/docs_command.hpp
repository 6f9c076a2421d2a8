// `arca docs`: the documents that are made from the program's own texts. Used by the build and by a test that holds
// the checked-in files in step.
#pragma once

#include "cli/command.hpp"

namespace arca::cli {

std::unique_ptr<Command> make_docs_command();

// One man page per command and one for the program: file name and content.
struct ManPage {
  std::string file_name;
  std::string content;
};
std::vector<ManPage> make_man_pages();

}  // namespace arca::cli
