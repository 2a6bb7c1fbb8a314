//! The client that metrics go out by: made on the lane's own runtime, at the first delivery.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::IdentityCache;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;

/// A connection that is not there after this time will not be there soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Bodies of this size and more are compressed. Below it they fit into a packet or two as they are;
/// a body repeats its keys and dimensions and shrinks to a fraction.
const MIN_COMPRESSED_BYTES: u32 = 2 * 1024;

/// Where the client comes from, and then the client.
#[derive(Debug)]
pub(super) enum Connection {
    /// It is made of this configuration; without one, of what the environment says.
    Planned(Option<Box<SdkConfig>>),
    Made(Client),
}

impl Connection {
    /// The client, which is made at the first call. That must be on the lane's runtime: connections
    /// are served by the runtime on which they are made, and stop when it does.
    pub(super) async fn client(&mut self) -> Client {
        let client = match self {
            Connection::Made(client) => return client.clone(),
            Connection::Planned(Some(config)) => client_of(config),
            Connection::Planned(None) => {
                let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
                client_of(&config)
            }
        };
        *self = Connection::Made(client.clone());
        client
    }

    /// Forgets a client that the environment gave without a region, and says whether it was one: the
    /// environment may know a region the next time.
    pub(super) fn forget_if_useless(&mut self) -> bool {
        if let Connection::Made(client) = self
            && client.config().region().is_none()
        {
            *self = Connection::Planned(None);
            return true;
        }
        false
    }
}

/// Takes region, credentials, endpoint, compression and application name from `config`, and nothing
/// that may be bound to the runtime it was made for: HTTP client, sleep, cached identities.
fn client_of(config: &SdkConfig) -> Client {
    let mut builder = aws_sdk_cloudwatch::config::Builder::from(config);
    builder.set_http_client(None);
    builder.set_sleep_impl(None);
    if config.request_min_compression_size_bytes().is_none() {
        builder.set_request_min_compression_size_bytes(Some(MIN_COMPRESSED_BYTES));
    }
    Client::from_conf(
        builder
            .behavior_version(BehaviorVersion::latest())
            .identity_cache(IdentityCache::lazy().build())
            // One retry policy, ours: it knows the halves, the deadline and the freeze.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .build(),
    )
}
