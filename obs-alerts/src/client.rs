//! The client that alerts go out by: made on the lane's own runtime, at the first alert.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::IdentityCache;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;

/// A connection that is not there after this time will not be there soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the client comes from, and then the client.
#[derive(Debug)]
pub(crate) enum Connection {
    /// It is made of this configuration; without one, of what the environment says.
    Planned(Option<Box<SdkConfig>>),
    Made(Client),
}

impl Connection {
    /// The client, which is made at the first call. That must be on the lane's runtime: connections
    /// are served by the runtime on which they are made, and stop when it does.
    pub(crate) async fn client(&mut self) -> Client {
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

    /// Forgets a client that the environment gave without a region: it may know one the next time.
    pub(crate) fn forget_if_useless(&mut self) {
        if let Connection::Made(client) = self
            && client.config().region().is_none()
        {
            *self = Connection::Planned(None);
        }
    }
}

/// Takes region, credentials, endpoint and application name from `config`, and nothing that may be
/// bound to the runtime it was made for: HTTP client, sleep, cached identities.
fn client_of(config: &SdkConfig) -> Client {
    let mut builder = aws_sdk_eventbridge::config::Builder::from(config);
    builder.set_http_client(None);
    builder.set_sleep_impl(None);
    Client::from_conf(
        builder
            .behavior_version(BehaviorVersion::latest())
            .identity_cache(IdentityCache::lazy().build())
            // One retry policy, ours: it knows the entries, the deadline and the freeze.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .build(),
    )
}
