//! A server that calls itself `localhost`, and a client that trusts its certificate.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A self-signed certificate for `localhost` that is valid until 2126, and its key. They were made by
///
/// ```text
/// openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out localhost.key.pem
/// openssl req -x509 -new -key localhost.key.pem -days 36500 -subj /CN=localhost -out localhost.crt.pem \
///     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
/// ```
const CERTIFICATE: &[u8] = include_bytes!("localhost.crt.pem");
const KEY: &[u8] = include_bytes!("localhost.key.pem");

/// Both ends' settings.
pub(crate) fn trust() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
