// shop-inventory: knows how many of each item there are. Its caller's span and baggage arrive in the headers; its own
// spans, metrics and logs leave through Arca.
#include <opentelemetry/baggage/baggage_context.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>

#include "service.hpp"

namespace {

using namespace shop;

constexpr std::size_t item_count = 8;
constexpr int delivery_size = 40;  // items that a delivery brings

class Inventory {
 public:
  Inventory()
      : reserved_(keep(meter()->CreateUInt64Counter("shop.inventory.reserved", "Items reserved", "{item}"))),
        stock_gauge_(meter()->CreateInt64ObservableGauge("shop.inventory.stock", "Items in stock", "{item}")) {
    for (auto& stock : stock_) stock = delivery_size;
    stock_gauge_->AddCallback(&Inventory::observe_stock, this);
  }
  ~Inventory() { stock_gauge_->RemoveCallback(&Inventory::observe_stock, this); }

  void reserve(const httplib::Request& request, httplib::Response& response, Span& span) {
    const std::string request_id = request.get_header_value("x-request-id");
    const std::size_t item = std::strtoul(request.get_param_value("item").c_str(), nullptr, 10) % item_count;
    span.SetAttribute("shop.item.id", static_cast<std::int64_t>(item));
    // Baggage: what the front end said of the customer travels with the context.
    std::string tier;
    const auto baggage = api::baggage::GetBaggage(api::context::RuntimeContext::GetCurrent());
    if (baggage->GetValue("shop.customer.tier", tier)) span.SetAttribute("shop.customer.tier", view(tier));

    const int left = take(item);
    if (left < 0) {
      record_exception(span, "shop::OutOfStock", "item " + std::to_string(item) + " is out of stock");
      log(api::logs::Severity::kWarn, "out of stock, a delivery is on its way", request_id);
      restock(item);
      response.status = 409;
      response.set_content("out of stock", "text/plain");
      return;
    }
    reserved_->Add(1, {{"shop.item.id", static_cast<std::int64_t>(item)}});
    span.AddEvent("reserved", {{"shop.stock.left", left}});
    log(api::logs::Severity::kInfo, "reserved", request_id);
    response.set_content(std::to_string(left), "text/plain");
  }

 private:
  // Takes one; how many are left, or -1 when there was none.
  int take(std::size_t item) {
    int before = stock_[item].load();
    while (before > 0 && !stock_[item].compare_exchange_weak(before, before - 1)) {
    }
    return before - 1;
  }

  void restock(std::size_t item) {
    const auto span = tracer()->StartSpan("restock", {{"shop.item.id", static_cast<std::int64_t>(item)}});
    stock_[item] += delivery_size;
    span->End();
  }

  static void observe_stock(api::metrics::ObserverResult result, void* state) {
    auto* inventory = static_cast<Inventory*>(state);
    using Observer = shared_ptr<api::metrics::ObserverResultT<std::int64_t>>;
    for (std::size_t item = 0; item < item_count; ++item) {
      api::nostd::get<Observer>(result)->Observe(inventory->stock_[item].load(),
                                                 {{"shop.item.id", static_cast<std::int64_t>(item)}});
    }
  }

  std::array<std::atomic<int>, item_count> stock_;
  const shared_ptr<api::metrics::Counter<std::uint64_t>> reserved_;
  const shared_ptr<api::metrics::ObservableInstrument> stock_gauge_;
};

}  // namespace

int main(int count, char** values) {
  CLI::App app("The inventory service of the example shop");
  int port = 0;
  app.add_option("--port", port, "Port on 127.0.0.1; 0 takes a free one")->capture_default_str();
  CLI11_PARSE(app, count, values);

  shop::block_stop_signals();
  arca::Config config;
  config.service_name = "shop-inventory";
  const auto telemetry = arca::Telemetry::start(config);
  if (!telemetry) {
    std::cerr << telemetry.error().message() << '\n';
    return 1;
  }
  Inventory inventory;
  httplib::Server server;
  server.Post("/reserve", shop::TracedRoute("POST", "/reserve", [&](const auto& request, auto& response, Span& span) {
                inventory.reserve(request, response, span);
              }));
  return shop::serve(server, port);
}
