//! Credentials where no `SdkConfig` is given.

use std::sync::OnceLock;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Credentials, SharedCredentialsProvider, future,
};
use aws_types::region::Region;

/// The AWS SDK's default chain: the environment, profiles, web identity, ECS and EKS, EC2.
pub(super) fn default_chain(region: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Lazy { region: region.to_owned(), chain: OnceLock::new() })
}

/// Made at the first request, on the lane's own runtime.
#[derive(Debug)]
struct Lazy {
    region: String,
    chain: OnceLock<DefaultCredentialsChain>,
}

impl Lazy {
    async fn credentials(&self) -> Credentials {
        if let Some(chain) = self.chain.get() {
            return chain.provide_credentials().await;
        }
        let region = Region::new(self.region.clone());
        let chain = DefaultCredentialsChain::builder().region(region).build().await;
        self.chain.get_or_init(|| chain).provide_credentials().await
    }
}

impl ProvideCredentials for Lazy {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
