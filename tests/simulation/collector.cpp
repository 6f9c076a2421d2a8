#include "simulation/collector.hpp"

#include <map>
#include <utility>

namespace arca::simulation {
namespace {

constexpr int status_ok = 0;
constexpr int status_invalid_argument = 3;
constexpr int status_unavailable = 14;

net::Response answered(int status, std::string message) {
  net::Response response;
  response.outcome = net::Outcome::answered;
  response.status = status;
  response.message = std::move(message);
  return response;
}

net::Response without_answer(net::Outcome outcome, std::string message) {
  net::Response response;
  response.outcome = outcome;
  response.message = std::move(message);
  return response;
}

}  // namespace

// Answers each request once, whatever happens to it, unless the process that asked is dead.
class Connection final : public net::Transport {
 public:
  using Done = std::function<void(net::Response)>;

  Connection(Collector& collector, model::Signal signal, std::shared_ptr<Life> life)
      : state_(std::make_shared<State>(State{collector, signal, std::move(life), 0, {}, false})) {}
  ~Connection() override { end_all(*state_); }

  void send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
            base::Duration timeout, Done done) noexcept override {
    State& state = *state_;
    if (state.life->is_dead()) return;
    if (state.is_closed) return done(without_answer(net::Outcome::not_sent, "closed"));
    Collector& collector = state.collector;
    auto request = std::make_shared<Collector::Request>();
    request->signal = state.signal;
    request->bytes = payload.flatten();
    for (auto& [name, value] : extra_headers)
      if (name == "arca-chunk-id") request->chunk = value;
    const std::uint64_t number = ++state.last_number;
    state.waiting[number] = std::move(done);

    const Fate fate = draw_fate(collector.weather, collector.dice_);
    const auto there = collector.dice_.between(base::Duration(1000), collector.weather.latency);
    const auto back = collector.dice_.between(base::Duration(1000), collector.weather.latency);
    World& world = collector.world_;
    const auto plan_answer = [&world, state = state_, number](base::Duration wait, net::Response response) {
      world.after(wait, [state, number, response = std::move(response)] { answer(state, number, response); });
    };
    if (fate == Fate::unreachable) {
      plan_answer(there, without_answer(net::Outcome::not_sent, "connection refused"));
      return;
    }
    plan_answer(timeout, without_answer(net::Outcome::no_answer, "deadline exceeded"));
    if (fate == Fate::request_lost) return;
    const base::Duration arrival = fate == Fate::late ? timeout + there * 10 : there;
    world.after(arrival, [&collector, plan_answer, request, fate, back] {
      net::Response response = collector.take(*request, fate);
      if (fate != Fate::answer_lost) plan_answer(back, std::move(response));
    });
  }
  void cancel_all() noexcept override { end_all(*state_); }
  void close() noexcept override {
    state_->is_closed = true;
    end_all(*state_);
  }

 private:
  struct State {
    Collector& collector;
    const model::Signal signal;
    const std::shared_ptr<Life> life;
    std::uint64_t last_number;
    std::map<std::uint64_t, Done> waiting;
    bool is_closed = false;
  };
  static void answer(const std::shared_ptr<State>& state, std::uint64_t number, const net::Response& response) {
    state->life->receive([state, number, response] {
      auto node = state->waiting.extract(number);
      if (!node.empty()) node.mapped()(response);
    });
  }
  // The contract of a transport: nobody is left without an answer. A dead process gets none.
  static void end_all(State& state) {
    std::map<std::uint64_t, Done> waiting;
    waiting.swap(state.waiting);
    if (state.life->is_dead()) return;
    for (auto& [number, done] : waiting) done(without_answer(net::Outcome::no_answer, "cancelled"));
  }

  const std::shared_ptr<State> state_;
};

std::unique_ptr<net::Transport> Collector::connect(model::Signal signal, std::shared_ptr<Life> life) {
  return std::make_unique<Connection>(*this, signal, std::move(life));
}

net::Response Collector::take(const Request& request, Fate fate) {
  ++request_count_;
  std::vector<RecordNumber> numbers = records_in(request.bytes);
  world_.note("collector: {} chunk {} with {} records{}", model::to_string(request.signal), request.chunk,
              numbers.size(), fate == Fate::well ? "" : fmt::format(", fate {}", static_cast<int>(fate)));
  if (fate == Fate::busy) return answered(status_unavailable, "busy");
  if (fate == Fate::rejected) return answered(status_invalid_argument, "no");
  if (fate == Fate::partly && !numbers.empty()) {
    // ExportTraceServiceResponse.partial_success.rejected_spans; the other signals have the same numbers.
    const auto refused = static_cast<std::uint8_t>(dice_.between(1, std::min<std::uint64_t>(numbers.size(), 100)));
    numbers.erase(numbers.begin(), numbers.begin() + refused);
    oracle_.arrived(numbers, request.chunk);
    net::Response response = answered(status_ok, {});
    response.body = {std::byte{0x0A}, std::byte{2}, std::byte{0x08}, std::byte{refused}};
    return response;
  }
  oracle_.arrived(numbers, request.chunk);
  return answered(status_ok, {});
}

}  // namespace arca::simulation
