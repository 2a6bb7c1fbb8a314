//! Signatures for CloudWatch's own endpoint: SigV4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::Request;

/// The name under which CloudWatch's metrics endpoint checks signatures.
const SERVICE: &str = "monitoring";

/// How long before their end credentials are replaced.
const REFRESH_BEFORE: Duration = Duration::from_secs(120);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Signs requests, and keeps the credentials as long as they are good.
#[derive(Debug)]
pub(crate) struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    kept: Option<Credentials>,
}

impl Signer {
    pub(crate) fn new(provider: SharedCredentialsProvider, region: String) -> Self {
        Self { provider, region, kept: None }
    }

    /// Forgets the credentials: they were not accepted.
    pub(crate) fn forget(&mut self) {
        self.kept = None;
    }

    /// Adds the headers of the signature over everything else that is in `request`, and `body`.
    pub(crate) async fn sign<B>(
        &mut self,
        request: &mut Request<B>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), BoxError> {
        let identity = self.credentials(now).await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let uri = request.uri().to_string();
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str(), value)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            uri.as_str(),
            headers,
            SignableBody::Bytes(body),
        )?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    async fn credentials(&mut self, now: SystemTime) -> Result<Credentials, BoxError> {
        if let Some(kept) = &self.kept
            && kept.expiry().is_none_or(|end| end > now + REFRESH_BEFORE)
        {
            return Ok(kept.clone());
        }
        let fresh = self.provider.provide_credentials().await?;
        self.kept = Some(fresh.clone());
        Ok(fresh)
    }
}
