#include "cli/sink/services.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace arca::cli::sink {

namespace {

using Json = nlohmann::ordered_json;

std::optional<model::Signal> signal_of_target(std::string_view target) {
  for (const model::Signal signal : model::all_signals) {
    if (target == "/v1/" + std::string(model::to_string(signal))) return signal;
  }
  return std::nullopt;
}

Http1Answer text_answer(int status, std::string_view text, std::string content_type) {
  Http1Answer answer;
  answer.answer.http_status = status;
  const base::Bytes bytes = base::as_bytes(text);
  answer.answer.body.assign(bytes.begin(), bytes.end());
  answer.content_type = std::move(content_type);
  return answer;
}

Http1Answer json_answer(const Json& json) { return text_answer(200, json.dump(2) + "\n", "application/json"); }
Http1Answer plain_answer(int status, std::string_view text) {
  return text_answer(status, std::string(text) + "\n", "text/plain");
}

// The value of a key in "a=1&b=2", percent-decoded.
std::string query_value(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != key) continue;
    std::string value;
    for (std::size_t i = equals + 1; i < pair.size(); ++i) {
      unsigned byte = 0;
      if (pair[i] == '%' && i + 2 < pair.size() &&
          std::from_chars(pair.data() + i + 1, pair.data() + i + 3, byte, 16).ptr == pair.data() + i + 3) {
        value.push_back(static_cast<char>(byte));
        i += 2;
      } else {
        value.push_back(pair[i] == '+' ? ' ' : pair[i]);
      }
    }
    return value;
  }
  return {};
}

std::string as_word(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

bool SinkServer::OtlpService::on_head(Http1Request& request) {
  const auto signal = signal_of_target(request.target);
  if (signal) request.behaviour = handler_.choose(*signal);
  return request.behaviour.mode == Mode::reset;
}

void SinkServer::OtlpService::on_cut_short(const Http1Request& request) {
  if (const auto signal = signal_of_target(request.target)) handler_.cut_short(*signal);
}

Http1Answer SinkServer::OtlpService::on_request(const Http1Request& request) {
  const auto signal = signal_of_target(request.target);
  if (!signal) return plain_answer(404, "no such path; there are /v1/traces, /v1/metrics, /v1/logs");
  if (request.method != "POST") return plain_answer(405, "POST only");
  if (!request.header("content-type").starts_with("application/x-protobuf")) {
    return plain_answer(415, "application/x-protobuf only");
  }
  const std::string_view encoding = request.header("content-encoding");
  if (!encoding.empty() && encoding != "gzip" && encoding != "identity") {
    return plain_answer(415, "Content-Encoding gzip or identity only");
  }
  Http1Answer answer;
  answer.answer = handler_.handle({Protocol::http, *signal, request.behaviour,
                                   std::string(request.header("arca-chunk-id")), encoding == "gzip", request.body});
  return answer;
}

Http1Answer SinkServer::ControlService::on_request(const Http1Request& request) {
  const std::string_view target = request.target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  if (request.method == "GET" && path == "/report") return json_answer(server_.report());
  if (request.method == "GET" && path == "/stream") return stream(query);
  if (request.method == "GET" && path == "/health") return plain_answer(200, "ok");
  if (request.method == "POST" && path == "/behave") return behave(request);
  if (request.method == "POST" && path == "/clear") {
    server_.tally_.clear();
    return plain_answer(200, "ok");
  }
  return plain_answer(404, "there are GET /report, /stream, /health and POST /behave, /clear");
}

Http1Answer SinkServer::ControlService::behave(const Http1Request& request) {
  const auto behaviour = behaviour_from_json(base::as_text(request.body));
  if (!behaviour) return plain_answer(400, behaviour.error().message());
  server_.behave(*behaviour);
  return plain_answer(200, "ok");
}

Http1Answer SinkServer::ControlService::stream(std::string_view query) {
  model::Signal signal = model::Signal::traces;
  const std::string wanted = query_value(query, "signal");
  for (const model::Signal each : model::all_signals) {
    if (model::to_string(each) == wanted) signal = each;
  }
  const auto number = [&](std::string_view key, std::int64_t otherwise) {
    const std::string text = query_value(query, key);
    std::from_chars(text.data(), text.data() + text.size(), otherwise);
    return otherwise;
  };
  return json_answer(
      server_.tally_.stream_report(signal, query_value(query, "stream"), number("from", 1), number("to", 0)));
}

Result<Behaviour> behaviour_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return failure(ErrorCode::invalid_config, "the body is no JSON object");
  // Becomes the text form, so that there is one parser and one list of what is allowed.
  std::string line = json.contains("behave") ? as_word(json["behave"]) : "";
  if (line.empty() && json.contains("mode")) line = as_word(json["mode"]);
  for (const auto& [key, value] : json.items()) {
    if (key == "behave" || key == "mode") continue;
    if (key == "argument" || key == "code" || key == "items" || key == "size") {
      line += " " + as_word(value);
    } else {
      std::string name = key;
      std::replace(name.begin(), name.end(), '_', '-');
      line += " \"" + name + "=" + as_word(value) + "\"";
    }
  }
  return parse_behaviour(line);
}

}  // namespace arca::cli::sink
