// The one list of commands. A new command adds its header and its line here.
#include "cli/command.hpp"
#include "cli/docs_command.hpp"
#include "cli/inspect_command.hpp"
#include "cli/recover_command.hpp"
#include "cli/schema_command.hpp"
#include "cli/sink_command.hpp"
#include "cli/status_command.hpp"
#if __has_include("cli/agent/agent_command.hpp")
#include "cli/agent/agent_command.hpp"
#define ARCA_HAS_AGENT_COMMAND 1
#endif

namespace arca::cli {

CommandList make_commands() {
  CommandList commands;
#ifdef ARCA_HAS_AGENT_COMMAND
  commands.push_back(make_agent_command());
#endif
  commands.push_back(make_status_command());
  commands.push_back(make_inspect_command());
  commands.push_back(make_recover_command());
  commands.push_back(make_schema_command());
  commands.push_back(make_sink_command());
  commands.push_back(make_docs_command());
  return commands;
}

}  // namespace arca::cli
