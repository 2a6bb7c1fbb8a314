//! What asks X-Ray for rules and targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use obs_core::ids::{SpanId, TraceId};

use super::document::{
    self, Ignored, RuleTarget, Targets, latest, read_rules, read_targets, rules_request,
    targets_request,
};
use super::proxy::Road;
use super::rule::Rule;
use super::rules::{Entry, RuleSet, STALE_AFTER, Target};
use super::schedule::{REPORT_EVERY, RULES_EVERY, TOGETHER, is_outdated, retry_at, sleep, spread};
use super::shared::Shared;
use super::statistics::Counts;

/// The most pages of rules that are read.
const MAX_PAGES: usize = 100;
/// The most reports that one call takes.
const MAX_REPORTS: usize = 25;
/// The most requests that one report tells: X-Ray reads 32 bits. The rest is in the next one.
const MAX_COUNT: u64 = i32::MAX as u64;
/// How long rules are left alone that were asked for because X-Ray did not know one, in milliseconds.
const NOT_KNOWN_EVERY: u64 = 60_000;

/// Keeps the rules of [`Shared`] up to date: [`Poller::run`], on a thread of its own.
pub(crate) struct Poller<R> {
    shared: Arc<Shared>,
    road: R,
    /// 24 hexadecimal digits that tell this process from others.
    client_id: String,
    /// When it last looked at the clock.
    looked_at: u64,
    rules_due: u64,
    failures: u32,
    /// By the rule's name.
    reports: BTreeMap<Box<str>, Report>,
    /// When a rule was last changed, by X-Ray's clock, as far as the rules that are here tell.
    modified: Option<f64>,
}

/// When the statistics of a rule are sent.
#[derive(Clone, Copy, Debug)]
struct Report {
    due: u64,
    interval: u64,
    failures: u32,
}

impl<R: Road> Poller<R> {
    pub(crate) fn new(shared: Arc<Shared>, road: R) -> Self {
        let now = shared.now();
        let random = TraceId::generate().to_u128() & ((1 << 96) - 1);
        Self {
            shared,
            road,
            client_id: format!("{random:024x}"),
            looked_at: now,
            rules_due: now,
            failures: 0,
            reports: BTreeMap::new(),
            modified: None,
        }
    }

    /// Polls until [`Shared::stop`]. Nothing here is traced or logged.
    pub(crate) fn run(mut self) {
        loop {
            let millis = self.tick();
            if self.shared.sleep(millis) {
                break;
            }
        }
    }

    /// Does what is due, and says how long to sleep, in milliseconds.
    pub(crate) fn tick(&mut self) -> u64 {
        let now = self.look();
        if self.rules_due <= now {
            self.fetch_rules(now);
        }
        self.report();
        // X-Ray may have said that the rules are not those of today.
        let now = self.look();
        if self.rules_due <= now {
            self.fetch_rules(now);
        }
        let now = self.look();
        sleep(now, self.reports.values().map(|report| report.due).chain([self.rules_due]))
    }

    /// The time. Where the clock stepped back, all moments do.
    fn look(&mut self) -> u64 {
        let now = self.shared.now();
        let back = self.looked_at.saturating_sub(now);
        self.looked_at = now;
        if back > 0 {
            self.rules_due = self.rules_due.saturating_sub(back);
            for report in self.reports.values_mut() {
                report.due = report.due.saturating_sub(back);
            }
            self.shared.publish(self.shared.rules().earlier(back));
        }
        now
    }

    fn fetch_rules(&mut self, asked_at: u64) {
        match self.pages() {
            Ok((rules, modified)) => {
                self.failures = 0;
                self.modified = latest(self.modified, modified);
                let now = self.look();
                let before = self.shared.rules();
                // The clock may have stepped back since.
                let asked_at = asked_at.min(now);
                let set = RuleSet::arrived(rules, &self.shared.service, &before, asked_at);
                self.schedule_reports(&set.entries, now);
                self.shared.publish(set);
                self.rules_due = spread(now, RULES_EVERY, random());
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                self.shared.failed(&format!("sampling rules: {why}"));
                let now = self.look();
                self.rules_due = retry_at(now, self.failures, RULES_EVERY, random());
            }
        }
    }

