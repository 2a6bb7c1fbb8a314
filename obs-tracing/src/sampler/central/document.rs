//! What the two calls say, as JSON: `GetSamplingRules` and `GetSamplingTargets`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::rule::Rule;
use super::statistics::Counts;

/// The most reasons of ignored documents that one answer leaves; more are only counted.
const MAX_REASONS: usize = 5;

/// One page of rules.
#[derive(Debug, Default)]
pub(crate) struct RulesPage {
    pub(crate) rules: Vec<Rule>,
    pub(crate) ignored: Ignored,
    /// When a rule of this page was last made or changed, in seconds since the epoch of X-Ray's clock.
    pub(crate) modified: Option<f64>,
    pub(crate) next_token: Option<String>,
}

/// The answer to a report.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) targets: Vec<RuleTarget>,
    pub(crate) unprocessed: Vec<Unprocessed>,
    pub(crate) ignored: Ignored,
    /// When any rule was last changed, in seconds since the epoch of X-Ray's clock.
    pub(crate) modified: Option<f64>,
}

/// What one rule is to do from now on. What is not said stays as it is.
#[derive(Debug, PartialEq)]
pub(crate) struct RuleTarget {
    pub(crate) rule: String,
    pub(crate) fixed_rate: Option<f64>,
    pub(crate) quota: Option<u32>,
    /// Until when the quota holds, in milliseconds since the epoch.
    pub(crate) quota_until: Option<u64>,
    /// When to report again, in milliseconds from now.
    pub(crate) interval: Option<u64>,
}

/// A report that X-Ray did not take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unprocessed {
    pub(crate) rule: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What was in an answer and cannot be used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) count: u64,
    pub(crate) reasons: Vec<String>,
}

impl Ignored {
    pub(crate) fn add(&mut self, reason: impl FnOnce() -> String) {
        self.count += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason());
        }
    }
}

/// The body of `GetSamplingRules`.
pub(crate) fn rules_request(next_token: Option<&str>) -> Vec<u8> {
    match next_token {
        Some(token) => json!({ "NextToken": token }),
        None => json!({}),
    }
    .to_string()
    .into_bytes()
}

/// The body of `GetSamplingTargets`.
pub(crate) fn targets_request<'a>(
    client_id: &str,
    now: u64,
    reports: impl Iterator<Item = (&'a str, Counts)>,
) -> Vec<u8> {
    let seconds = now as f64 / 1_000.0;
    let documents: Vec<Value> = reports
        .map(|(rule, counts)| {
            json!({
                "RuleName": rule,
                "ClientID": client_id,
                "Timestamp": seconds,
                "RequestCount": counts.requests,
                "SampledCount": counts.sampled,
                "BorrowCount": counts.borrowed,
            })
        })
        .collect();
    json!({ "SamplingStatisticsDocuments": documents }).to_string().into_bytes()
}

/// Reads a page of rules. A rule that cannot be used is ignored, and the others are not.
///
/// # Errors
///
/// The body is no answer to `GetSamplingRules`.
pub(crate) fn read_rules(body: &[u8]) -> Result<RulesPage, String> {
    let answer = object(body)?;
    let records = answer.get("SamplingRuleRecords").and_then(Value::as_array);
    let Some(records) = records else { return Err("no SamplingRuleRecords in it".to_owned()) };
    let token = answer.get("NextToken").and_then(Value::as_str).filter(|token| !token.is_empty());
    let mut page = RulesPage { next_token: token.map(str::to_owned), ..RulesPage::default() };
    for record in records {
        for key in ["CreatedAt", "ModifiedAt"] {
            page.modified = latest(page.modified, seconds(record.get(key)));
        }
        match record.get("SamplingRule").map(Rule::read) {
            Some(Ok(rule)) => page.rules.push(rule),
            Some(Err(reason)) => page.ignored.add(|| reason),
            None => page.ignored.add(|| "a record without a SamplingRule".to_owned()),
        }
    }
    Ok(page)
}

/// Reads the answer to a report.
///
/// # Errors
///
/// The body is no answer to `GetSamplingTargets`.
pub(crate) fn read_targets(body: &[u8]) -> Result<Targets, String> {
    let answer = object(body)?;
    let documents = answer.get("SamplingTargetDocuments").and_then(Value::as_array);
    let Some(documents) = documents else {
        return Err("no SamplingTargetDocuments in it".to_owned());
    };
    let mut targets =
        Targets { modified: seconds(answer.get("LastRuleModification")), ..Targets::default() };
    for document in documents {
        match RuleTarget::read(document) {
            Ok(target) => targets.targets.push(target),
            Err(reason) => targets.ignored.add(|| reason),
        }
    }
    let unprocessed = answer.get("UnprocessedStatistics").and_then(Value::as_array);
    for refusal in unprocessed.into_iter().flatten() {
        let text = |key| refusal.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        targets.unprocessed.push(Unprocessed {
            rule: text("RuleName"),
            code: text("ErrorCode"),
            message: text("Message"),
        });
    }
    Ok(targets)
}

/// The later of two moments, either of which may be missing.
pub(crate) fn latest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

fn object(body: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) => Err("no JSON object".to_owned()),
        Err(error) => Err(format!("no JSON: {error}")),
    }
}

/// A moment, which is a number of seconds since the epoch.
fn seconds(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetDocument {
    rule_name: String,
    fixed_rate: Option<f64>,
    reservoir_quota: Option<i64>,
    #[serde(rename = "ReservoirQuotaTTL")]
    reservoir_quota_ttl: Option<f64>,
    interval: Option<i64>,
}

impl RuleTarget {
    /// As often as this it is reported, whatever is asked, in seconds.
    const INTERVALS: std::ops::RangeInclusive<i64> = 1..=3_600;

    fn read(document: &Value) -> Result<Self, String> {
        let document = TargetDocument::deserialize(document).map_err(|error| error.to_string())?;
        let name = &document.rule_name;
        if let Some(rate) = document.fixed_rate
            && !(0.0..=1.0).contains(&rate)
        {
            return Err(format!(
                "target of rule {name:?}: its fixed rate is {rate}, not from 0 to 1"
            ));
        }
        let quota = match document.reservoir_quota.map(u32::try_from) {
            Some(Err(_)) => return Err(format!("target of rule {name:?}: no valid quota")),
            Some(Ok(quota)) => Some(quota),
            None => None,
        };
        let quota_until = match document.reservoir_quota_ttl {
            Some(ttl) if !(0.0..1e12).contains(&ttl) => {
                return Err(format!("target of rule {name:?}: its quota ends at {ttl}"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked above"
            )]
            ttl => ttl.map(|seconds| (seconds * 1_000.0) as u64),
        };
        let interval = document.interval.and_then(|seconds| {
            let (least, most) = (*Self::INTERVALS.start(), *Self::INTERVALS.end());
            u64::try_from(seconds.clamp(least, most)).ok().map(|seconds| seconds * 1_000)
        });
        let fixed_rate = document.fixed_rate;
        Ok(Self { rule: document.rule_name, fixed_rate, quota, quota_until, interval })
    }
}
