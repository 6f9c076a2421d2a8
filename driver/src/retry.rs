//! When a request is sent again by the driver itself, to another node: only statements that may be repeated, and only when
//! the node gave no verdict on the data. Time-outs of the server are the caller's to repeat, with its backoff.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scylla::errors::{DbError, RequestAttemptError};
use scylla::policies::retry::{RequestInfo, RetryDecision, RetryPolicy, RetrySession};

/// Of one request: remembers whether an attempt may have been executed, for a last attempt that says "nothing was sent".
#[derive(Debug, Default, Clone)]
pub struct NextNode {
    ambiguous: Arc<AtomicBool>,
}

impl NextNode {
    pub fn ambiguous(&self) -> bool {
        self.ambiguous.load(Ordering::Relaxed)
    }

    pub fn note_ambiguous(&self) {
        self.ambiguous.store(true, Ordering::Relaxed);
    }
}

impl RetryPolicy for NextNode {
    fn new_session(&self) -> Box<dyn RetrySession> {
        Box::new(self.clone())
    }
}

impl RetrySession for NextNode {
    fn decide_should_retry(&mut self, request: RequestInfo) -> RetryDecision {
        match request.error {
            RequestAttemptError::BrokenConnectionError(_) | RequestAttemptError::DbError(DbError::ServerError, _) => {
                self.note_ambiguous();
                RetryDecision::RetryNextTarget(None)
            }
            RequestAttemptError::UnableToAllocStreamId
            | RequestAttemptError::DbError(DbError::Overloaded | DbError::IsBootstrapping, _) => {
                RetryDecision::RetryNextTarget(None)
            }
            _ => RetryDecision::DontRetry,
        }
    }

    fn reset(&mut self) {}
}
