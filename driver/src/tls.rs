//! TLS towards the nodes, by OpenSSL: who is trusted, and which certificate is shown.
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use scylla::client::session::TlsContext;

/// X509_V_ERR_IP_ADDRESS_MISMATCH: the driver has the node's address looked for in its certificate.
const ADDRESS_MISMATCH: i32 = 64;

pub struct TlsFiles {
    pub ca: String,
    pub certificate: String,
    pub key: String,
    pub skip_host_name_check: bool,
}

impl TlsFiles {
    pub fn is_empty(&self) -> bool {
        self.ca.is_empty() && self.certificate.is_empty() && self.key.is_empty()
    }

    /// Reads the files anew: certificates are renewed while the client lives, and the next session takes the new ones.
    pub fn context(&self) -> Result<TlsContext, String> {
        let fail = |what: &str, why: &dyn std::fmt::Display| format!("{what}: {why}");
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|e| fail("OpenSSL", &e))?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|e| fail("OpenSSL", &e))?;
        if !self.ca.is_empty() {
            // In place of the system's store, not beside it: who names an authority trusts no other.
            let pem = std::fs::read(&self.ca).map_err(|e| fail(&format!("ca_file {}", self.ca), &e))?;
            let authorities = X509::stack_from_pem(&pem).map_err(|e| fail(&format!("ca_file {}", self.ca), &e))?;
            if authorities.is_empty() {
                return Err(format!("ca_file {} holds no certificate", self.ca));
            }
            let mut store = X509StoreBuilder::new().map_err(|e| fail("OpenSSL", &e))?;
            for authority in authorities {
                store.add_cert(authority).map_err(|e| fail(&format!("ca_file {}", self.ca), &e))?;
            }
            builder.set_cert_store(store.build());
        }
        if self.certificate.is_empty() != self.key.is_empty() {
            return Err("client_certificate_file and client_key_file: both or none".to_string());
        }
        if !self.certificate.is_empty() {
            builder
                .set_certificate_chain_file(&self.certificate)
                .map_err(|e| fail(&format!("client_certificate_file {}", self.certificate), &e))?;
            builder
                .set_private_key_file(&self.key, SslFiletype::PEM)
                .map_err(|e| fail(&format!("client_key_file {}", self.key), &e))?;
            builder
                .check_private_key()
                .map_err(|e| fail("client_certificate_file and client_key_file do not belong together", &e))?;
        }
        if self.skip_host_name_check {
            builder.set_verify_callback(SslVerifyMode::PEER, |trusted, context| {
                if !trusted && context.error().as_raw() == ADDRESS_MISMATCH {
                    context.set_error(X509VerifyResult::OK);
                    return true;
                }
                trusted
            });
        }
        Ok(builder.into())
    }
}
