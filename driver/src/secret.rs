//! The user's password: wiped when it goes, never printed, and handed to a node only when the node asks for it (that
//! answer is the crate's, which does not wipe it).
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};

use async_trait::async_trait;
use scylla::authentication::{AuthError, AuthenticatorProvider, AuthenticatorSession};

/// Bytes that are overwritten before their memory is given back. Has no Debug on purpose.
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn new(bytes: &[u8]) -> Self {
        Secret(bytes.to_vec())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        for byte in self.0.iter_mut() {
            // Volatile: a plain store to memory about to be freed may be left out.
            unsafe { std::ptr::write_volatile(byte, 0) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

pub struct Credentials {
    pub user: Secret,
    pub password: Secret,
}

/// SASL PLAIN, as Cassandra's PasswordAuthenticator expects it. The driver's own keeps the password in plain strings.
pub struct PlainAuthenticator(pub Arc<Credentials>);

struct PlainSession;

#[async_trait]
impl AuthenticatorSession for PlainSession {
    async fn evaluate_challenge(&mut self, _: Option<&[u8]>) -> Result<Option<Vec<u8>>, AuthError> {
        Err("the server asks for more than user and password".to_string())
    }

    async fn success(&mut self, _: Option<&[u8]>) -> Result<(), AuthError> {
        Ok(())
    }
}

#[async_trait]
impl AuthenticatorProvider for PlainAuthenticator {
    async fn start_authentication_session(
        &self,
        _: &str,
    ) -> Result<(Option<Vec<u8>>, Box<dyn AuthenticatorSession>), AuthError> {
        let (user, password) = (&self.0.user.0, &self.0.password.0);
        let mut response = Vec::with_capacity(user.len() + password.len() + 2);
        response.push(0);
        response.extend_from_slice(user);
        response.push(0);
        response.extend_from_slice(password);
        Ok((Some(response), Box::new(PlainSession)))
    }
}
