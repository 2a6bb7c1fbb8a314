//! All rules, and the decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use obs_core::ids::TraceId;

use super::request::Request;
use super::reservoir::Reservoir;
use super::rule::{Rule, Service};
use super::statistics::{Outcome, Statistics};
use crate::sampler::is_within;

/// Rules that are older, in milliseconds, are not applied any more.
pub(crate) const STALE_AFTER: u64 = 3_600_000;

/// The rules of one moment. Immutable but for the counters: another one takes its place when rules
/// or targets arrive.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSet {
    /// When they were asked for, in milliseconds since the epoch; `None` before they first arrived.
    pub(crate) asked_at: Option<u64>,
    /// Those that are for this service, in the order in which they are asked.
    pub(crate) entries: Vec<Entry>,
    /// The attributes that rules name.
    pub(crate) attributes: Vec<Box<str>>,
}

/// A rule and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) rule: Arc<Rule>,
    /// The indices of the rule's attributes in [`RuleSet::attributes`].
    keys: Box<[usize]>,
    pub(crate) target: Target,
    pub(crate) live: Arc<Live>,
}

/// What X-Ray last said of a rule to this service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Target {
    /// Instead of the rule's own.
    pub(crate) fixed_rate: Option<f64>,
    /// How many a second this service samples, and until when, in milliseconds since the epoch.
    pub(crate) quota: Option<(u32, u64)>,
}

/// What survives the arrival of new rules and targets.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) reservoir: Reservoir,
    pub(crate) statistics: Statistics,
}

impl RuleSet {
    /// The rules that arrived, with what is kept of the ones before: counters by the rule's name, and
    /// the target too if the rule did not change. Of two rules of one name the first counts.
    pub(crate) fn arrived(
        rules: Vec<Rule>,
        service: &Service,
        before: &Self,
        asked_at: u64,
    ) -> Self {
        let mut known: BTreeMap<&str, &Entry> =
            before.entries.iter().map(|entry| (&*entry.rule.name, entry)).collect();
        let mut rules: Vec<Rule> = rules.into_iter().filter(|rule| rule.is_for(service)).collect();
        rules.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut set = Self { asked_at: Some(asked_at), ..Self::default() };
        let mut names = std::collections::BTreeSet::new();
        for rule in rules {
            if !names.insert(rule.name.clone()) {
                continue;
            }
            let keys = rule.attributes().map(|key| set.attribute(key)).collect();
            set.entries.push(match known.remove(&*rule.name) {
                Some(entry) => Entry {
                    target: if *entry.rule == rule { entry.target } else { Target::default() },
                    live: Arc::clone(&entry.live),
                    rule: Arc::new(rule),
                    keys,
                },
                None => Entry {
                    rule: Arc::new(rule),
                    keys,
                    target: Target::default(),
                    live: Arc::default(),
                },
            });
        }
        set
    }

    fn attribute(&mut self, key: &str) -> usize {
        let known = self.attributes.iter().position(|known| **known == *key);
        known.unwrap_or_else(|| {
            self.attributes.push(key.into());
            self.attributes.len() - 1
        })
    }

    /// The same with all moments `millis` earlier: the clock stepped back.
    pub(crate) fn earlier(&self, millis: u64) -> Self {
        let mut set = self.clone();
        set.asked_at = set.asked_at.map(|at| at.saturating_sub(millis));
        for entry in &mut set.entries {
            if let Some((_, until)) = &mut entry.target.quota {
                *until = until.saturating_sub(millis);
            }
        }
        set
    }

    /// Whether rules are there and not older than an hour.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        self.asked_at.is_some_and(|at| now.saturating_sub(at) <= STALE_AFTER)
    }

    /// What the first rule that matches decides; `None` if none does, or the rules are stale.
    pub(crate) fn decide(
        &self,
        request: &Request<'_>,
        service: &Service,
        trace_id: TraceId,
        now: u64,
    ) -> Option<bool> {
        if !self.is_fresh(now) {
            return None;
        }
        let entry =
            self.entries.iter().find(|entry| entry.rule.matches(request, &entry.keys, service))?;
        let outcome = entry.decide(trace_id, now);
        entry.live.statistics.count(outcome);
        Some(outcome.is_sampled())
    }
}

impl Entry {
    /// The reservoir first, then the fixed rate.
    fn decide(&self, trace_id: TraceId, now: u64) -> Outcome {
        let (limit, taken) = self.allowance(now);
        if self.live.reservoir.take(now / 1_000, limit) {
            return taken;
        }
        let rate = self.target.fixed_rate.unwrap_or(self.rule.fixed_rate);
        if is_within(rate, trace_id) { Outcome::Rate } else { Outcome::Dropped }
    }

    /// How many this second has, and what they are: of the quota; or one, while there is no quota,
    /// none yet or none any more, if the rule has a reservoir to borrow from.
    fn allowance(&self, now: u64) -> (u32, Outcome) {
        match self.target.quota {
            Some((quota, until)) if now <= until => (quota, Outcome::Quota),
            _ => (self.rule.reservoir_size.min(1), Outcome::Borrowed),
        }
    }
}

/// What decides where no rule does: one a second, and one in twenty of the rest.
#[derive(Debug, Default)]
pub(crate) struct Fallback(Reservoir);

impl Fallback {
    const PER_SECOND: u32 = 1;
    const RATE: f64 = 0.05;

    pub(crate) fn decide(&self, trace_id: TraceId, now: u64) -> bool {
        self.0.take(now / 1_000, Self::PER_SECOND) || is_within(Self::RATE, trace_id)
    }
}
