#include "cli/status_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/terminal_text.hpp"
#include "cli/units.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
constexpr base::Duration until_full_max = std::chrono::hours(24 * 365);  // beyond it the figure means nothing

struct LawLine {
  const char* name;
  std::uint64_t SignalStatus::*count;
};
constexpr std::array<LawLine, 8> law_lines{{{"accepted", &SignalStatus::accepted},
                                            {"delivered", &SignalStatus::delivered},
                                            {"parked", &SignalStatus::parked},
                                            {"quarantined", &SignalStatus::quarantined},
                                            {"in_journal", &SignalStatus::in_journal},
                                            {"in_memory", &SignalStatus::in_memory},
                                            {"refused", &SignalStatus::refused},
                                            {"lost", &SignalStatus::lost}}};

Json law_as_json(const Law& law) {
  Json json;
  for (const model::Signal signal : model::all_signals) {
    const SignalStatus& status = law[model::index_of(signal)];
    Json& entry = json[std::string(model::to_string(signal))];
    for (const LawLine& line : law_lines) entry[line.name] = status.*line.count;
    entry["holds"] = status.holds();
  }
  return json;
}

// What the process published; an empty object if that is nothing, or no JSON.
Json process_of(const WriterView& writer) {
  Json json = Json::parse(writer.process_status, nullptr, false);
  return json.is_object() ? json : Json::object();
}

std::uint64_t number_in(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

// For people: what a process published may be what a peer told it.
std::string text_in(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return "";
  return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

// What neither the Collector nor Cassandra has acknowledged.
std::uint64_t unreplicated_items(const Law& law) noexcept {
  std::uint64_t items = 0;
  for (const SignalStatus& signal : law) items += signal.in_journal + signal.in_memory;
  return items;
}

Json age_as_json(const std::optional<base::WallTime>& oldest, base::WallTime now) {
  if (!oldest) return nullptr;
  return std::chrono::duration<double>(now - *oldest).count();
}

std::string law_table(const Law& law, const Console& console) {
  std::string table = fmt::format("{:<14}", "");
  for (const model::Signal signal : model::all_signals) table += fmt::format("{:>18}", model::to_string(signal));
  table += '\n';
  for (const LawLine& line : law_lines) {
    std::string name = line.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    table += fmt::format("{:<14}", name);
    for (const SignalStatus& status : law) {
      const std::uint64_t count = status.*line.count;
      const std::string cell = fmt::format("{:>18}", format_count(count));
      table += line.count == &SignalStatus::lost && count != 0 ? console.alarm(cell) : cell;
    }
    table += '\n';
  }
  table += fmt::format("{:<14}", "the law");
  for (const SignalStatus& status : law) {
    table += status.holds() ? fmt::format("{:>18}", "holds") : console.alarm(fmt::format("{:>18}", "BROKEN"));
  }
  return table + '\n';
}

// "  breaker closed", or what it is for each signal when they differ.
std::string breaker_text(const Json& process) {
  const auto breakers = process.find("breakers");
  if (breakers == process.end() || !breakers->is_object() || breakers->empty()) return "";
  const std::string first = text_in(*breakers, breakers->begin().key().c_str());
  std::string each;
  bool same = true;
  for (const auto& [signal, state] : breakers->items()) {
    const std::string text = text_in(*breakers, signal.c_str());
    same = same && text == first;
    each += (each.empty() ? "" : ", ") + printable(signal) + " " + text;
  }
  return "  breaker " + (same ? first : each);
}

// "parked 3.1 MiB in 4 segments" and what is wrong; nothing for a process without Cassandra.
std::string cassandra_lines(const Json& process, const Console& console) {
  const auto cassandra = process.find("cassandra");
  if (cassandra == process.end() || !cassandra->is_object() || !cassandra->value("configured", false)) return "";
  const bool is_ready = cassandra->value("ready", false);
  std::string text =
      fmt::format("      Cassandra: {}, {} of {} nodes up; parked {}, {} segments not delivered",
                  is_ready ? "ready" : console.alarm("not ready"), number_in(*cassandra, "nodes_up"),
                  number_in(*cassandra, "nodes_known"), format_bytes(number_in(*cassandra, "parked_bytes")),
                  number_in(*cassandra, "open_segments") + number_in(*cassandra, "waiting_segments"));
  if (const std::string age = text_in(*cassandra, "oldest_age_seconds"); !age.empty())
    text += ", the oldest " + age + "s";
  if (const auto rows = number_in(*cassandra, "rows_pending"); rows != 0) {
    text += fmt::format("; rows of {} items to be written", format_count(rows));
  }
  text += '\n';
  if (cassandra->value("near_ttl", false)) {
    text += "      " + console.alarm("something undelivered is past half of its TTL in Cassandra") + "\n";
  }
  if (const auto missed = number_in(*cassandra, "archive_missed"); missed != 0) {
    text += "      " + console.alarm(format_count(missed) + " items were delivered and are not in the archive") + "\n";
  }
  const std::string last_error = text_in(*cassandra, "last_error");
  if (!last_error.empty()) text += "      Cassandra's last error: " + last_error + "\n";
  return text;
}

std::string writer_lines(const WriterView& writer, base::WallTime now, const Console& console) {
  const Json process = process_of(writer);
  std::string text = fmt::format("  {}  {}", model::to_string(writer.id), writer.live ? "live" : "dead");
  if (writer.process_id != 0) text += fmt::format("  pid {}", writer.process_id);
  text += law_holds(writer.law) ? "  law holds" : "  " + console.alarm("law BROKEN");
  text += fmt::format("  backlog {}", format_bytes(writer.backlog_bytes()));
  if (writer.oldest) text += fmt::format("  oldest {}", format_duration(now - *writer.oldest));
  if (writer.live) text += breaker_text(process);
  text += '\n';
  const std::string last_error = text_in(process, "last_error");
  if (!last_error.empty()) text += "      last error: " + last_error + "\n";
  if (writer.live) text += cassandra_lines(process, console);
  for (const std::string& note : writer.notes) text += "      note: " + printable(note) + "\n";
  if (!law_holds(writer.law)) text += law_table(writer.law, console);
  return text;
}

}  // namespace

std::optional<base::Duration> StatusReport::until_full() const {
  if (!growth_bytes_per_second || *growth_bytes_per_second <= 0) return std::nullopt;
  double room = 0;
  for (const WriterView& writer : state.writers) {
    if (!writer.live) continue;
    const Json process = process_of(writer);
    const auto capacity = static_cast<double>(number_in(process, "pool_size") + number_in(process, "journal_size"));
    room += std::max(0.0, capacity - static_cast<double>(writer.pool_bytes + writer.journal_file_bytes));
  }
  if (room <= 0) return std::nullopt;
  const double seconds = room / *growth_bytes_per_second;
  if (seconds > std::chrono::duration<double>(until_full_max).count()) return std::nullopt;
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds));
}

