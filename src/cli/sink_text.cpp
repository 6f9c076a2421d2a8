#include "cli/sink_text.hpp"

namespace arca::cli {

const CommandText& sink_text() {
  static const CommandText text{
      "sink",
      "an OTLP receiver for tests, demonstrations and benchmarks that counts, and misbehaves on command",
      "Receives traces, metrics and logs over gRPC and over HTTP/1.1 with protobuf bodies (gzip or plain), keeps none "
      "of "
      "them, and counts them exactly: requests, bytes, spans, log records, data points, and which of them came twice. "
      "Once all ports are open it prints one line:\n\n"
      "  ready grpc=127.0.0.1:PORT http=127.0.0.1:PORT control=127.0.0.1:PORT\n\n"
      "Duplicates are told by span id, by the header or metadata arca-chunk-id, and, with --track sequences, by the "
      "attributes test.stream (string or integer) and test.seq (integer), or arca.seq on log records, or bench.seq on "
      "spans; what came again in a chunk with another id than at first is counted as \"renamed\". The report is JSON: "
      "on SIGUSR1, at the end, in the --report file, and from the control port.\n\n"
      "BEHAVIOUR is a word, its argument, and key=value pairs:\n\n"
      "  ok                  takes the request and says so\n"
      "  refuse              closes the listening sockets and all connections, for all signals\n"
      "  delay TIME          takes it, answers later\n"
      "  stall               never answers; the connection stays open; the request is not taken\n"
      "  reset               resets the connection (RST) in the middle of the request\n"
      "  close               takes the request, closes the connection before the answer\n"
      "  hangup              answers, then closes the connection unannounced\n"
      "  goaway              answers, and announces the end (GOAWAY, or Connection: close)\n"
      "  abort               RST_STREAM instead of an answer; over HTTP/1.1 closes the connection\n"
      "  trickle             takes it, answers at one byte a second\n"
      "  rubbish             takes it, answers success with a body that is no protobuf\n"
      "  big SIZE            takes it, answers success with a body of this size\n"
      "  status CODE         answers with this HTTP status (over gRPC: as a proxy in between would)\n"
      "  grpc CODE           answers with this gRPC code, by name or number (over HTTP: the status that stands\n"
      "                      for it); the name alone will do: unavailable\n"
      "  partial COUNT TEXT  takes it, says that so many items were rejected, with this message\n\n"
      "  ratio=0.7           hits this share of the requests, at random; the others are answered well\n"
      "  count=N             hits the next N requests; after them all is well\n"
      "  signal=traces       hits this signal only (traces, metrics, logs)\n"
      "  delay=TIME          answers later, with any behaviour that answers\n"
      "  retry-after=TEXT    header Retry-After, sent as it is: seconds, a date, or rubbish\n"
      "  retry-info=TIME     google.rpc.RetryInfo in the status details; `rubbish` sends bytes that are none\n"
      "  message=TEXT        the message of an error or of a partial success\n\n"
      "Double quotes keep blanks: retry-after=\"Wed, 21 Oct 2026 07:28:00 GMT\". What is answered with an error, and "
      "what "
      "stalls, is not counted as taken.\n\n"
      "The control port speaks HTTP on loopback:\n\n"
      "  GET  /report        the report\n"
      "  GET  /stream?signal=traces&stream=NAME&from=1&to=N\n"
      "                      what of the stream was seen, missing, outside, and seen twice\n"
      "  POST /behave        {\"behave\": \"status 503 ratio=0.7\"}, or the same in parts:\n"
      "                      {\"mode\": \"status\", \"code\": 503, \"ratio\": 0.7, \"retry_after\": \"2\"}\n"
      "  POST /clear         forgets everything counted\n"
      "  GET  /health        200",
      {{"Receives on the standard ports and reports at the end", "arca sink --grpc-port 4317 --http-port 4318"},
       {"Is away for ten seconds of every thirty", "arca sink --schedule \"0s ok; 20s refuse; 30s repeat\""},
       {"Answers seven of ten requests with UNAVAILABLE and RetryInfo",
        "arca sink --fail-ratio 0.7 --fail-with \"unavailable retry-info=1s\""},
       {"Remembers sequences, for a test that kills the sender", "arca sink --track sequences --report report.json"},
       {"Changes its mind while it runs", "curl -d '{\"behave\": \"stall\"}' http://127.0.0.1:PORT/behave"}},
      {{ExitCode::ok, "stopped by a signal; the report was written"},
       {ExitCode::failure, "a file or socket failed"},
       {ExitCode::usage, ""},
       {ExitCode::busy, "a port is taken"}},
      {"arca-status(1)", "arca-agent(1)"}};
  return text;
}

}  // namespace arca::cli
