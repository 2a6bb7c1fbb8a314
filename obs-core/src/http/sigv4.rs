//! Signatures for AWS's own endpoints: SigV4. Feature `sigv4`.
//!
//! Types of the AWS SDK are in the interface of this module only: credentials providers, which are
//! what `SdkConfig::credentials_provider` returns. No client of the SDK comes with it.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::client::Request;
use crate::lane::error_chain;

/// How long before their end credentials are replaced.
const REFRESH_BEFORE: Duration = Duration::from_secs(120);

/// Signs requests, and keeps the credentials until two minutes before they end.
#[derive(Debug)]
pub struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    service: &'static str,
    kept: Option<Credentials>,
}

impl Signer {
    /// Signs for `service`, under the name that its endpoint checks: `monitoring` for CloudWatch's
    /// metrics, `xray` for traces.
    pub fn new(
        provider: SharedCredentialsProvider,
        region: impl Into<String>,
        service: &'static str,
    ) -> Self {
        Self { provider, region: region.into(), service, kept: None }
    }

    /// Forgets the credentials: they were not accepted.
    pub fn forget(&mut self) {
        self.kept = None;
    }

    /// Adds the headers of the signature over everything else that is in `request`, at this time.
    ///
    /// # Errors
    ///
    /// The provider gave no credentials, or a header is not text.
    pub async fn sign(&mut self, request: &mut Request, now: SystemTime) -> Result<(), SignError> {
        self.try_sign(request, now).await.map_err(|error| SignError(error_chain(error.as_ref())))
    }

    async fn try_sign(
        &mut self,
        request: &mut Request,
        now: SystemTime,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let identity = self.credentials(now).await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let Request { inner, body } = request;
        let uri = inner.uri().to_string();
        let headers = inner
            .headers()
            .iter()
            .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str(), value)));
        let signable = SignableRequest::new(
            inner.method().as_str(),
            uri.as_str(),
            headers,
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(inner);
        Ok(())
    }

    async fn credentials(
        &mut self,
        now: SystemTime,
    ) -> Result<Credentials, aws_credential_types::provider::error::CredentialsError> {
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

/// Why a request could not be signed.
#[derive(Clone, Debug)]
pub struct SignError(String);

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SignError {}
