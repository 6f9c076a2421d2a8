// Laws of the record grammar: a walk sees exactly what was appended, and damage never takes it outside the range or
// makes it see records that were not there.
#include "model/record_grammar.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/varint.hpp"

namespace {

using namespace arca;
using model::ContextId;

// Builds ranges: `mark(7).record(3)` is a context mark and a record with three bytes of body.
class Range {
 public:
  Range& mark(ContextId context) {
    bytes_.push_back(model::context_mark);
    std::byte id[sizeof context];
    base::store(static_cast<std::byte*>(id), context);
    bytes_.insert(bytes_.end(), id, id + sizeof id);
    return *this;
  }
  Range& record(std::size_t size) {
    std::byte head[11]{};
    head[0] = model::record_tag;
    const std::byte* end = base::write_varint(head + 1, size);
    bytes_.insert(bytes_.end(), static_cast<const std::byte*>(head), end);
    bytes_.resize(bytes_.size() + size, std::byte{0x55});
    return *this;
  }
  Range& raw(std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.push_back(static_cast<std::byte>(byte));
    return *this;
  }
  std::vector<std::byte>& bytes() { return bytes_; }
  [[nodiscard]] model::Walk walk(ContextId context = model::no_context) const {
    return model::walk_records(bytes_, context);
  }

 private:
  std::vector<std::byte> bytes_;
};

TEST(RecordGrammar, AnEmptyRangeIsWholeAndHasNoRuns) {
  Range range;
  const auto walk = range.walk(3);
  EXPECT_TRUE(walk.whole(range.bytes()));
  EXPECT_TRUE(walk.runs.empty());
  EXPECT_EQ(walk.last_context, 3U);
}

TEST(RecordGrammar, RecordsWithoutAMarkBelongToTheGivenContext) {
  Range range;
  range.record(3).record(0);
  const auto walk = range.walk(9);
  ASSERT_EQ(walk.runs.size(), 1U);
  EXPECT_EQ(walk.runs[0].context, 9U);
  EXPECT_EQ(walk.runs[0].record_count, 2U);
  EXPECT_EQ(walk.runs[0].records.size(), range.bytes().size());
}

TEST(RecordGrammar, ARunEndsWhereTheContextChanges) {
  Range range;
  range.mark(1).record(2).record(300).mark(2).record(1).mark(1).record(5);
  const auto walk = range.walk();
  EXPECT_TRUE(walk.whole(range.bytes()));
  ASSERT_EQ(walk.runs.size(), 3U);
  EXPECT_EQ(walk.runs[0].context, 1U);
  EXPECT_EQ(walk.runs[0].record_count, 2U);
  EXPECT_EQ(walk.runs[0].records.size(), 4U + 303U);
  EXPECT_EQ(walk.runs[1].context, 2U);
  EXPECT_EQ(walk.runs[2].context, 1U);
  EXPECT_EQ(walk.last_context, 1U);
}

TEST(RecordGrammar, MarksWithoutRecordsMakeNoRun) {
  Range range;
  range.mark(1).mark(2).record(1).mark(3);
  const auto walk = range.walk();
  ASSERT_EQ(walk.runs.size(), 1U);
  EXPECT_EQ(walk.runs[0].context, 2U);
  EXPECT_EQ(walk.last_context, 3U);
}

TEST(RecordGrammar, ARecordBeforeAnyContextIsDamage) {
  Range range;
  range.record(1);
  EXPECT_EQ(range.walk().valid_size, 0U);
}

TEST(RecordGrammar, PaddedLengthsAreRead) {
  Range range;
  range.raw({0x12, 0x82, 0x80, 0x00, 0xAA, 0xBB}).record(1);
  const auto walk = range.walk(1);
  EXPECT_TRUE(walk.whole(range.bytes()));
  EXPECT_EQ(walk.runs.at(0).record_count, 2U);
}

TEST(RecordGrammar, ATornTailEndsTheWalkBehindTheLastWholeRecord) {
  Range range;
  range.mark(1).record(2);
  const std::size_t first = range.bytes().size();
  range.record(200).mark(2);
  const std::vector<std::byte> all = range.bytes();
  for (std::size_t size = 0; size < all.size(); ++size) {
    const auto walk = model::walk_records(base::Bytes(all).first(size), model::no_context);
    EXPECT_LE(walk.valid_size, size);
    const std::size_t whole_until =
        size < 5 ? 0 : (size < first ? 5 : (size < all.size() - 5 ? first : all.size() - 5));
    EXPECT_EQ(walk.valid_size, whole_until) << "cut at " << size;
  }
}

TEST(RecordGrammar, ALengthBeyondTheRangeIsDamage) {
  Range range;
  range.mark(1).raw({0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00});
  EXPECT_EQ(range.walk().valid_size, model::context_mark_size);
}

TEST(RecordGrammar, AnOverlongVarintIsDamage) {
  Range range;
  range.mark(1).raw({0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00});
  EXPECT_EQ(range.walk().valid_size, model::context_mark_size);
}

// Whatever a byte becomes, the runs stay inside the range, in order, and do not overlap.
TEST(RecordGrammar, DamageAtAnyByteNeverLeavesTheRange) {
  Range range;
  range.mark(1).record(2).record(130).mark(2).record(7).record(0).mark(1).record(40);
  const std::vector<std::byte> whole = range.bytes();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::vector<std::byte> damaged = whole;
      damaged[i] = static_cast<std::byte>(value);
      const auto walk = model::walk_records(damaged, model::no_context);
      ASSERT_LE(walk.valid_size, damaged.size());
      const std::byte* behind = damaged.data();
      for (const model::Run& run : walk.runs) {
        ASSERT_GE(run.records.data(), behind);
        ASSERT_NE(run.record_count, 0U);
        behind = run.records.data() + run.records.size();
      }
      ASSERT_LE(behind, damaged.data() + walk.valid_size);
    }
  }
}

