// `arca`, as the crash tests of Cassandra run it: the same program with shorter times, which can end or stop itself at
// the n-th passing of a named point.
//
// crash_recoverer ORACLE POINT NTH kill|stop ARGUMENTS-OF-ARCA...     (POINT "none": it ends as arca does)
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "crash/point_hook.hpp"
#include "crash/quick_timing.hpp"

int main(int count, char** words) {
  if (count < 6) return 2;
  const std::vector<std::string> own(words + 1, words + 5);
  arca::crash::OracleFile oracle(own[0]);
  arca::cassandra::set_timing(arca::crash::quick_timing());
  arca::crash::arm({own[1], std::stoull(own[2]), own[3] == "stop" ? SIGSTOP : SIGKILL, &oracle});
  oracle->started.store(1);
  const std::vector<std::string> arguments(words + 5, words + count);
  arca::cli::Console console = arca::cli::Console::standard();
  return arca::cli::run_command_line(arguments, console);
}
