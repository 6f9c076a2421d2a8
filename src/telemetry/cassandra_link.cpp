#include "telemetry/cassandra_link.hpp"

#include <utility>

#include "cassandra/closable_cql.hpp"
#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "telemetry/cassandra_config.hpp"

namespace arca::telemetry {
namespace {

class CqlLink final : public CassandraLink {
 public:
  static Result<std::unique_ptr<CassandraLink>> open(const CassandraSettings& settings, const std::string& datacenter) {
    const auto connection = connection_settings(settings);
    if (!connection) return tl::unexpected(connection.error());
    auto client = cassandra::CqlClient::open(*connection);
    if (!client) return tl::unexpected(client.error());
    std::unique_ptr<CqlLink> link(new CqlLink(settings, datacenter, std::move(*client)));
    auto store = cassandra::CqlStore::create(link->cql_, settings.keyspace);
    if (!store) return tl::unexpected(store.error());
    link->store_ = std::move(*store);
    return link;
  }

  [[nodiscard]] cassandra::ParkingStore& store() noexcept override { return *store_; }
  [[nodiscard]] cassandra::ConnectionStatus connection() const override { return cql_.status(); }
  Result<cassandra::SchemaReport> prepare() override {
    const std::string datacenter = cql_.status().datacenter;
    if (datacenter.empty()) return failure(ErrorCode::unavailable, "the connection is lost");
    store_->set_datacenter(datacenter_.empty() ? datacenter : datacenter_);
    return schema_.apply ? cassandra::apply_schema(cql_, schema_, timeout_)
                         : cassandra::check_schema(cql_, schema_, timeout_);
  }
  void set_schema_watch(std::function<void()> watch) override { cql_.set_schema_watch(std::move(watch)); }
  void close(base::SteadyTime deadline) noexcept override { cql_.close(deadline); }

 private:
  CqlLink(const CassandraSettings& settings, std::string datacenter, std::unique_ptr<cassandra::Cql> client)
      : schema_(schema_settings(settings)),
        timeout_(settings.request_timeout),
        datacenter_(std::move(datacenter)),
        cql_(std::move(client)) {}

  const cassandra::SchemaSettings schema_;
  const std::chrono::milliseconds timeout_;
  const std::string datacenter_;
  cassandra::ClosableCql cql_;
  std::unique_ptr<cassandra::CqlStore> store_;
};

}  // namespace

Result<std::unique_ptr<CassandraLink>> make_cassandra_link(const CassandraSettings& settings,
                                                           const std::string& datacenter) {
  auto link = CqlLink::open(settings, datacenter);
  if (!link) return failure(link.error().with_context("cassandra"));
  return link;
}

}  // namespace arca::telemetry