// --- framing ---------------------------------------------------------------------------------------

std::string flatten(const model::FramedRequest& request) {
  std::string text;
  for (const base::Bytes slice : request.slices) text += base::as_text(slice);
  return text;
}

class Contexts {
 public:
  std::optional<model::ContextView> operator()(ContextId id) const {
    const auto found = views_.find(id);
    if (found == views_.end()) return std::nullopt;
    return model::ContextView{base::as_bytes(found->second.first), base::as_bytes(found->second.second)};
  }
  void add(ContextId id, std::string resource, std::string scope) {
    views_[id] = {std::move(resource), std::move(scope)};
  }

 private:
  std::map<ContextId, std::pair<std::string, std::string>> views_;
};

TEST(RecordGrammar, ARunIsFramedByItsResourceAndScope) {
  Range range;
  range.mark(1).record(1);
  Contexts contexts;
  contexts.add(1, "RR", "S");
  const auto request = model::frame_request(range.walk().runs, contexts);
  ASSERT_TRUE(request.has_value());
  // Request { 1: { "RR", 2: { "S", record } } }
  EXPECT_EQ(flatten(*request), std::string("\x0A\x08RR\x12\x04S\x12\x01\x55"));
}

TEST(RecordGrammar, NeighboursWithTheSameResourceShareIt) {
  Range range;
  range.mark(1).record(1).mark(2).record(1).mark(3).record(1);
  Contexts contexts;
  contexts.add(1, "R", "S");
  contexts.add(2, "R", "T");
  contexts.add(3, "Q", "T");
  const auto request = model::frame_request(range.walk().runs, contexts);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(flatten(*request), std::string("\x0A\x0DR\x12\x04S\x12\x01\x55\x12\x04T\x12\x01\x55"
                                           "\x0A\x07Q\x12\x04T\x12\x01\x55"));
}

TEST(RecordGrammar, AnUnknownContextCannotBeFramed) {
  Range range;
  range.mark(4).record(1);
  EXPECT_FALSE(model::frame_request(range.walk().runs, Contexts()).has_value());
}

TEST(RecordGrammar, TheRecordsOfAFramedRequestAreNotCopied) {
  Range range;
  range.mark(1).record(10);
  Contexts contexts;
  contexts.add(1, "R", "S");
  const auto walk = range.walk();
  const auto request = model::frame_request(walk.runs, contexts);
  ASSERT_EQ(request->slices.size(), 2U);
  EXPECT_EQ(request->slices[1].data(), walk.runs[0].records.data());
}

}  // namespace
