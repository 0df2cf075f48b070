//! Tests of the cluster: the rules in Redis compared with the crate's own machines, simulated clusters, and real clusters
//! with a thousand people, whose nodes and Redis are killed and stopped.
//!
//! Run `cargo test -p liveness-programs --test cluster`. It needs `redis-server`: on Debian, `apt-get install
//! redis-server`.

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

/// A connection to Redis, beside those of the nodes. By default the client waits half a second for an answer.
async fn connect(client: &Client) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new();
    let config = config.set_response_timeout(Some(PATIENCE)).set_connection_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}
