//! Several nodes and one truth: the rules in Redis beside the crate's own machines, simulated clusters, and real ones under
//! a thousand people while their nodes are killed and stopped, and Redis with them.
//!
//! `cargo test -p liveness-programs --test cluster`, where there is a `redis-server`: on Debian, `apt-get install redis-server`.

mod crowd;
mod faults;
mod lives;
mod model;
mod reading;
mod rules;
mod stage;
mod world;

use liveness_testing::raw_peer::PATIENCE;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};

/// To a Redis, beside the nodes. By itself the client gives an answer half a second.
async fn connect(client: &Client) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new();
    let config = config.set_response_timeout(Some(PATIENCE)).set_connection_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}
