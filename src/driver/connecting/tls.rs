//! TLS with the system's certificates.

use std::boxed::Box;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::{ConnectError, Tls};

/// One config for the whole process, because making it reads the system's certificates, and because its sessions can be
/// resumed.
pub(super) fn of_the_system() -> Result<Tls, ConnectError> {
    static MADE: OnceLock<Tls> = OnceLock::new();
    if let Some(tls) = MADE.get() {
        return Ok(Arc::clone(tls));
    }
    let tls = make(provider()?).map_err(|error| ConnectError::Tls(Box::new(error)))?;
    Ok(Arc::clone(MADE.get_or_init(|| tls)))
}

fn make(provider: Arc<CryptoProvider>) -> Result<Tls, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_platform_verifier()?.with_no_client_auth()))
}

/// The provider that the program has installed comes first. A library that installs one takes the choice from the rest of
/// the program.
fn provider() -> Result<Arc<CryptoProvider>, ConnectError> {
    if let Some(provider) = CryptoProvider::get_default() {
        return Ok(Arc::clone(provider));
    }
    #[cfg(feature = "rustls-ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(feature = "rustls-ring"))]
    return Err(ConnectError::NoTls(
        "TLS needs a provider of cryptography: call `rustls::crypto::ring::default_provider().install_default()` (or \
         `aws_lc_rs`) at the start of the program, or build the crate `liveness` with its feature `rustls-ring`",
    ));
}
