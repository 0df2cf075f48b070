//! Tests of the drivers and of what is logged. They need axum, TLS, a subscriber of `tracing` or a format of serde.

mod axum;
mod connect;
mod formats;
mod http2;
mod tls;
mod traced;
#[path = "../trust/mod.rs"]
mod trust;
