//! What the process runs on, by opentelemetry-aws's detectors. Feature `detectors`.
//!
//! Those for ECS, EKS and EC2 make HTTP calls to metadata services, each up to a second. So they run
//! on a thread of their own, and never in Lambda, where the environment says it all.

use std::borrow::Cow;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::env;
use opentelemetry::{Array, Value};
use opentelemetry_aws::detector::{
    Ec2ResourceDetector, EcsResourceDetector, EksResourceDetector, LambdaResourceDetector,
};
use opentelemetry_sdk::resource::ResourceDetector;
use tracing_core::dispatcher::{Dispatch, with_default};

use super::{Resource, ResourceValue};

/// How long the first spans wait for the detectors. After that they leave, and later ones have what
/// was found.
const PATIENCE: Duration = Duration::from_secs(4);
/// Where Kubernetes tells a pod its namespace.
const KUBERNETES: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// What Lambda's environment says. No calls.
pub(super) fn lambda() -> Resource {
    found_by(&LambdaResourceDetector)
}

/// What is being found out.
#[derive(Debug)]
pub(super) struct Pending {
    results: Receiver<Resource>,
    until: Instant,
    is_over: bool,
}

impl Pending {
    /// Begins. `None` where the system refuses a thread.
    pub(super) fn start() -> Option<Self> {
        let (send, results) = sync_channel(1);
        let detecting = move || {
            // Nobody wants to see it in the application's traces and logs.
            let found = with_default(&Dispatch::none(), detected);
            // Who asked may be gone.
            let _ = send.send(found);
        };
        thread::Builder::new().name("obs-detect".to_owned()).spawn(detecting).ok()?;
        Some(Self { results, until: Instant::now() + PATIENCE, is_over: false })
    }

    /// What was found, once. Waits until the patience that all have together is over; where somebody
    /// waits until `deadline`, half of that time at most.
    pub(super) fn found(&mut self, deadline: Option<Instant>) -> Option<Resource> {
        let now = Instant::now();
        let mut wait = self.until.saturating_duration_since(now);
        if let Some(deadline) = deadline {
            wait = wait.min(deadline.saturating_duration_since(now) / 2);
        }
        match self.results.recv_timeout(wait) {
            Ok(found) => {
                self.is_over = true;
                Some(found)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.is_over = true;
                None
            }
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

/// The first platform that its environment betrays; EC2's metadata service is asked last, and not
/// where the variable of AWS's SDKs forbids it.
fn detected() -> Resource {
    if env::first(&["ECS_CONTAINER_METADATA_URI_V4"]).is_some() {
        found_by(&EcsResourceDetector)
    } else if Path::new(KUBERNETES).exists() {
        found_by(&EksResourceDetector)
    } else if env::flag(&["AWS_EC2_METADATA_DISABLED"]) {
        Resource::default()
    } else {
        found_by(&Ec2ResourceDetector)
    }
}

fn found_by(detector: &dyn ResourceDetector) -> Resource {
    let found = detector.detect();
    let mut attributes: Vec<(Cow<'static, str>, ResourceValue)> = found
        .iter()
        .map(|(key, value)| (Cow::Owned(key.as_str().to_owned()), value_of(value)))
        .collect();
    // It comes in the order of a hash.
    attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    Resource { attributes }
}

fn value_of(value: &Value) -> ResourceValue {
    match value {
        Value::I64(number) => ResourceValue::Int(*number),
        Value::Array(Array::String(texts)) => {
            ResourceValue::Texts(texts.iter().map(|text| text.as_str().to_owned()).collect())
        }
        other => ResourceValue::Text(other.as_str().into_owned()),
    }
}
