//! What the threads that decide and the one that polls have in common.

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::ids::TraceId;
use tracing_core::field::Visit;

use super::document::Ignored;
use super::lock;
use super::proxy::said;
use super::request::with_request;
use super::rule::Service;
use super::rules::{Fallback, RuleSet};
use super::status::SamplingStatus;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) clock: Arc<dyn Clock>,
    /// Locked for as long as the pointer is copied or replaced.
    rules: RwLock<Arc<RuleSet>>,
    fallback: Fallback,
    /// Without what the rules tell.
    counts: Mutex<SamplingStatus>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Shared {
    pub(crate) fn new(service: Service, clock: Arc<dyn Clock>) -> Self {
        Self {
            service,
            clock,
            rules: RwLock::default(),
            fallback: Fallback::default(),
            counts: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        }
    }

    /// The decision for a new trace whose first span has the fields that `visit` visits.
    #[inline]
    pub(crate) fn decide(&self, trace_id: TraceId, visit: impl FnOnce(&mut dyn Visit)) -> bool {
        let rules = self.rules();
        let now = self.now();
        if !rules.is_fresh(now) {
            return self.fallback.decide(trace_id, now);
        }
        let decided = with_request(&rules.attributes, visit, |request| {
            rules.decide(request, &self.service, trace_id, now)
        });
        decided.unwrap_or_else(|| self.fallback.decide(trace_id, now))
    }

    pub(crate) fn now(&self) -> u64 {
        millis_since_epoch(self.clock.now())
    }

    pub(crate) fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn publish(&self, rules: RuleSet) {
        let mut rules = Arc::new(rules);
        std::mem::swap(
            &mut *self.rules.write().unwrap_or_else(PoisonError::into_inner),
            &mut rules,
        );
        // What is dropped is dropped outside of the lock.
    }

    pub(crate) fn answered(&self) {
        lock(&self.counts).calls += 1;
    }

    pub(crate) fn failed(&self, why: &str) {
        let mut counts = lock(&self.counts);
        counts.failed += 1;
        counts.last_failure = Some(said(why.as_bytes()));
    }

    pub(crate) fn ignored(&self, ignored: &Ignored) {
        let mut counts = lock(&self.counts);
        counts.ignored += ignored.count;
        if let Some(why) = ignored.reasons.last() {
            counts.last_ignored = Some(said(why.as_bytes()));
        }
    }

    pub(crate) fn status(&self) -> SamplingStatus {
        let (rules, now) = (self.rules(), self.now());
        SamplingStatus {
            rules: rules.entries.len(),
            age: rules.asked_at.map(|at| Duration::from_millis(now.saturating_sub(at))),
            is_fallback: !rules.is_fresh(now),
            ..lock(&self.counts).clone()
        }
    }

    /// Ends the poller's sleep, and the poller.
    pub(crate) fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stop.notify_all();
    }

    /// Sleeps; true if there is nothing more to do.
    pub(crate) fn sleep(&self, millis: u64) -> bool {
        let stopped = lock(&self.stopped);
        let slept =
            self.stop
                .wait_timeout_while(stopped, Duration::from_millis(millis), |stopped| !*stopped);
        *slept.unwrap_or_else(PoisonError::into_inner).0
    }
}
