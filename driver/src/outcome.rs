//! From the errors of the `scylla` crate to the statuses of the interface. The rule is: "nothing was sent" and "not
//! executed" are said only where the crate or the node says so; whatever is unclear has an unknown outcome.
use std::error::Error;
use std::fmt;

use scylla::errors::{
    BadQuery, BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind,
    DbError, ExecutionError, FrameHeaderParseError, MetadataError, MetadataFetchErrorKind, NewSessionError,
    NextPageError, NextRowError, PrepareError, RequestAttemptError, RequestError, SchemaAgreementError,
    UseKeyspaceError,
};
use scylla::frame::protocol_features::ProtocolFeatures;

use crate::abi::Status;

pub const NO_SERVER_CODE: i32 = -1;

#[derive(Clone, Debug)]
pub struct Failure {
    pub status: Status,
    pub server_code: i32,
    pub message: String,
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, server_code: NO_SERVER_CODE, message: message.into() }
    }

    fn of(status: Status, error: &dyn fmt::Display) -> Self {
        Failure::new(status, error.to_string())
    }

    /// Whether a prepared statement must not be trusted after this.
    pub fn forgets_statement(&self) -> bool {
        matches!(self.status, Status::Schema | Status::Invalid)
    }
}

/// More or fewer values than the statement has markers.
#[derive(Debug)]
pub struct ValueCount {
    pub expected: usize,
    pub given: usize,
}

impl fmt::Display for ValueCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the statement takes {} values, {} were given", self.expected, self.given)
    }
}

impl Error for ValueCount {}

pub fn of_execution(error: &ExecutionError) -> Failure {
    match error {
        ExecutionError::BadQuery(BadQuery::SerializationError(_)) | ExecutionError::BadQuery(_) => {
            Failure::of(Status::Usage, error)
        }
        ExecutionError::EmptyPlan => {
            Failure::new(Status::NotConnected, "no node is reachable, or none is in the local datacenter")
        }
        ExecutionError::PrepareError(error) => of_prepare(error),
        ExecutionError::ConnectionPoolError(error) => of_pool(error),
        ExecutionError::LastAttemptError(error) => of_attempt(error),
        ExecutionError::RequestTimeout(_) => Failure::of(Status::TimedOut, error),
        ExecutionError::UseKeyspaceError(UseKeyspaceError::RequestError(error)) => of_attempt(error),
        ExecutionError::UseKeyspaceError(UseKeyspaceError::BadKeyspaceName(_)) => Failure::of(Status::Usage, error),
        ExecutionError::SchemaAgreementError(SchemaAgreementError::Timeout(_)) => Failure::of(Status::TimedOut, error),
        ExecutionError::SchemaAgreementError(_) | ExecutionError::MetadataError(_) => {
            Failure::of(Status::ConnectionLost, error)
        }
        _ => Failure::of(Status::Server, error),
    }
}

pub fn of_prepare(error: &PrepareError) -> Failure {
    match error {
        PrepareError::ConnectionPoolError(error) => of_pool(error),
        PrepareError::AllAttemptsFailed { first_attempt } => match first_attempt {
            // Our texts are constants: what a server finds wrong about one is that its tables are not ours.
            RequestAttemptError::DbError(DbError::Invalid, _) => {
                Failure { status: Status::Schema, ..of_attempt(first_attempt) }
            }
            RequestAttemptError::BrokenConnectionError(_) => Failure::of(Status::NotConnected, error),
            _ => of_attempt(first_attempt),
        },
        _ => Failure::of(Status::Server, error),
    }
}

fn of_attempt(error: &RequestAttemptError) -> Failure {
    match error {
        RequestAttemptError::SerializationError(_) => Failure::of(Status::Usage, error),
        RequestAttemptError::CqlRequestSerialization(_) => Failure::of(Status::Invalid, error),
        RequestAttemptError::UnableToAllocStreamId => Failure::of(Status::Overloaded, error),
        RequestAttemptError::BrokenConnectionError(_) => Failure::of(Status::ConnectionLost, error),
        RequestAttemptError::DbError(kind, message) => of_server(kind, message),
        _ => Failure::of(Status::Server, error),
    }
}

fn of_server(error: &DbError, message: &str) -> Failure {
    let status = match error {
        DbError::Invalid | DbError::ConfigError if names_schema(message) => Status::Schema,
        DbError::SyntaxError | DbError::Invalid | DbError::ConfigError | DbError::ProtocolError => Status::Invalid,
        DbError::AlreadyExists { .. } => Status::Invalid,
        DbError::AuthenticationError | DbError::Unauthorized => Status::Authentication,
        DbError::Unavailable { .. } => Status::Unavailable,
        DbError::Overloaded | DbError::IsBootstrapping | DbError::RateLimitReached { .. } => Status::Overloaded,
        DbError::ReadTimeout { .. } => Status::ReadTimeout,
        DbError::WriteTimeout { .. } => Status::WriteTimeout,
        _ => Status::Server,
    };
    let server_code = match error {
        DbError::RateLimitReached { .. } => 0x1001, // its own number is negotiated for each connection
        other => other.code(&ProtocolFeatures::default()),
    };
    Failure { status, server_code, message: format!("{message} ({error})") }
}

