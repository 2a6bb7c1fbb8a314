//! The road to X-Ray's API itself: HTTPS, signed. Feature `sampling-aws`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_types::SdkConfig;
use obs_core::http::sigv4::Signer;
use obs_core::http::{Answer, Body, Client, Endpoint, Headers, Request};
use tokio::runtime::{Builder, Runtime};

use super::CentralSampling;
use super::proxy::{MAX_BODY, Road, said};
use crate::error::Error;

/// How long a call may take, the look-up of credentials included.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The name that X-Ray's endpoint checks in signatures.
const SERVICE: &str = "xray";

impl CentralSampling {
    /// Asks X-Ray's API itself, over HTTPS with signatures, where there is no daemon: feature
    /// `sampling-aws`. Needs the permissions `xray:GetSamplingRules` and `xray:GetSamplingTargets`.
    ///
    /// Of `config` only region, credentials provider and endpoint are taken. They are checked when the
    /// tracer is built; credentials are looked up by the thread that asks, on a runtime of its own.
    pub fn aws(mut self, config: &SdkConfig) -> Self {
        self.aws = Some(Aws(Arc::new(config.clone())));
        self
    }
}

/// Where X-Ray is, and who asks.
#[derive(Clone)]
pub(super) struct Aws(Arc<SdkConfig>);

impl Aws {
    /// # Errors
    ///
    /// The configuration has no region, no credentials or no valid endpoint.
    pub(super) fn road(&self) -> Result<ApiRoad, Error> {
        let invalid = |why: &str| Error::invalid_sampling(format!("the SdkConfig {why}"));
        let region = self.0.region().ok_or_else(|| invalid("has no region: set AWS_REGION"))?;
        let credentials = self
            .0
            .credentials_provider()
            .ok_or_else(|| invalid("has no credentials: load it with aws-config"))?;
        let base = self.0.endpoint_url().map_or_else(|| address(region.as_ref()), str::to_owned);
        let endpoint = |path| Endpoint::below(&base, path).map_err(|fault| invalid(fault.fault()));
        let mut headers = Headers::new();
        headers
            .insert("content-type", "application/json")
            .map_err(|error| Error::invalid_sampling(error.to_string()))?;
        Ok(ApiRoad {
            rules: endpoint("/GetSamplingRules")?,
            targets: endpoint("/SamplingTargets")?,
            headers,
            signer: Signer::new(credentials, region.to_string(), SERVICE),
            link: None,
        })
    }
}

/// The public endpoint of a region.
fn address(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://xray.{region}.{suffix}")
}

/// One is like another if it is the same.
impl PartialEq for Aws {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Aws {}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.0.region()).finish_non_exhaustive()
    }
}

/// X-Ray's API.
pub(super) struct ApiRoad {
    rules: Endpoint,
    targets: Endpoint,
    headers: Headers,
    signer: Signer,
    /// Made by the first call, on the thread that calls: connections live on its runtime.
    link: Option<(Runtime, Client)>,
}