    /// All pages of rules, and when X-Ray last changed one.
    fn pages(&mut self) -> Result<(Vec<Rule>, Option<f64>), String> {
        let (mut rules, mut modified, mut token) = (Vec::new(), None, None::<String>);
        let mut ignored = 0;
        for _ in 0..MAX_PAGES {
            let body = self.road.call("/GetSamplingRules", &rules_request(token.as_deref()))?;
            let page = read_rules(&body)?;
            self.shared.answered();
            self.shared.ignored(&page.ignored);
            ignored += page.ignored.count;
            rules.extend(page.rules);
            modified = latest(modified, page.modified);
            match page.next_token {
                Some(next) if token.as_ref() == Some(&next) => {
                    return Err("a page says that it is followed by itself".to_owned());
                }
                Some(next) => token = Some(next),
                // Rules that are all invalid do not take the place of those that are not.
                None if rules.is_empty() && ignored > 0 => {
                    return Err(format!("none of {ignored} rules can be used"));
                }
                None => return Ok((rules, modified)),
            }
        }
        Err(format!("more than {MAX_PAGES} pages"))
    }

    /// Rules that are new are reported for the first time after an interval; those that are gone
    /// never again.
    fn schedule_reports(&mut self, entries: &[Entry], now: u64) {
        let mut before = std::mem::take(&mut self.reports);
        let begin = Report {
            due: spread(now, REPORT_EVERY, random()),
            interval: REPORT_EVERY,
            failures: 0,
        };
        for entry in entries {
            let name = entry.rule.name.clone();
            let report = before.remove(&name).unwrap_or(begin);
            self.reports.insert(name, report);
        }
    }

    /// Sends the statistics that are due.
    fn report(&mut self) {
        let rules = self.shared.rules();
        let now = self.look();
        let mut due = Vec::new();
        for entry in &rules.entries {
            let Some(report) = self.reports.get_mut(&entry.rule.name) else { continue };
            if report.due > now.saturating_add(TOGETHER) {
                continue;
            }
            let counts = cut(entry.live.statistics.unreported());
            if counts.requests == 0 {
                // Nothing to tell, and no quota needed.
                report.due = spread(now, report.interval, random());
            } else {
                due.push((entry, counts));
            }
        }
        for part in due.chunks(MAX_REPORTS) {
            self.send(part);
        }
    }

    fn send(&mut self, part: &[(&Entry, Counts)]) {
        let reports = part.iter().map(|(entry, counts)| (&*entry.rule.name, *counts));
        let body = targets_request(&self.client_id, self.shared.now(), reports);
        let answer = self.road.call("/SamplingTargets", &body).and_then(|body| read_targets(&body));
        let now = self.look();
        match answer {
            Ok(targets) => {
                self.shared.answered();
                self.settle(part, &targets, now);
                self.apply(&targets, now);
            }
            Err(why) => {
                self.shared.failed(&format!("sampling targets: {why}"));
                for (entry, _) in part {
                    self.postpone(&entry.rule.name, now);
                }
            }
        }
    }

    /// After a failure.
    fn postpone(&mut self, rule: &str, now: u64) {
        if let Some(report) = self.reports.get_mut(rule) {
            report.failures = report.failures.saturating_add(1);
            report.due = retry_at(now, report.failures, report.interval, random());
        }
    }

