//! The statements that a client knows, each prepared at its first use and again after the server found it wrong.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{Instant, timeout_at};

use crate::abi::{IDEMPOTENT, SERIAL, Status};
use crate::lock;
use crate::outcome::{self, Failure};

const STATEMENTS_MAX: usize = 1_024;

/// Thread-safe.
pub struct Statement {
    pub text: String,
    pub flags: u32,
    /// Executed as it stands, and the schema awaited.
    pub is_ddl: bool,
    ready: Mutex<Option<Arc<PreparedStatement>>>,
    /// One task prepares; the others that need the statement wait for it and share its failure.
    preparing: tokio::sync::Mutex<Option<Failure>>,
    attempts: AtomicU64,
}

impl Statement {
    fn new(text: &str, flags: u32) -> Self {
        Statement {
            text: text.to_string(),
            flags,
            is_ddl: is_ddl(text),
            ready: Mutex::default(),
            preparing: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
        }
    }

    pub fn is_serial(&self) -> bool {
        self.flags & SERIAL != 0
    }

    pub fn is_idempotent(&self) -> bool {
        self.flags & IDEMPOTENT != 0 && !self.is_serial()
    }

    pub async fn prepared(&self, session: &Session, deadline: Instant) -> Result<Arc<PreparedStatement>, Failure> {
        if let Some(ready) = lock(&self.ready).clone() {
            return Ok(ready);
        }
        let seen = self.attempts.load(Ordering::Acquire);
        let late = |_| Failure::new(Status::TimedOut, "the statement could not be prepared in time");
        let mut failure = timeout_at(deadline, self.preparing.lock()).await.map_err(late)?;
        if let Some(ready) = lock(&self.ready).clone() {
            return Ok(ready);
        }
        // An attempt that began after this request came speaks for it as well: a hundred waiting ask once.
        if self.attempts.load(Ordering::Acquire) != seen
            && let Some(failure) = failure.clone()
        {
            return Err(failure);
        }
        self.attempts.fetch_add(1, Ordering::AcqRel);
        match timeout_at(deadline, session.prepare(self.text.as_str())).await.map_err(late)? {
            Ok(prepared) => {
                let ready = Arc::new(prepared);
                *lock(&self.ready) = Some(ready.clone());
                *failure = None;
                Ok(ready)
            }
            Err(error) => {
                let why = outcome::of_prepare(&error);
                *failure = Some(why.clone());
                Err(why)
            }
        }
    }

    /// The next use prepares anew. Leaves alone what somebody else has prepared since.
    pub fn forget(&self, used: &Arc<PreparedStatement>) {
        let mut ready = lock(&self.ready);
        if ready.as_ref().is_some_and(|current| Arc::ptr_eq(current, used)) {
            *ready = None;
        }
    }
}

/// Whether the server is to be asked with the text itself: it begins with one of four words and takes no values.
fn is_ddl(text: &str) -> bool {
    let word: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    let known = ["CREATE", "ALTER", "DROP", "USE"].iter().any(|ddl| word.eq_ignore_ascii_case(ddl));
    known && !has_marker(text)
}

/// A question mark or a colon before a name, outside quotes.
fn has_marker(text: &str) -> bool {
    let mut quote = None;
    let mut previous = ' ';
    for c in text.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '?' => return true,
            None if previous == ':' && (c.is_ascii_alphabetic() || c == '_') => return true,
            None => {}
        }
        previous = if quote.is_some() { ' ' } else { c };
    }
    false
}

/// Thread-safe.
#[derive(Default)]
pub struct Statements(RwLock<Vec<Arc<Statement>>>);

impl Statements {
    pub fn register(&self, text: &str, flags: u32) -> Result<u32, Failure> {
        if text.trim().is_empty() || flags & !(IDEMPOTENT | SERIAL) != 0 {
            return Err(Failure::new(Status::Usage, "an empty statement or unknown flags"));
        }
        let mut known = self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(number) = known.iter().position(|one| one.flags == flags && one.text == text) {
            return Ok(number as u32);
        }
        if known.len() == STATEMENTS_MAX {
            return Err(Failure::new(Status::Usage, format!("more than {STATEMENTS_MAX} statements")));
        }
        known.push(Arc::new(Statement::new(text, flags)));
        Ok(known.len() as u32 - 1)
    }

    pub fn get(&self, number: u32) -> Option<Arc<Statement>> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(number as usize).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::is_ddl;

    #[test]
    fn only_schema_texts_without_markers_go_unprepared() {
        assert!(is_ddl("  create table a.b (c text PRIMARY KEY) WITH x = {'class': 'Simple?'}"));
        assert!(is_ddl("USE \"k?\""));
        assert!(!is_ddl("CREATE ROLE r WITH PASSWORD = ?"));
        assert!(!is_ddl("DROP x :name"));
        assert!(!is_ddl("USERS"));
        assert!(!is_ddl("INSERT INTO a (b) VALUES (1)"));
    }
}
