//! Of the drivers, what needs axum, TLS or a subscriber of `tracing`.

mod axum;
mod tls;
mod traced;
