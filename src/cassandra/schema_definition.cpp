#include "cassandra/schema_definition.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "base/check.hpp"
#include "cassandra/schema.hpp"

namespace arca::cassandra {
namespace {

constexpr std::string_view create_table = "CREATE TABLE IF NOT EXISTS ";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// Cut at the commas that stand in no brackets.
std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '(' || text[i] == '<')) ++depth;
    if (i < text.size() && (text[i] == ')' || text[i] == '>')) --depth;
    if (i < text.size() && (text[i] != ',' || depth > 0)) continue;
    items.emplace_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  return items;
}

// What stands in the brackets that open at `open`.
std::string_view in_brackets(std::string_view text, std::size_t open) {
  ARCA_CHECK(open < text.size() && text[open] == '(');
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return text.substr(open + 1, i - open - 1);
  }
  ARCA_CHECK(false);
  return {};
}

template <class Number>
Number number_at(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The rest of the text behind a word; empty if it does not occur.
std::string_view behind(std::string_view text, std::string_view word) {
  const auto at = text.find(word);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + word.size());
}

void parse_key(TableDefinition& table, std::string_view key, std::string_view options) {
  std::vector<std::string> parts = list_of(key);
  const std::string& first = parts.front();
  table.partition_key = first.starts_with('(') ? list_of(in_brackets(first, 0)) : std::vector<std::string>{first};
  const std::string_view order = behind(options, "CLUSTERING ORDER BY ");
  const std::vector<std::string> directions =
      order.empty() ? std::vector<std::string>() : list_of(in_brackets(order, 0));
  for (std::size_t i = 1; i < parts.size(); ++i) {
    table.clustering.push_back(i <= directions.size() ? directions[i - 1] : parts[i] + " ASC");
  }
}

}  // namespace

std::string table_of(std::string_view statement) {
  if (!statement.starts_with(create_table)) return {};
  const std::string_view name = statement.substr(create_table.size());
  const auto dot = name.find('.');
  return std::string(name.substr(dot + 1, name.find(' ') - dot - 1));
}

TableDefinition parse_table(std::string_view statement) {
  TableDefinition table;
  const std::size_t open = statement.find('(');
  const std::string_view body = in_brackets(statement, open);
  const std::string_view options = statement.substr(open + body.size() + 2);
  constexpr std::string_view primary_key = "PRIMARY KEY";
  for (const std::string& item : list_of(body)) {
    if (item.starts_with(primary_key)) {
      parse_key(table, in_brackets(item, item.find('(')), options);
      continue;
    }
    const std::size_t blank = item.find(' ');
    const std::string name = item.substr(0, blank);
    std::string type = item.substr(blank + 1);
    if (const auto at = type.find(primary_key); at != std::string::npos) {
      type = trimmed(std::string_view(type).substr(0, at));
      table.partition_key = {name};
    }
    table.columns[name] = type;
  }
  table.ttl_s = number_at<std::int64_t>(behind(options, "default_time_to_live = "));
  return table;
}

TableDefinitions wanted_tables(const SchemaSettings& settings) {
  TableDefinitions tables;
  for (const std::string& statement : schema_statements(settings)) {
    if (const std::string name = table_of(statement); !name.empty()) tables[name] = parse_table(statement);
  }
  return tables;
}

std::string key_text(const TableDefinition& table) {
  std::string text = fmt::format("(({})", fmt::join(table.partition_key, ", "));
  for (const std::string& column : table.clustering) text += ", " + column;
  return text + ")";
}

Replication wanted_replication(const SchemaSettings& settings) {
  Replication wanted;
  wanted.strategy = settings.replication_class;
  for (const std::string& item : list_of(settings.replication_factor)) {
    const auto colon = item.find(':');
    const std::string name = colon == std::string::npos ? "replication_factor" : item.substr(0, colon);
    wanted.factors[name] =
        number_at<std::uint32_t>(trimmed(colon == std::string::npos ? item : item.substr(colon + 1)));
  }
  return wanted;
}

Replication replication_in(base::Bytes map) {
  Replication found;
  // A map is stored as a list of names and values in turn, but that its first number counts the pairs.
  const auto take = [&map]() -> std::string_view {
    if (map.size() < 4) return {};
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8U | std::to_integer<std::uint32_t>(map[i]);
    map = map.subspan(4);
    if (size > map.size()) return {};
    const std::string_view text = base::as_text(map.first(size));
    map = map.subspan(size);
    return text;
  };
  if (map.size() >= 4) map = map.subspan(4);
  while (!map.empty()) {
    const std::string_view name = take();
    const std::string_view value = take();
    if (name.empty()) break;
    if (name == "class") {
      found.strategy = value.substr(value.rfind('.') + 1);
    } else {
      found.factors[std::string(name)] = number_at<std::uint32_t>(value);
    }
  }
  return found;
}

std::string to_string(const Replication& replication) {
  std::string text = replication.strategy;
  for (const auto& [name, factor] : replication.factors) text += fmt::format(", {}: {}", name, factor);
  return text;
}

}  // namespace arca::cassandra
