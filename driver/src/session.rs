//! The session with the cluster: made in the background, again and again until it stands; made anew when it lost every
//! node for a while, because the crate's own attempts become rare (up to 11 s apart) and can hang in a TLS hand-shake.
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime};

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::client::{PoolSize, SelfIdentity};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use tokio::time::{sleep, timeout};

use crate::abi::Status;
use crate::client::Shared;
use crate::lock;
use crate::options::Config;
use crate::outcome::{self, Failure};
use crate::secret::PlainAuthenticator;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// A session without any node for so long is not waited for any more.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// Thread-safe.
pub struct Link {
    session: RwLock<Option<Arc<Session>>>,
    last: Mutex<Failure>,
}

impl Default for Link {
    fn default() -> Self {
        let not_yet = Failure::new(Status::NotConnected, "not connected yet");
        Link { session: RwLock::default(), last: Mutex::new(not_yet) }
    }
}

impl Link {
    /// The session, or why there is none.
    pub fn session(&self) -> Result<Arc<Session>, Failure> {
        match self.current() {
            Some(session) => Ok(session),
            None => Err(self.last()),
        }
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.session.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn replace(&self, session: Option<Arc<Session>>) {
        *self.session.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = session;
    }

    /// Of the last attempt to connect: Status::Ok and no text when it succeeded.
    pub fn last(&self) -> Failure {
        lock(&self.last).clone()
    }

    /// The one whose nodes are asked; empty while there is no session.
    pub fn datacenter(&self, configured: Option<&str>) -> String {
        self.current().and_then(|session| datacenter_of(&session, configured).ok()).unwrap_or_default()
    }

    /// Known nodes, and how many of them are reachable.
    pub fn nodes(&self) -> (usize, usize) {
        self.current().map_or((0, 0), |session| count_nodes(&session))
    }
}

fn count_nodes(session: &Session) -> (usize, usize) {
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info();
    (nodes.len(), nodes.iter().filter(|node| node.is_connected()).count())
}

/// The datacenter whose nodes are asked. A local consistency counts replicas there, so what it acknowledges is read for
/// sure only there: which one it is must be certain, for as long as the session lives.
fn datacenter_of(session: &Session, configured: Option<&str>) -> Result<String, Failure> {
    let state = session.get_cluster_state();
    let there: BTreeSet<&str> = state.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
    let names = || there.iter().copied().collect::<Vec<_>>().join(", ");
    match configured {
        Some(name) if there.is_empty() || there.contains(name) => Ok(name.to_string()),
        Some(name) => {
            let why = format!("no node is in the datacenter {name} of local_datacenter; there are {}", names());
            Err(Failure::new(Status::NotConnected, why))
        }
        None if there.len() > 1 => {
            let why =
                format!("the cluster has the datacenters {}: set local_datacenter to the one of this host", names());
            Err(Failure::new(Status::NotConnected, why))
        }
        None => Ok(there.first().copied().unwrap_or_default().to_string()),
    }
}

/// A cluster behind translated addresses or ports looks so: whoever configured it must learn which ones it names.
fn unreached(session: &Session) -> String {
    let state = session.get_cluster_state();
    let named: Vec<String> = state.get_nodes_info().iter().take(3).map(|node| node.address.to_string()).collect();
    format!("a contact point answers, but no node can be reached where it says that they are: {}", named.join(", "))
}

/// Runs for as long as the client lives: a panic in it, in the crate or a callback of its, begins it anew.
pub async fn supervise(shared: Arc<Shared>) {
    let mut wait = FIRST_WAIT;
    loop {
        let begun = Instant::now();
        match tokio::spawn(keep_connected(shared.clone())).await {
            Err(error) if error.is_panic() => {}
            _ => return, // given up by close
        }
        note(&shared, &Failure::new(Status::Panic, "the supervision of the session panicked and begins anew"));
        wait = if begun.elapsed() > shared.config.reconnect_max { FIRST_WAIT } else { wait };
        sleep(with_jitter(wait)).await;
        wait = (wait * 2).min(shared.config.reconnect_max);
    }
}

async fn keep_connected(shared: Arc<Shared>) {
    let mut wait = FIRST_WAIT;
    let mut panics_seen = shared.panics.count.load(Ordering::Relaxed);
    loop {
        #[cfg(feature = "test-hooks")]
        crate::hooks::panic_at_first(&shared.config.contact_points, panics_seen);
        let keyspace = shared.link.current().and_then(|old| old.get_keyspace());
        let limit = attempt_limit(&shared.config);
        let attempt = match timeout(limit, connect(&shared.config, keyspace)).await {
            Ok(attempt) => attempt,
            Err(_) => {
                Err(Failure::new(Status::NotConnected, format!("no node answered within {} ms", limit.as_millis())))
            }
        };
        match attempt {
            Ok(session) => {
                let (known, up) = count_nodes(&session);
                shared.link.replace(Some(Arc::new(session)));
                if up > 0 {
                    note(&shared, &Failure::new(Status::Ok, ""));
                    shared.config.log.info(&format!("connected to Cassandra: {up} of {known} nodes"));
                } // else watch() tells how that ends
            }
            Err(failure) => note(&shared, &failure),
        }
        if watch(&shared, &mut panics_seen).await {
            wait = FIRST_WAIT;
        }
        sleep(with_jitter(wait)).await;
        wait = (wait * 2).min(shared.config.reconnect_max);
    }
}

/// Returns when the session has lost every node, when the cluster has grown a second datacenter and nobody has said which
/// is ours, or when a panic has made the session suspect; true if it had a node before.
async fn watch(shared: &Shared, panics_seen: &mut u64) -> bool {
    let Some(session) = shared.link.current() else {
        return false;
    };
    let mut seen_up = false;
    let mut last_up = Instant::now();
    loop {
        if let Err(failure) = datacenter_of(&session, shared.config.local_datacenter.as_deref()) {
            shared.link.replace(None);
            note(shared, &failure);
            return false;
        }
        if count_nodes(&session).1 > 0 {
            if !seen_up && shared.link.last().status != Status::Ok {
                note(shared, &Failure::new(Status::Ok, "")); // it came back by itself
            }
            seen_up = true;
            last_up = Instant::now();
        } else if last_up.elapsed() >= LOST_AFTER {
            let why = if seen_up { "no node is reachable any more".to_string() } else { unreached(&session) };
            note(shared, &Failure::new(Status::NotConnected, why));
            return seen_up;
        }
        let panics = shared.panics.count.load(Ordering::Relaxed);
        if panics != *panics_seen {
            *panics_seen = panics;
            return false; // the wait before the next attempt keeps growing: a panic at each request is no storm
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Remembers the outcome of an attempt and logs it when it is not that of the one before.
fn note(shared: &Shared, outcome: &Failure) {
    let mut last = lock(&shared.link.last);
    if outcome.status != Status::Ok && (last.status != outcome.status || last.message != outcome.message) {
        shared.config.log.warn(&format!("Cassandra is not reachable: {}", outcome.message));
    }
    *last = outcome.clone();
}

/// Every contact point may be silent, and the session asks one after the other.
fn attempt_limit(config: &Config) -> Duration {
    let silence = config.keepalive_interval + config.keepalive_timeout;
    (config.connect_timeout + silence) * (config.contact_points.len() as u32 + 1)
}

/// Up to a quarter less, so that a fleet does not come back in step. Needs no good randomness.
fn with_jitter(wait: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait - wait.mul_f64(0.25 * f64::from(nanos % 1_000) / 1_000.0)
}

async fn connect(config: &Config, keyspace: Option<Arc<String>>) -> Result<Session, Failure> {
    let mut policy = DefaultPolicy::builder();
    if let Some(datacenter) = &config.local_datacenter {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    let profile = ExecutionProfile::builder()
        .load_balancing_policy(policy.build())
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
        .serial_consistency(None)
        .request_timeout(Some(config.request_timeout))
        .build();
    let per_host = NonZeroUsize::new(config.connections_per_host).unwrap_or(NonZeroUsize::MIN);
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.contact_points)
        .default_execution_profile_handle(profile.into_handle())
        .pool_size(PoolSize::PerHost(per_host))
        .disallow_shard_aware_port(true)
        .connection_timeout(config.connect_timeout)
        .keepalive_interval(config.keepalive_interval)
        .keepalive_timeout(config.keepalive_timeout)
        .tcp_keepalive_interval(config.keepalive_interval.max(Duration::from_secs(1)))
        .hostname_resolution_timeout(Some(config.connect_timeout))
        .schema_agreement_timeout(config.request_timeout)
        .metadata_request_clientside_timeout(config.request_timeout)
        .fetch_full_schema_metadata(false) // keyspaces suffice to find the replicas of a partition
        .driver_config_reporting(false)
        .custom_identity(SelfIdentity::new().with_application_name("arca"));
    if let Some(credentials) = &config.credentials {
        builder = builder.authenticator_provider(Arc::new(PlainAuthenticator(credentials.clone())));
    }
    if let Some(files) = &config.tls {
        let context = files.context().map_err(|why| Failure::new(Status::Tls, why))?;
        builder = builder.tls_context(Some(context));
    }
    if let Some(keyspace) = keyspace {
        builder = builder.use_keyspace(keyspace.as_str(), true);
    }
    let session = builder.build().await.map_err(|error| outcome::of_session(&error))?;
    datacenter_of(&session, config.local_datacenter.as_deref())?;
    Ok(session)
}