/// How Cassandra says that a keyspace, table or column is not there; it has no number for that.
fn names_schema(message: &str) -> bool {
    let text = message.to_ascii_lowercase();
    let phrases = [
        "does not exist",
        "doesn't exist",
        "unconfigured table",
        "undefined column",
        "unknown identifier",
        "unknown keyspace",
        "unknown table",
        "cannot find",
    ];
    phrases.iter().any(|phrase| text.contains(phrase))
}

fn of_pool(error: &ConnectionPoolError) -> Failure {
    match error {
        ConnectionPoolError::Broken { last_connection_error } => of_connection(last_connection_error),
        _ => Failure::of(Status::NotConnected, error),
    }
}

fn of_connection(error: &ConnectionError) -> Failure {
    let setup = match error {
        ConnectionError::ConnectionSetupRequestError(request) => Some(request.get_error()),
        _ => None,
    };
    match setup {
        Some(ConnectionSetupRequestErrorKind::DbError(kind, message)) => {
            let failure = of_server(kind, message);
            let status = match failure.status {
                Status::Authentication => Status::Authentication,
                _ => Status::NotConnected, // nothing of ours was sent
            };
            Failure { status, ..failure }
        }
        Some(
            ConnectionSetupRequestErrorKind::MissingAuthentication
            | ConnectionSetupRequestErrorKind::StartAuthSessionError(_)
            | ConnectionSetupRequestErrorKind::AuthChallengeEvaluationError(_)
            | ConnectionSetupRequestErrorKind::AuthFinishError(_),
        ) => Failure::of(Status::Authentication, error),
        _ if is_tls(error) => Failure::of(Status::Tls, error),
        _ => Failure::of(Status::NotConnected, error),
    }
}

pub fn of_session(error: &NewSessionError) -> Failure {
    match error {
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(error)) => of_pool(error),
        NewSessionError::MetadataError(MetadataError::FetchError(fetch)) => {
            let status = match &fetch.error {
                MetadataFetchErrorKind::PrepareError(error) => of_attempt(error).status,
                MetadataFetchErrorKind::NextRowError(NextRowError::NextPageError(NextPageError::RequestFailure(
                    RequestError::LastAttemptError(error),
                ))) => of_attempt(error).status,
                _ => Status::NotConnected,
            };
            match status {
                Status::Authentication => Failure::of(status, error),
                _ if is_tls(error) => Failure::of(Status::Tls, error),
                _ => Failure::of(Status::NotConnected, error),
            }
        }
        NewSessionError::UseKeyspaceError(_) => Failure::of(Status::Schema, error),
        _ if is_tls(error) => Failure::of(Status::Tls, error),
        _ => Failure::of(Status::NotConnected, error),
    }
}

/// Whether TLS itself failed, rather than the connection under it. Walks the causes by type; the crate does not name all
/// of its causes as such.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<openssl::ssl::Error>() {
        return tls.code() == openssl::ssl::ErrorCode::SSL;
    }
    if error.is::<openssl::error::ErrorStack>() || error.is::<scylla::errors::TlsError>() {
        return true;
    }
    if let Some(connection) = error.downcast_ref::<ConnectionError>() {
        match connection {
            ConnectionError::IoError(io) => return is_tls(io.as_ref()),
            ConnectionError::BrokenConnection(broken) => return is_broken_by_tls(broken),
            ConnectionError::ConnectionSetupRequestError(setup) => {
                if let ConnectionSetupRequestErrorKind::BrokenConnection(broken) = setup.get_error() {
                    return is_broken_by_tls(broken);
                }
            }
            _ => {}
        }
    }
    if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        return is_tls(inner);
    }
    error.source().is_some_and(is_tls)
}

fn is_broken_by_tls(error: &scylla::errors::BrokenConnectionError) -> bool {
    match error.downcast_ref::<BrokenConnectionErrorKind>() {
        Some(BrokenConnectionErrorKind::WriteError(io)) => is_tls(io),
        Some(BrokenConnectionErrorKind::FrameHeaderParseError(
            FrameHeaderParseError::HeaderIoError(io) | FrameHeaderParseError::BodyChunkIoError(_, io),
        )) => is_tls(io),
        _ => false,
    }
}
