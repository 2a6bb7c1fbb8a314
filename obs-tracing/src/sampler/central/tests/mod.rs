//! Tests over a real socket, with the time in our hands.

mod decisions;
mod faults;
mod fields;
mod fuzz;
mod protocol;
mod server;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::ids::TraceId;
use serde_json::{Value, json};

use super::poller::Poller;
use super::proxy::{Proxy, Road};
use super::request::{Attributes, Request};
use super::rule::{Rule, Service};
use super::shared::Shared;
use super::status::SamplingStatus;
use crate::xray::DaemonAddress;
pub(super) use server::Fault;
use server::{Api, Report};

/// When these tests begin, in milliseconds since the epoch.
const START: u64 = 1_700_000_000_000;

/// A rule that matches everything, changed by `changes`.
pub(super) fn rule(name: &str, changes: Value) -> Value {
    let mut rule = json!({
        "RuleName": name,
        "RuleARN": format!("arn:aws:xray:eu-west-1:123456789012:sampling-rule/{name}"),
        "ResourceARN": "*",
        "Priority": 10_000,
        "FixedRate": 0.0,
        "ReservoirSize": 1,
        "ServiceName": "*",
        "ServiceType": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "Version": 1,
        "Attributes": {},
    });
    if let (Value::Object(rule), Value::Object(changes)) = (&mut rule, changes) {
        rule.extend(changes);
    }
    rule
}

fn read(document: &Value) -> Rule {
    Rule::read(document).unwrap()
}

/// A trace that no fixed rate below 1 keeps.
fn unlucky() -> TraceId {
    TraceId::from_u128(1 << 96 | u128::from(u64::MAX)).unwrap()
}

fn orders() -> Service {
    Service {
        name: "orders".to_owned(),
        origin: "AWS::ECS::Container".to_owned(),
        resource_arn: String::new(),
    }
}

fn path(path: &str) -> Request<'_> {
    Request { method: "GET", path, host: "example.com", ..Request::default() }
}

/// Central sampling without its thread: time passes when a test says so.
pub(super) struct Simulation {
    pub(super) api: Api,
    clock: Arc<ManualClock>,
    shared: Arc<Shared>,
    poller: Poller<Box<dyn Road>>,
    /// When the poller wants to be woken.
    wake: u64,
}

impl Simulation {
    fn start(rules: impl IntoIterator<Item = Value>) -> Self {
        Self::with_road(rules, |address| {
            let proxy = Proxy::new(DaemonAddress::parse_tcp(address).unwrap());
            proxy.timeout(Duration::from_millis(700))
        })
    }

    /// With another road to the server, whose address `road` gets.
    pub(super) fn with_road<R: Road + 'static>(
        rules: impl IntoIterator<Item = Value>,
        road: impl FnOnce(&str) -> R,
    ) -> Self {
        let api = Api::start();
        api.set_rules(rules);
        let clock = Arc::new(ManualClock::at_millis(START));
        let shared = Arc::new(Shared::new(orders(), Arc::clone(&clock) as _));
        let road: Box<dyn Road> = Box::new(road(api.address()));
        let poller = Poller::new(Arc::clone(&shared), road);
        Self { api, clock, shared, poller, wake: 0 }
    }

    pub(super) fn tick(&mut self) {
        self.wake = self.shared.now() + self.poller.tick();
    }

    /// Lets time pass, and the poller do what is due in it.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.shared.now() + millis;
        while self.wake <= end {
            let step = self.wake.saturating_sub(self.shared.now());
            self.clock.advance(Duration::from_millis(step));
            self.tick();
        }
        self.clock.advance(Duration::from_millis(end.saturating_sub(self.shared.now())));
    }

    /// Of `n` requests at this moment that no fixed rate keeps, how many are sampled.
    pub(super) fn sampled(&self, n: usize) -> usize {
        (0..n).filter(|_| self.shared.decide(unlucky(), |_| ())).count()
    }

    pub(super) fn status(&self) -> SamplingStatus {
        self.shared.status()
    }

    /// The reports that arrived since the last call.
    pub(super) fn reports(&self) -> Vec<Report> {
        self.api.take_reports()
    }
}
