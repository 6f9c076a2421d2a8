//! One request on its way: what it carries, how it is executed, and the outcome that it always leaves behind.
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::SerializationError;
use scylla::serialize::batch::{BatchValues, BatchValuesIterator};
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement as Unprepared;
use scylla::statement::{Consistency, SerialConsistency};
use tokio::time::Instant as Deadline;

use crate::abi::{self, Status};
use crate::client::Shared;
use crate::outcome::{self, Failure, NO_SERVER_CODE, ValueCount};
use crate::queue::Outcome;
use crate::result::CqlResult;
use crate::retry::NextNode;
use crate::statement::Statement;

/// Values in the caller's memory, which stands until the completion has been taken.
#[derive(Clone, Copy)]
pub struct Values {
    pub pointer: *const abi::Value,
    pub count: usize,
}

unsafe impl Send for Values {}
unsafe impl Sync for Values {}

impl Values {
    pub fn as_slice(&self) -> &[abi::Value] {
        if self.count == 0 { &[] } else { unsafe { slice::from_raw_parts(self.pointer, self.count) } }
    }
}

/// A row whose values are in CQL's binary form already.
struct Row(Values);

impl SerializeRow for Row {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter,
    ) -> Result<(), SerializationError> {
        let expected = context.columns().len();
        if expected != self.0.count {
            return Err(SerializationError::new(ValueCount { expected, given: self.0.count }));
        }
        for value in self.0.as_slice() {
            let cell = writer.make_cell_writer();
            match value.size {
                -1 => cell.set_null(),
                -2 => cell.set_unset(),
                0 => cell.set_value(&[]).map_err(SerializationError::new)?,
                size => {
                    let bytes = unsafe { slice::from_raw_parts(value.data.cast::<u8>(), size as usize) };
                    cell.set_value(bytes).map_err(SerializationError::new)?
                }
            };
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.0.count == 0
    }
}

/// The rows of a batch, one behind the other.
#[derive(Clone, Copy)]
struct Rows {
    values: Values,
    per_row: usize,
    next: usize,
    count: usize,
}

impl BatchValues for Rows {
    type BatchValuesIter<'r> = Rows;

    fn batch_values_iter(&self) -> Rows {
        *self
    }
}

impl<'r> BatchValuesIterator<'r> for Rows {
    fn serialize_next(
        &mut self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter,
    ) -> Option<Result<(), SerializationError>> {
        let first = self.next * self.per_row;
        self.skip_next()?;
        let pointer = self.values.as_slice()[first..first + self.per_row].as_ptr();
        Some(Row(Values { pointer, count: self.per_row }).serialize(context, writer))
    }

    fn is_empty_next(&mut self) -> Option<bool> {
        self.skip_next().map(|()| self.per_row == 0)
    }

    fn skip_next(&mut self) -> Option<()> {
        (self.next < self.count).then(|| self.next += 1)
    }
}

/// Leaves exactly one outcome in the queue, also when the request's task panics or is given up.
pub struct Ticket {
    pub shared: Arc<Shared>,
    pub tag: u64,
    pub bytes: u64,
    pub begun: Instant,
    pub done: bool,
}

impl Ticket {
    pub fn finish(mut self, answer: Result<Option<Box<CqlResult>>, Failure>) {
        match answer {
            Ok(result) => self.push(Status::Ok, NO_SERVER_CODE, result),
            Err(failure) => {
                let message = CqlResult::message_only(&failure.message);
                self.push(failure.status, failure.server_code, Some(message));
            }
        }
    }

    fn push(&mut self, status: Status, server_code: i32, result: Option<Box<CqlResult>>) {
        self.done = true;
        let latency_ns = self.begun.elapsed().as_nanos() as u64;
        self.shared.queue.push(Outcome { tag: self.tag, status, server_code, latency_ns, result, bytes: self.bytes });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done {
            let status = if std::thread::panicking() { Status::Panic } else { Status::Closed };
            self.push(status, NO_SERVER_CODE, None);
        }
    }
}

pub struct Job {
    pub statement: Arc<Statement>,
    pub values: Values,
    pub consistency: Consistency,
    /// None: the statement takes none (a conditional one).
    pub timestamp_us: Option<i64>,
    pub kind: Kind,
}

pub enum Kind {
    Page { size: i32, state: Option<Vec<u8>> },
    Batch { values_per_row: usize, row_count: usize },
}

type Answer = (QueryResult, PagingStateResponse);

pub async fn run(shared: Arc<Shared>, job: Job) -> Result<Option<Box<CqlResult>>, Failure> {
    #[cfg(feature = "test-hooks")]
    crate::hooks::panic_if_asked(&job.statement.text, "request");
    let session = shared.link.session()?;
    let attempts = NextNode::default();
    let answer = if job.statement.is_ddl {
        run_text(&session, &job).await
    } else {
        run_prepared(&shared, &session, &job, &attempts).await
    };
    let (answer, paging) = answer.map_err(|failure| truthful(failure, &attempts))?;
    CqlResult::of_answer(answer, paging)
}

