//! Pushes that go past the queue of a lane without a thread, and who comes in between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

use super::*;

/// Only counts: nothing that would order the threads.
struct Counts(Arc<AtomicUsize>);

impl Sink<Lines> for Counts {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        // Long enough for the other thread to come in between.
        (0..100).for_each(|_| std::hint::spin_loop());
        self.0.fetch_add(batch.len(), Ordering::Relaxed);
        delivery.delivered(batch.len());
    }
}

fn counting() -> (Arc<AtomicUsize>, Lane<Lines>) {
    let count = Arc::default();
    (Arc::clone(&count), Lane::builder("direct").synchronous().start(Counts(count)))
}

#[test]
fn of_two_pushes_at_one_time_none_is_left_behind() {
    const ROUNDS: usize = 3_000;
    let (count, lane) = counting();
    let barrier = Barrier::new(2);
    let push = || {
        for round in 1..=ROUNDS {
            barrier.wait();
            assert!(say(&lane, "line"));
            barrier.wait();
            // Both have returned: nothing waits for a flush, or for another push.
            assert_eq!(count.load(Ordering::Relaxed), 2 * round);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(push);
        push();
    });
    let stats = lane.stats();
    let rounds = 2 * ROUNDS as u64;
    assert_eq!((stats.recorded, stats.delivered, stats.pending), (rounds, rounds, 0));
    assert_eq!(stats.pending_bytes, 0);
}

#[test]
fn scenario_10_flushes_during_direct_deliveries_neither_hang_nor_lose() {
    let (count, lane) = counting();
    let done = AtomicBool::new(false);
    let start = Instant::now();
    let reported = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    assert!(say(&lane, "line"));
                }
                done.store(true, Ordering::Relaxed);
            });
        }
        let mut reported = 0;
        while !done.load(Ordering::Relaxed) {
            let report = lane.flush(LONG);
            assert!(report.is_complete(), "{report}");
            reported += report.delivered();
        }
        reported
    });
    let rest = lane.shutdown(LONG);
    assert!(rest.is_complete());
    assert_eq!(reported + rest.delivered(), 10_000);
    assert_eq!(count.load(Ordering::Relaxed), 10_000);
    assert!(start.elapsed() < LONG);
    assert!(!say(&lane, "after"));
}

#[test]
fn scenario_01_a_flush_waits_for_what_is_being_delivered_directly() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    world.blocked.store(true, Ordering::Release);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| say(&lane, "slow"));
        while world.deliveries.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        let report = lane.flush(Duration::from_millis(5));
        assert_eq!((report.delivered(), report.pending()), (0, 1), "{report}");
        let stats = lane.stats();
        assert_eq!((stats.pending, stats.pending_bytes), (1, 5));
        let flush = scope.spawn(|| lane.flush(LONG));
        std::thread::sleep(Duration::from_millis(10));
        world.blocked.store(false, Ordering::Release);
        let report = flush.join().unwrap();
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.delivered(), 1);
        assert!(other.join().unwrap());
    });
    assert_eq!(world.lines(), ["slow"]);
}

#[test]
fn what_is_delivered_directly_counts_against_the_capacity() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().capacity_bytes(160).start(sink);
    world.blocked.store(true, Ordering::Release);
    let long = "x".repeat(154);
    std::thread::scope(|scope| {
        let direct = scope.spawn(|| say(&lane, "directly"));
        while world.deliveries.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        assert!(!say(&lane, &long), "there is no room for both");
        assert!(say(&lane, "left to the other"));
        world.blocked.store(false, Ordering::Release);
        assert!(direct.join().unwrap());
    });
    assert!(say(&lane, &long));
    let lost = "lost 1: queue_full";
    assert_eq!(world.lines(), ["directly", "left to the other", lost, &long]);
}

#[test]
fn scenario_14_a_panic_while_an_item_is_added_leaves_nothing_of_it() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    let panics = AssertUnwindSafe(|| {
        lane.push(5, |lines| {
            lines.push(b"half");
            panic!("as the test wants it");
        })
    });
    assert!(catch_unwind(panics).is_err());
    assert!(say(&lane, "goes on"));
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines(), ["goes on"]);
}

#[test]
fn a_push_of_nothing_is_nothing() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    assert!(lane.push(0, |_| {}));
    assert_eq!((world.lines().len(), lane.stats().recorded), (0, 0));
}
