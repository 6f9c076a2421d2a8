// shop-web: what customers meet. It asks shop-inventory for each order; the trace runs through both.
#include <opentelemetry/baggage/baggage_context.h>

#include <CLI/CLI.hpp>

#include "service.hpp"

namespace {

using namespace shop;

class Web {
 public:
  explicit Web(std::string inventory)
      : inventory_(std::move(inventory)),
        orders_(keep(meter()->CreateUInt64Counter("shop.orders", "Orders by their outcome", "{order}"))),
        duration_(
            keep(meter()->CreateDoubleHistogram("http.client.request.duration", "Duration of requests made", "s"))) {}

  void buy(const httplib::Request& request, httplib::Response& response, Span& span) {
    const std::string request_id = request.get_header_value("x-request-id");
    const std::string customer = request.get_param_value("customer");
    const std::string tier = !customer.empty() && customer.back() % 4 == 0 ? "gold" : "standard";
    span.SetAttribute("shop.customer.tier", view(tier));
    // From here on the tier travels with the context, into every service that this order reaches.
    auto context = api::context::RuntimeContext::GetCurrent();
    const auto baggage = api::baggage::GetBaggage(context)->Set("shop.customer.tier", view(tier));
    context = api::baggage::SetBaggage(context, baggage);
    const auto attached = api::context::RuntimeContext::Attach(context);

    const int status = reserve(request.get_param_value("item"), request_id);
    const char* outcome = status == 200 ? "sold" : status == 409 ? "out_of_stock" : "failed";
    orders_->Add(1, {{"shop.order.outcome", outcome}, {"shop.customer.tier", view(tier)}});
    span.SetAttribute("shop.order.outcome", outcome);
    if (status == 200) {
      log(api::logs::Severity::kInfo, "order accepted", request_id);
    } else if (status == 409) {
      log(api::logs::Severity::kWarn, "order refused: out of stock", request_id);
    } else {
      record_exception(span, "shop::InventoryUnavailable", "the inventory does not answer");
      log(api::logs::Severity::kError, "order failed: the inventory does not answer", request_id);
    }
    response.status = status == 0 ? 502 : status;
    response.set_content(outcome, "text/plain");
  }

 private:
  // Asks the inventory; its status, or 0 when there was no answer.
  int reserve(const std::string& item, const std::string& request_id) {
    api::trace::StartSpanOptions options;
    options.kind = api::trace::SpanKind::kClient;
    const std::string url = inventory_ + "/reserve?item=" + item;
    auto span = tracer()->StartSpan(
        "POST", {{"http.request.method", "POST"}, {"url.full", view(url)}, {"shop.request.id", view(request_id)}},
        options);
    const api::trace::Scope scope(span);

    httplib::Headers headers = {{"x-request-id", request_id}};
    arca::inject([&](std::string_view name, std::string_view value) { headers.emplace(name, value); });
    thread_local httplib::Client client(inventory_);  // one kept-alive connection for each server thread
    client.set_keep_alive(true);
    client.set_connection_timeout(1);
    client.set_read_timeout(2);
    const auto started = std::chrono::steady_clock::now();
    const auto result = client.Post("/reserve?item=" + item, headers, "", "text/plain");
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;

    const int status = result ? result->status : 0;
    if (status != 0) span->SetAttribute("http.response.status_code", status);
    if (status == 0) record_exception(*span, "httplib::Error", httplib::to_string(result.error()));
    if (status >= 400) span->SetStatus(api::trace::StatusCode::kError);
    duration_->Record(taken.count(), {{"http.request.method", "POST"}, {"http.response.status_code", status}},
                      api::context::RuntimeContext::GetCurrent());
    span->End();
    return status;
  }

  const std::string inventory_;
  const shared_ptr<api::metrics::Counter<std::uint64_t>> orders_;
  const shared_ptr<api::metrics::Histogram<double>> duration_;
};

}  // namespace

int main(int count, char** values) {
  CLI::App app("The front end of the example shop");
  int port = 0;
  std::string inventory = "http://127.0.0.1:8081";
  app.add_option("--port", port, "Port on 127.0.0.1; 0 takes a free one")->capture_default_str();
  app.add_option("--inventory", inventory, "Where shop-inventory listens")->capture_default_str();
  CLI11_PARSE(app, count, values);

  shop::block_stop_signals();
  arca::Config config;
  config.service_name = "shop-web";
  const auto telemetry = arca::Telemetry::start(config);
  if (!telemetry) {
    std::cerr << telemetry.error().message() << '\n';
    return 1;
  }
  Web web(inventory);
  httplib::Server server;
  server.Get("/buy", shop::TracedRoute("GET", "/buy", [&](const auto& request, auto& response, Span& span) {
               web.buy(request, response, span);
             }));
  return shop::serve(server, port);
}