    /// What X-Ray took is not sent again.
    fn settle(&mut self, part: &[(&Entry, Counts)], targets: &Targets, now: u64) {
        for (entry, counts) in part {
            let name = &entry.rule.name;
            let refused = targets.unprocessed.iter().find(|refusal| *refusal.rule == **name);
            if let Some(document::Unprocessed { code, message, .. }) = refused {
                self.shared.failed(&format!("report of rule {name:?}: {code} {message}"));
                // It is not known there any more, or is not as it was: the rules will tell.
                if code.starts_with('4') {
                    let asked_at = self.shared.rules().asked_at.unwrap_or(0);
                    let soon = asked_at.saturating_add(NOT_KNOWN_EVERY).max(now);
                    self.rules_due = self.rules_due.min(soon);
                }
                self.postpone(name, now);
                // What is wrong with the report today will be tomorrow.
                if !code.starts_with('4') {
                    continue;
                }
            } else if let Some(report) = self.reports.get_mut(name) {
                report.failures = 0;
                report.due = spread(now, report.interval, random());
            }
            entry.live.statistics.acknowledge(*counts);
        }
    }

    fn apply(&mut self, targets: &Targets, now: u64) {
        self.shared.ignored(&targets.ignored);
        let mut rules = RuleSet::clone(&self.shared.rules());
        let mut unknown = Ignored::default();
        for target in &targets.targets {
            let entry = rules.entries.iter_mut().find(|entry| *entry.rule.name == *target.rule);
            let Some(entry) = entry else {
                unknown.add(|| format!("a target of rule {:?}, which is not known", target.rule));
                continue;
            };
            entry.target = applied(entry.target, target, now);
            if let (Some(report), Some(interval)) =
                (self.reports.get_mut(&entry.rule.name), target.interval)
            {
                report.interval = interval;
                report.due = spread(now, interval, random());
            }
        }
        self.shared.ignored(&unknown);
        self.shared.publish(rules);
        if is_outdated(targets.modified, self.modified) {
            // Asked for once for each change, whatever the rules then say of themselves.
            self.modified = targets.modified;
            self.rules_due = now;
        }
    }
}

/// What X-Ray now says takes the place of what it said; what it does not say stays.
fn applied(before: Target, target: &RuleTarget, now: u64) -> Target {
    let (quota, until) = before.quota.unzip();
    // No quota holds longer than a rule.
    let latest = now.saturating_add(STALE_AFTER);
    let until = target.quota_until.map(|until| until.min(latest)).or(until);
    Target {
        fixed_rate: target.fixed_rate.or(before.fixed_rate),
        quota: target.quota.or(quota).zip(until),
    }
}

/// As much as one report tells.
fn cut(counts: Counts) -> Counts {
    let requests = counts.requests.min(MAX_COUNT);
    let sampled = counts.sampled.min(requests);
    Counts { requests, sampled, borrowed: counts.borrowed.min(sampled) }
}

/// From 0 to 1.
fn random() -> f64 {
    SpanId::generate().to_u64() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_changes_what_it_names() {
        let target = |fixed_rate, quota, quota_until| RuleTarget {
            rule: "r".to_owned(),
            fixed_rate,
            quota,
            quota_until,
            interval: None,
        };
        let now = 1_000_000;
        let none = Target::default();
        let full = Target { fixed_rate: Some(0.5), quota: Some((3, now + 10)) };
        for (before, new, expected) in [
            (none, target(None, None, None), none),
            (none, target(Some(0.5), Some(3), Some(now + 10)), full),
            (full, target(None, None, None), full),
            (full, target(Some(0.0), None, None), Target { fixed_rate: Some(0.0), ..full }),
            (full, target(None, Some(9), None), Target { quota: Some((9, now + 10)), ..full }),
            (
                full,
                target(None, None, Some(now + 20)),
                Target { quota: Some((3, now + 20)), ..full },
            ),
            (none, target(None, Some(9), None), none),
            (
                full,
                target(None, None, Some(u64::MAX)),
                Target { quota: Some((3, now + STALE_AFTER)), ..full },
            ),
        ] {
            assert_eq!(applied(before, &new, now), expected, "{before:?} {new:?}");
        }
    }

    #[test]
    fn a_report_is_cut_to_32_bits() {
        let most = MAX_COUNT;
        let counts = |requests, sampled, borrowed| Counts { requests, sampled, borrowed };
        assert_eq!(cut(counts(most, 7, 1)), counts(most, 7, 1));
        assert_eq!(cut(counts(most * 3, most * 2, 1)), counts(most, most, 1));
    }
}
