use std::time::SystemTime;

use obs_core::{Identity, Redactor};

use super::*;
use crate::entry::Envelope;
use crate::event::Moment;
use crate::{Alert, Severity};

fn entry(severity: Severity, name: &str, payload: usize) -> Entry {
    let envelope = Envelope {
        source: name.into(),
        bus: "b".into(),
        detail_type: "Alert".into(),
        identity: Identity::new("s", "e"),
        redactor: Redactor::none(),
    };
    let moment = Moment { time: SystemTime::now(), context: None, span: None };
    let alert = Alert::new(severity, "m").attribute("payload", "x".repeat(payload));
    Entry::new(alert, &moment, &envelope)
}

fn name(queued: &Queued) -> String {
    queued.entry.to_request_entry().source().unwrap().to_owned()
}

fn outbox(entries: &[(Severity, &str, usize)], now: Instant) -> Outbox {
    let mut outbox = Outbox::default();
    for (severity, name, payload) in entries {
        outbox.add(entry(*severity, name, *payload), now);
    }
    outbox
}

#[track_caller]
fn sent(next: Next) -> Vec<Queued> {
    match next {
        Next::Send(entries) => entries,
        other => panic!("nothing to send: {other:?}"),
    }
}

/// The requests in which everything goes out at `now`, by the entries' names.
fn requests(outbox: &mut Outbox, now: Instant) -> Vec<Vec<String>> {
    std::iter::from_fn(|| match outbox.next(now, None) {
        Next::Send(entries) => Some(entries.iter().map(name).collect()),
        Next::WaitUntil(_) | Next::Done => None,
    })
    .collect()
}

#[test]
fn requests_hold_ten_entries() {
    let now = Instant::now();
    let names: Vec<String> = (0..23).map(|n| format!("{n:02}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (Severity::High, name.as_str(), 1)).collect();
    let mut outbox = outbox(&entries, now);
    let requests = requests(&mut outbox, now);
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 3]);
    assert_eq!(requests.concat(), names);
    assert!(matches!(outbox.next(now, None), Next::Done));
}

#[test]
fn the_most_urgent_go_first_and_else_the_order_is_kept() {
    use Severity::{Critical, High, Info, Low};
    let now = Instant::now();
    let mut outbox = outbox(
        &[(Low, "l1", 1), (High, "h1", 1), (Info, "i1", 1), (Critical, "c1", 1), (High, "h2", 1)],
        now,
    );
    assert_eq!(requests(&mut outbox, now), [["c1", "h1", "h2", "l1", "i1"]]);
}

#[test]
fn requests_stay_below_256_kib() {
    let now = Instant::now();
    let kib = 1024;
    let mut outbox = outbox(
        &[
            (Severity::High, "a", 100 * kib),
            (Severity::High, "b", 100 * kib),
            (Severity::High, "c", 100 * kib),
            (Severity::High, "d", kib),
            (Severity::High, "e", 1000 * kib),
        ],
        now,
    );
    let mut rounds = Vec::new();
    while let Next::Send(entries) = outbox.next(now, None) {
        let bytes: usize = entries.iter().map(|queued| queued.entry.size()).sum();
        assert!(bytes <= MAX_REQUEST_BYTES, "{bytes}");
        rounds.push(entries.iter().map(name).collect::<Vec<_>>().concat());
    }
    // What does not fit is passed over, so that the small one fills the first request.
    assert_eq!(rounds, ["abd", "c", "e"]);
}

#[test]
fn an_entry_that_failed_waits_and_the_others_go_on() {
    let now = Instant::now();
    let mut outbox = outbox(&[(Severity::High, "a", 1), (Severity::Low, "b", 1)], now);
    let mut entries = sent(outbox.next(now, None));
    let (b, a) = (entries.pop().unwrap(), entries.pop().unwrap());
    let wait = Duration::from_secs(1);
    outbox.again(a, now, wait);
    outbox.add(entry(Severity::Info, "c", 1), now);
    outbox.again(b, now, wait / 2);
    assert_eq!(requests(&mut outbox, now), [["c"]]);
    assert!(matches!(outbox.next(now, None), Next::WaitUntil(at) if at == now + wait / 2));
    assert_eq!(requests(&mut outbox, now + wait / 2), [["b"]]);
    assert!(matches!(outbox.next(now, None), Next::WaitUntil(at) if at == now + wait));
    assert_eq!(requests(&mut outbox, now + wait), [["a"]]);
}

#[test]
fn an_entry_under_suspicion_goes_alone() {
    let now = Instant::now();
    let mut outbox = outbox(&[(Severity::High, "a", 1), (Severity::High, "b", 1)], now);
    for queued in sent(outbox.next(now, None)) {
        outbox.again_alone(queued, now);
    }
    outbox.add(entry(Severity::Critical, "c", 1), now);
    outbox.add(entry(Severity::Low, "d", 1), now);
    assert_eq!(requests(&mut outbox, now), [vec!["c", "d"], vec!["a"], vec!["b"]]);
}

#[test]
fn whoever_waits_gets_another_attempt_within_half_the_time() {
    let now = Instant::now();
    let seconds = Duration::from_secs;
    let mut outbox = outbox(&[(Severity::High, "a", 1)], now);
    let mut entries = sent(outbox.next(now, None));
    outbox.again(entries.pop().unwrap(), now, seconds(10));
    let check = |outbox: &mut Outbox, deadline: Option<Instant>, expected: Duration| match outbox
        .next(now, deadline)
    {
        Next::WaitUntil(at) => assert_eq!(at - now, expected, "{deadline:?}"),
        other => panic!("{other:?}"),
    };
    check(&mut outbox, None, seconds(10));
    check(&mut outbox, Some(now + seconds(4)), seconds(2));
    check(&mut outbox, Some(now + seconds(60)), seconds(10));
    // A deadline that is over changes nothing.
    if let Some(over) = now.checked_sub(seconds(1)) {
        check(&mut outbox, Some(over), seconds(10));
    }
    assert_eq!(sent(outbox.next(now + seconds(2), Some(now + seconds(4)))).len(), 1);
}

#[test]
fn everything_can_be_taken_out() {
    let now = Instant::now();
    let mut outbox = outbox(&[(Severity::High, "a", 1), (Severity::Low, "b", 1)], now);
    let first = sent(outbox.next(now, None)).remove(0);
    outbox.again(first, now, Duration::from_secs(60));
    outbox.add_own(entry(Severity::Info, "own", 1), now);
    let all = outbox.take_all();
    assert_eq!(all.iter().map(name).collect::<Vec<_>>(), ["a", "own"]);
    assert!(all[1].own && !all[0].own);
    assert!(matches!(outbox.next(now, None), Next::Done));
}
