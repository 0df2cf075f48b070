//! What the example servers need, although none of them is about it: flags and output lines, which the recipes have too,
//! and tungstenite's settings.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "for the servers beside it, and for nobody else"
)]

pub mod nonblocking;

use std::sync::Arc;

pub use liveness_flags::{ANY, Args, Failure, cannot_listen, complain, flood, print};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

pub const MIB: usize = 1 << 20;

/// The server side of TLS that `--tls` asks for.
pub fn tls(args: &Args) -> Result<Option<Arc<ServerConfig>>, String> {
    let Some([certificates, key]) = args.tls.as_deref() else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
    let chain = chain.map_err(|error| format!("{}: {error}", certificates.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    config.map(|config| Some(Arc::new(config))).map_err(|error| error.to_string())
}

/// The WebSocket's own settings: frames and messages of up to 64 MiB, and a read buffer for many idle clients.
/// tungstenite's default of 128 KiB fits a few busy ones.
pub fn limits() -> WebSocketConfig {
    let limit = Some(64 * MIB);
    WebSocketConfig::default().max_message_size(limit).max_frame_size(limit).read_buffer_size(16 * 1024)
}

/// The frames of a `flood`: a message for each 64 MiB, in fragments. A ping may go between two fragments (RFC 6455 5.4),
/// and a slow reader does not make us hold much.
pub fn fragments(bytes: u64) -> impl Iterator<Item = Message> {
    const PART: u64 = 64 * 1024;
    /// Fragments in one message.
    const PARTS: u64 = 1024;
    let parts = bytes.div_ceil(PART);
    (0..parts).map(move |index| {
        let size = usize::try_from(PART.min(bytes - index * PART)).unwrap_or(0);
        let (first, last) = (index % PARTS == 0, (index + 1) % PARTS == 0 || index + 1 == parts);
        let opcode = OpCode::Data(if first { Data::Binary } else { Data::Continue });
        Message::Frame(Frame::message(vec![0; size], opcode, last))
    })
}
