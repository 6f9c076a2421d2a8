#include "cassandra/closable_cql.hpp"

#include <exception>
#include <thread>
#include <utility>

namespace arca::cassandra {
namespace {

Answer not_sent(const char* why) {
  Answer answer;
  answer.outcome = Outcome::not_sent;
  answer.message = why;
  return answer;
}

// The callback is where it was if memory was short: nothing has been sent then.
void refuse_for_memory(const AnswerCallback& done) noexcept {
  if (done) done(not_sent(""));
}

}  // namespace

ClosableCql::ClosableCql(std::unique_ptr<Cql> inner) : inner_(std::move(inner)) {}

ClosableCql::~ClosableCql() { end(std::nullopt); }

void ClosableCql::close(base::SteadyTime deadline) noexcept { end(deadline); }

void ClosableCql::end(std::optional<base::SteadyTime> deadline) noexcept {
  std::shared_ptr<Cql> last;
  {
    const std::lock_guard lock(mutex_);
    last = std::move(inner_);
  }
  if (last == nullptr) return;
  // Calls take moments. None of them may be the last owner: it could be one of the inner's own callbacks.
  while (last.use_count() > 1) std::this_thread::yield();
  if (deadline) last->close(*deadline);
  last.reset();
}

void ClosableCql::set_schema_watch(std::function<void()> watch) {
  auto kept = std::make_shared<const std::function<void()>>(std::move(watch));
  const std::lock_guard lock(mutex_);
  watch_ = std::move(kept);
}

std::shared_ptr<Cql> ClosableCql::inner() const noexcept {
  const std::lock_guard lock(mutex_);
  return inner_;
}

AnswerCallback ClosableCql::watched(AnswerCallback done) const {
  std::shared_ptr<const std::function<void()>> watch;
  {
    const std::lock_guard lock(mutex_);
    watch = watch_;
  }
  if (watch == nullptr || !*watch) return done;
  return [watch = std::move(watch), done = std::move(done)](Answer answer) {
    if (answer.refusal == Refusal::schema) (*watch)();
    done(std::move(answer));
  };
}

Result<Statement> ClosableCql::statement(std::string_view text, StatementKind kind) {
  const auto present = inner();
  if (present == nullptr) return failure(ErrorCode::unavailable, "the connection to Cassandra is closed");
  return present->statement(text, kind);
}

void ClosableCql::execute(Request request, AnswerCallback done) noexcept {
  AnswerCallback callback;
  try {
    callback = watched(done);
  } catch (const std::exception&) {
    refuse_for_memory(done);
    return;
  }
  if (const auto present = inner()) {
    present->execute(std::move(request), std::move(callback));
  } else {
    done(not_sent("closed"));
  }
}

void ClosableCql::batch(Batch batch, AnswerCallback done) noexcept {
  AnswerCallback callback;
  try {
    callback = watched(done);
  } catch (const std::exception&) {
    refuse_for_memory(done);
    return;
  }
  if (const auto present = inner()) {
    present->batch(std::move(batch), std::move(callback));
  } else {
    done(not_sent("closed"));
  }
}

bool ClosableCql::has_window(std::uint64_t bytes) const noexcept {
  const auto present = inner();
  return present != nullptr && present->has_window(bytes);
}

ConnectionStatus ClosableCql::status() const {
  const auto present = inner();
  return present == nullptr ? ConnectionStatus{} : present->status();
}

}  // namespace arca::cassandra
