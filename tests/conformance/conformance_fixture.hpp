// Starts Arca's front door before a receiver that parses with the official protobuf classes. Used by the tests that
// set our providers beside those of the stock SDK.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "arca/telemetry.hpp"
#include "conformance/sequences.hpp"
#include "support/temporary_directory.hpp"
#include "telemetry/fake_collector.hpp"

namespace arca::conformance {

class ConformanceFixture : public testing::Test {
 protected:
  void SetUp() override {
    Config config;
    config.state_directory = directory_ / "state";
    config.pool_directory = directory_.path();
    config.pool_size = 64U << 20U;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = collector_.url();
    config.sampler = "always_on";
    config.self_metrics = false;
    config.install_global = false;
    config.limits.attribute_count = 100'000;
    auto started = Telemetry::start(config);
    ASSERT_TRUE(started) << started.error().message();
    telemetry_ = std::move(*started);
  }
  void flush() {
    EXPECT_EQ(telemetry_->force_flush(std::chrono::seconds(60)).outcome, FlushOutcome::delivered);
    EXPECT_TRUE(telemetry_->status().holds());
  }

  support::TemporaryDirectory directory_;
  test::FakeCollector collector_;
  std::unique_ptr<Telemetry> telemetry_;
};

}  // namespace arca::conformance
