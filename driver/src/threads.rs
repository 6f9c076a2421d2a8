//! The client's threads: named, with small stacks, deaf to signals, their panics counted and logged.
use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::panic;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::log::Log;

/// Address space, of which connecting over TLS touches 190 KiB. A build without optimisation needs ten times as much.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
/// Threads for looking up names, ended after this without work.
const LOOKUP_THREADS_MAX: usize = 2;
const LOOKUP_THREAD_IDLE: Duration = Duration::from_secs(2);

/// Where the panics of one client's threads are counted and told.
pub struct Panics {
    pub count: AtomicU64,
    pub log: Log,
}

thread_local! {
    static PANICS: RefCell<Option<Arc<Panics>>> = const { RefCell::new(None) };
}

/// This library has a standard library of its own: the hook is nobody else's.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let _ = PANICS.try_with(|panics| {
                if let Ok(panics) = panics.try_borrow()
                    && let Some(panics) = panics.as_ref()
                {
                    panics.count.fetch_add(1, Ordering::Relaxed);
                    panics.log.error(&format!("panic in the Cassandra driver: {info}"));
                }
            });
        }));
    });
}

/// Blocks every signal but those of faults while it lives; threads started meanwhile inherit that.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> Self {
        let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        unsafe {
            libc::sigfillset(blocked.as_mut_ptr());
            let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT];
            for fault in faults {
                libc::sigdelset(blocked.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
            SignalsBlocked(before.assume_init())
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// The runtime starts its threads here, and panics when the system gives none: the caller catches that.
pub fn start(worker_threads: usize, panics: &Arc<Panics>) -> io::Result<Runtime> {
    install_panic_hook();
    let _blocked = SignalsBlocked::new();
    let number = AtomicUsize::new(0);
    let panics = panics.clone();
    Builder::new_multi_thread()
        .worker_threads(worker_threads)
        .max_blocking_threads(LOOKUP_THREADS_MAX)
        .thread_keep_alive(LOOKUP_THREAD_IDLE)
        .thread_stack_size(STACK_BYTES)
        .thread_name_fn(move || format!("arca-cql-{}", number.fetch_add(1, Ordering::Relaxed)))
        .on_thread_start(move || PANICS.with(|mine| *mine.borrow_mut() = Some(panics.clone())))
        .enable_io()
        .enable_time()
        .build()
}