async fn run_text(session: &Session, job: &Job) -> Result<Answer, Failure> {
    if job.values.count != 0 {
        return Err(Failure::new(Status::Usage, "the statement takes no values"));
    }
    let mut text = Unprepared::new(job.statement.text.as_str());
    text.set_consistency(job.consistency);
    session.query_single_page(text, (), PagingState::start()).await.map_err(|error| outcome::of_execution(&error))
}

/// Once more, prepared anew, when the node knows the statement by another number: then it has executed nothing.
async fn run_prepared(shared: &Shared, session: &Session, job: &Job, attempts: &NextNode) -> Result<Answer, Failure> {
    let deadline = Deadline::now() + shared.config.request_timeout;
    let mut renewed = false;
    loop {
        let ready = job.statement.prepared(session, deadline).await?;
        let left = deadline.saturating_duration_since(Deadline::now());
        let sent = match job.kind {
            Kind::Page { .. } => send_one(session, job, &ready, left, attempts).await,
            Kind::Batch { values_per_row, row_count } => {
                let rows = Rows { values: job.values, per_row: values_per_row, next: 0, count: row_count };
                send_batch(session, job, &ready, rows, left, attempts).await
            }
        };
        let error = match sent {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let failure = outcome::of_execution(&error);
        let unknown_there = is_unprepared(&error);
        if failure.forgets_statement() || unknown_there {
            job.statement.forget(&ready);
        }
        if !unknown_there || renewed {
            return Err(failure);
        }
        renewed = true;
    }
}

/// Who agrees on a condition: those of our datacenter when the write itself is local, else all.
fn serial_of(consistency: Consistency) -> SerialConsistency {
    match consistency {
        Consistency::LocalQuorum | Consistency::LocalOne => SerialConsistency::LocalSerial,
        _ => SerialConsistency::Serial,
    }
}

async fn send_one(
    session: &Session,
    job: &Job,
    ready: &PreparedStatement,
    left: Duration,
    attempts: &NextNode,
) -> Result<Answer, ExecutionError> {
    let mut prepared = ready.clone();
    prepared.set_consistency(job.consistency);
    prepared.set_timestamp(job.timestamp_us);
    prepared.set_request_timeout(Some(left));
    if job.statement.is_serial() {
        prepared.set_serial_consistency(Some(serial_of(job.consistency)));
    }
    if job.statement.is_idempotent() {
        prepared.set_is_idempotent(true);
        prepared.set_retry_policy(Some(Arc::new(attempts.clone())));
    }
    let mut paging = PagingState::start();
    if let Kind::Page { size, state } = &job.kind {
        prepared.set_page_size(*size);
        if let Some(bytes) = state {
            paging = PagingState::new_from_raw_bytes(bytes.as_slice());
        }
    }
    session.execute_single_page(&prepared, Row(job.values), paging).await
}

async fn send_batch(
    session: &Session,
    job: &Job,
    ready: &PreparedStatement,
    rows: Rows,
    left: Duration,
    attempts: &NextNode,
) -> Result<Answer, ExecutionError> {
    let row_statement = BatchStatement::PreparedStatement(ready.clone());
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, vec![row_statement; rows.count]);
    batch.set_consistency(job.consistency);
    batch.set_timestamp(job.timestamp_us);
    batch.set_request_timeout(Some(left));
    if job.statement.is_serial() {
        batch.set_serial_consistency(Some(serial_of(job.consistency)));
    }
    if job.statement.is_idempotent() {
        batch.set_is_idempotent(true);
        batch.set_retry_policy(Some(Arc::new(attempts.clone())));
    }
    let answer = session.batch(&batch, rows).await?;
    Ok((answer, PagingStateResponse::NoMorePages))
}

fn is_unprepared(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::LastAttemptError(
            RequestAttemptError::RepreparedIdChanged { .. }
                | RequestAttemptError::RepreparedIdMissingInBatch
                | RequestAttemptError::DbError(DbError::Unprepared { .. }, _)
        )
    )
}

/// What the last attempt says of itself is not true of the request when an attempt before may have been executed.
fn truthful(failure: Failure, attempts: &NextNode) -> Failure {
    let innocent = matches!(failure.status, Status::NotConnected | Status::Unavailable | Status::Overloaded);
    if innocent && attempts.ambiguous() {
        return Failure { status: Status::ConnectionLost, ..failure };
    }
    failure
}

#[cfg(test)]
mod tests {
    use scylla::policies::retry::RetryPolicy;

    use super::*;

    #[test]
    fn nothing_was_sent_is_not_said_after_an_attempt_that_may_have_been_executed() {
        let refused = |status| Failure::new(status, "the last node");
        let attempts = NextNode::default();
        assert_eq!(truthful(refused(Status::NotConnected), &attempts).status, Status::NotConnected);
        attempts.note_ambiguous();
        let _another_session = attempts.new_session();
        for status in [Status::NotConnected, Status::Unavailable, Status::Overloaded] {
            assert_eq!(truthful(refused(status), &attempts).status, Status::ConnectionLost);
        }
        assert_eq!(truthful(refused(Status::WriteTimeout), &attempts).status, Status::WriteTimeout);
    }
}