impl ApiRoad {
    fn link(&mut self) -> Result<(Runtime, Client), String> {
        if let Some(link) = self.link.take() {
            return Ok(link);
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let client = Client::to(&self.rules).map_err(|error| format!("no client: {error}"))?;
        Ok((runtime, client.max_answer_bytes(MAX_BODY)))
    }

    async fn exchange(
        &mut self,
        client: &Client,
        path: &str,
        body: &Body,
    ) -> Result<Answer, String> {
        let endpoint = if path.ends_with("Rules") { &self.rules } else { &self.targets };
        // Between two calls nobody looks after the connection: it may have ended unseen.
        let mut is_first = true;
        loop {
            let mut request = Request::post(endpoint, &self.headers, body);
            let signed = self.signer.sign(&mut request, SystemTime::now()).await;
            signed.map_err(|error| format!("not signed: {error}"))?;
            match client.send(request).await {
                Err(_) if is_first => is_first = false,
                answer => return answer.map_err(|error| error.to_string()),
            }
        }
    }
}

impl Road for ApiRoad {
    fn call(&mut self, path: &'static str, body: &[u8]) -> Result<Vec<u8>, String> {
        let (runtime, client) = self.link()?;
        let body = Body::from(body.to_vec());
        let exchange = self.exchange(&client, path, &body);
        let answer = runtime.block_on(async { tokio::time::timeout(CALL_TIMEOUT, exchange).await });
        self.link = Some((runtime, client));
        let answer = answer.map_err(|_| "no answer in time".to_owned())??;
        match answer.status() {
            200..=299 => Ok(answer.body().to_vec()),
            status => {
                if matches!(status, 401 | 403) {
                    // Perhaps they have been replaced before their end.
                    self.signer.forget();
                }
                Err(format!("status {status} {}", said(answer.body())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_types::region::Region;
    use serde_json::json;

    use super::super::tests::{self, Simulation};
    use super::*;

    fn config(region: Option<&'static str>, url: Option<&str>, credentials: bool) -> SdkConfig {
        let mut config = SdkConfig::builder();
        config.set_region(region.map(Region::new));
        config.set_endpoint_url(url.map(str::to_owned));
        if credentials {
            let credentials = Credentials::new("AKIDEXAMPLE", "hunter2", None, None, "test");
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(credentials)));
        }
        config.build()
    }

    #[test]
    fn the_endpoint_is_that_of_the_region() {
        for (region, url, expected) in [
            ("eu-west-1", None, "https://xray.eu-west-1.amazonaws.com/GetSamplingRules"),
            ("cn-north-1", None, "https://xray.cn-north-1.amazonaws.com.cn/GetSamplingRules"),
            ("eu-west-1", Some("http://127.0.0.1:9/x"), "http://127.0.0.1:9/x/GetSamplingRules"),
        ] {
            let road = Aws(Arc::new(config(Some(region), url, true))).road().unwrap();
            assert_eq!(road.rules.expose(), expected);
            assert_eq!(
                road.targets.expose(),
                expected.replace("GetSamplingRules", "SamplingTargets")
            );
        }
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused_when_the_tracer_is_built() {
        for (config, expected) in [
            (config(None, None, true), "region"),
            (config(Some("eu-west-1"), None, false), "credentials"),
            (config(Some("no region"), None, true), "address"),
            (config(Some("eu-west-1"), Some("ftp://x"), true), "scheme"),
        ] {
            let settings = CentralSampling::new().aws(&config);
            assert!(!format!("{settings:?}").contains("hunter2"));
            let error = settings.check().unwrap_err();
            assert!(error.is_invalid_sampling());
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn scenario_15_calls_are_signed_and_a_connection_that_ended_is_replaced() {
        let settings = |url: &str| Aws(Arc::new(config(Some("eu-west-1"), Some(url), true)));
        let mut simulation = Simulation::with_road(
            [tests::rule("Default", json!({"ReservoirSize": 9}))],
            |address| settings(&format!("http://{address}")).road().unwrap(),
        );
        simulation.api.expect_signature("/eu-west-1/xray/aws4_request");
        simulation.tick();
        assert_eq!(simulation.sampled(5), 1);
        // The server ends each connection after its answer.
        simulation.pass(10_500);
        simulation.sampled(5);
        simulation.pass(10_500);
        let status = simulation.status();
        assert_eq!((status.calls, status.failed, status.rules), (3, 0, 1), "{status}");
        assert_eq!(simulation.reports().len(), 2);
    }

    #[test]
    fn a_refusal_is_told() {
        let settings = |url: &str| Aws(Arc::new(config(Some("eu-west-1"), Some(url), true)));
        let mut simulation = Simulation::with_road([], |address| {
            settings(&format!("http://{address}")).road().unwrap()
        });
        simulation.api.fail([tests::Fault::Status(403)]);
        simulation.tick();
        let status = simulation.status();
        assert_eq!(status.failed, 1);
        assert!(status.last_failure.unwrap().contains("status 403 {\"message\":\"so it is\"}"));
    }
}