Json status_as_json(const StatusReport& report) {
  const StateView& state = report.state;
  Json json;
  json["state_directory"] = report.state_directory;
  json["holds"] = state.holds();
  json["lost"] = lost_items(state.sum());
  json["signals"] = law_as_json(state.sum());
  json["backlog_bytes"] = state.backlog_bytes();
  json["unreplicated_items"] = unreplicated_items(state.sum());
  json["oldest_age_seconds"] = age_as_json(state.oldest(), report.seen_at);
  const auto until_full = report.until_full();
  json["seconds_until_full"] = until_full ? Json(std::chrono::duration<double>(*until_full).count()) : Json(nullptr);
  json["growth_bytes_per_second"] =
      report.growth_bytes_per_second ? Json(*report.growth_bytes_per_second) : Json(nullptr);
  json["writers"] = Json::array();
  for (const WriterView& writer : state.writers) {
    json["writers"].push_back({{"id", model::to_string(writer.id)},
                               {"live", writer.live},
                               {"process_id", writer.process_id},
                               {"holds", law_holds(writer.law)},
                               {"signals", law_as_json(writer.law)},
                               {"pool_bytes", writer.pool_bytes},
                               {"journal_bytes", writer.journal_bytes},
                               {"oldest_age_seconds", age_as_json(writer.oldest, report.seen_at)},
                               {"process", process_of(writer)},
                               {"notes", writer.notes}});
  }
  json["finished"] = {{"writers", state.finished_writer_count}, {"signals", law_as_json(state.finished)}};
  json["quarantine"] = {{"chunks", state.quarantine.chunk_count},
                        {"items", state.quarantine.item_count},
                        {"bytes", state.quarantine.bytes}};
  json["notes"] = state.notes;
  return json;
}

std::string status_as_text(const StatusReport& report, const Console& console) {
  const StateView& state = report.state;
  std::string text = "state directory " + report.state_directory + "\n\n" + law_table(state.sum(), console) + '\n';
  text += "backlog " + format_bytes(state.backlog_bytes());
  text +=
      fmt::format(" ({} items: what a loss of this host would take)", format_count(unreplicated_items(state.sum())));
  if (const auto oldest = state.oldest()) text += ", oldest " + format_duration(report.seen_at - *oldest);
  if (report.growth_bytes_per_second && *report.growth_bytes_per_second > 0) {
    text += fmt::format(", grows by {}/s", format_bytes(static_cast<std::uint64_t>(*report.growth_bytes_per_second)));
  }
  if (const auto until_full = report.until_full()) text += ", full in " + format_duration(*until_full);
  text += fmt::format("\nwriters: {} with files, {} finished\n", state.writers.size(), state.finished_writer_count);
  for (const WriterView& writer : state.writers) text += writer_lines(writer, report.seen_at, console);
  if (state.quarantine.chunk_count != 0) {
    text += fmt::format("quarantine: {} chunks, {} items, {}\n", state.quarantine.chunk_count,
                        format_count(state.quarantine.item_count), format_bytes(state.quarantine.bytes));
  }
  for (const std::string& note : state.notes) text += "note: " + printable(note) + "\n";
  return text;
}

}  // namespace arca::cli
