// Context in headers: what is well-formed is taken, what is not is ignored.
#include "arca/propagation.hpp"

#include <gtest/gtest.h>

#include <map>

#include "opentelemetry/baggage/baggage_context.h"
#include "opentelemetry/context/propagation/global_propagator.h"
#include "opentelemetry/trace/context.h"
#include "opentelemetry/trace/default_span.h"
#include "telemetry/ids.hpp"
#include "telemetry/sampler.hpp"
#include "telemetry/trace_context.hpp"

namespace arca::test {
namespace {

namespace propagation = opentelemetry::context::propagation;
namespace trace_api = opentelemetry::trace;
using telemetry::parse_trace_context;

const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Propagation, AWellFormedTraceparentIsTaken) {
  const auto context = parse_trace_context(good, "a=1,b=2");
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->IsRemote());
  EXPECT_TRUE(context->IsSampled());
  EXPECT_EQ(context->trace_state()->ToHeader(), "a=1,b=2");
}

TEST(Propagation, AMalformedTraceparentIsIgnoredAsAWhole) {
  for (const std::string& bad :
       {std::string(), std::string("00"), good + "x", good + "-extra", "ff" + good.substr(2), "0" + good,
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"), good.substr(0, 54)}) {
    EXPECT_FALSE(parse_trace_context(bad, "")) << bad;
  }
}

TEST(Propagation, ALaterVersionIsReadAsFarAsItIsKnown) {
  EXPECT_TRUE(parse_trace_context("cc" + good.substr(2) + "-what-ever", ""));
  EXPECT_FALSE(parse_trace_context("cc" + good.substr(2) + "x", ""));
  EXPECT_EQ(parse_trace_context(good.substr(0, 53) + "ff", "")->trace_flags().flags(), 0x03);
}

TEST(Propagation, ABadTracestateDoesNotCostTheParent) {
  const auto context = parse_trace_context(good, "=broken, ==");
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->trace_state()->Empty());
}

TEST(Propagation, HelpersFitAnyHeadersAndIgnoreCase) {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"tracecontext", "baggage"}, {"b3"}, {"b3multi"}}) {
    propagation::GlobalTextMapPropagator::SetGlobalPropagator(
        std::shared_ptr<propagation::TextMapPropagator>(make_propagator(names)));
    std::map<std::string, std::string> headers;
    const opentelemetry::nostd::shared_ptr<trace_api::Span> span(
        new trace_api::DefaultSpan(*parse_trace_context(good, "")));
    opentelemetry::context::Context context;
    context = trace_api::SetSpan(context, span);
    inject(
        [&](std::string_view name, std::string_view value) {
          std::string upper(name);
          for (char& c : upper) c = static_cast<char>(std::toupper(c));
          headers[upper] = value;
        },
        context);
    EXPECT_FALSE(headers.empty());
    const auto extracted = extract([&](std::string_view name) { return find_header(headers, name); });
    const auto found = trace_api::GetSpan(extracted)->GetContext();
    EXPECT_EQ(found.trace_id(), span->GetContext().trace_id()) << names.front();
    EXPECT_EQ(found.span_id(), span->GetContext().span_id()) << names.front();
    EXPECT_TRUE(found.IsSampled());
  }
}

TEST(Propagation, WhatTheApplicationsFunctionsThrowStaysThere) {
  propagation::GlobalTextMapPropagator::SetGlobalPropagator(
      std::shared_ptr<propagation::TextMapPropagator>(make_propagator({"tracecontext"})));
  extract([](std::string_view) -> std::string_view { throw std::runtime_error("theirs"); });
  inject([](std::string_view, std::string_view) { throw std::runtime_error("theirs"); });
}

TEST(Sampler, TheRatioIsKeptAndAgreesForOneTrace) {
  const telemetry::Sampler sampler("traceidratio", 0.25);
  const auto none = trace_api::SpanContext::GetInvalid();
  int sampled = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::uint8_t id[16];
    telemetry::make_trace_id(id);
    sampled += sampler.samples(id, none) ? 1 : 0;
    EXPECT_EQ(sampler.samples(id, none), sampler.samples(id, none));
  }
  EXPECT_NEAR(sampled, 10'000, 600);
}

TEST(Sampler, AParentDecidesForParentBasedSamplers) {
  const auto sampled = *parse_trace_context(good, "");
  const auto unsampled = *parse_trace_context(good.substr(0, 53) + "00", "");
  const std::uint8_t id[16] = {1};
  EXPECT_TRUE(telemetry::Sampler("parentbased_always_off", 1).samples(id, sampled));
  EXPECT_FALSE(telemetry::Sampler("parentbased_always_on", 1).samples(id, unsampled));
  EXPECT_FALSE(telemetry::Sampler("always_off", 1).samples(id, sampled));
  EXPECT_TRUE(telemetry::Sampler("always_on", 1).samples(id, unsampled));
}

}  // namespace
}  // namespace arca::test
