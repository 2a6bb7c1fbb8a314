mod direct;
mod many_threads;
mod without_thread;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use super::*;
use crate::lock;

/// Long enough for any machine, and never waited for where the code is right.
const LONG: Duration = Duration::from_secs(20);

/// What a test's sink has seen, and how it behaves.
#[derive(Default)]
struct World {
    lines: Mutex<Vec<String>>,
    arrived: Condvar,
    /// Delivery waits while this is set.
    blocked: AtomicBool,
    deliveries: AtomicUsize,
}

impl World {
    fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    fn wait_for(&self, n: usize) -> Vec<String> {
        let (lines, timeout) = self
            .arrived
            .wait_timeout_while(lock(&self.lines), LONG, |lines| lines.len() < n)
            .unwrap();
        assert!(!timeout.timed_out(), "only {} of {n} lines came", lines.len());
        lines.clone()
    }
}

struct Recorder(Arc<World>);

impl Sink<Lines> for Recorder {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        self.0.deliveries.fetch_add(1, Ordering::Relaxed);
        while self.0.blocked.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        for line in batch.iter() {
            lock(&self.0.lines).push(String::from_utf8_lossy(line).trim_end().to_owned());
            delivery.delivered(1);
        }
        self.0.arrived.notify_all();
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        for (reason, n) in lost.by_reason() {
            batch.push(format!("lost {n}: {reason}").as_bytes());
        }
    }
}

fn say(lane: &Lane<Lines>, line: &str) -> bool {
    lane.push(line.len() + 1, |lines| lines.push(line.as_bytes()))
}

fn recorder() -> (Arc<World>, LaneBuilder<Lines>, Recorder) {
    let world = Arc::new(World::default());
    (Arc::clone(&world), Lane::builder("test"), Recorder(world))
}

#[test]
fn lines_arrive_in_order_and_are_counted() {
    let (world, builder, sink) = recorder();
    let lane = builder.start(sink);
    for n in 0..1000 {
        assert!(say(&lane, &n.to_string()));
    }
    let report = lane.flush(LONG);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.delivered(), 1000);
    assert_eq!(world.lines(), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(lane.flush(LONG).delivered() == 0, "what was reported is not reported again");
    assert_eq!(lane.stats().delivered, 1000);
}

#[test]
fn a_batch_goes_out_by_itself_when_it_has_lingered() {
    let (world, builder, sink) = recorder();
    let lane = builder.linger(Duration::from_millis(5)).start(sink);
    for round in 1..4 {
        say(&lane, "line");
        world.wait_for(round);
    }
    drop(lane);
}

#[test]
fn half_a_queue_or_an_urgent_item_ends_the_linger() {
    let (world, builder, sink) = recorder();
    let lane = builder.linger(LONG * 10).capacity_bytes(100).start(sink);
    say(&lane, "0123456789");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(world.lines().len(), 0, "it lingers");
    for _ in 0..4 {
        say(&lane, "0123456789");
    }
    world.wait_for(5);
    lane.push_now(7, |lines| lines.push(b"urgent"));
    world.wait_for(6);
}

#[test]
fn scenario_01_what_was_recorded_before_a_flush_is_delivered_by_it() {
    let (world, builder, sink) = recorder();
    let lane = builder.start(sink);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (lane, world) = (lane.clone(), &world);
            scope.spawn(move || {
                for n in 0..200 {
                    let line = format!("{thread}-{n}");
                    assert!(say(&lane, &line));
                    if n % 20 == 0 {
                        let report = lane.flush(LONG);
                        assert_eq!(report.pending(), 0, "{report}");
                        assert!(world.lines().contains(&line), "{line} was recorded before");
                    }
                }
            });
        }
    });
    let _ = lane.flush(LONG);
    assert_eq!(world.lines().len(), 800);
}

#[cfg(feature = "tokio")]
#[test]
fn scenario_02_flush_returns_in_every_kind_of_runtime() {
    let check = |lane: &Lane<Lines>| {
        say(lane, "line");
        let report = lane.flush(LONG);
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.delivered(), 1);
    };
    let (_, builder, sink) = recorder();
    let lane = builder.start(sink);
    check(&lane);
    let current_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
    current_thread.block_on(async {
        check(&lane);
        say(&lane, "awaited");
        assert_eq!(lane.flush_async(LONG).await.delivered(), 1);
    });
    let one_worker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let inside = lane.clone();
    one_worker
        .block_on(one_worker.spawn(async move {
            check(&inside);
            say(&inside, "awaited");
            inside.flush_async(LONG).await.delivered()
        }))
        .map(|delivered| assert_eq!(delivered, 1))
        .unwrap();
}

#[cfg(feature = "tokio")]
#[test]
fn scenario_02_a_flush_that_is_awaited_keeps_its_deadline_without_tokio_s_timers() {
    let (world, builder, sink) = recorder();
    let lane = builder.start(sink);
    world.blocked.store(true, Ordering::Release);
    say(&lane, "stuck");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(lane.flush_async(Duration::from_millis(30)));
    assert_eq!((report.pending(), report.delivered()), (1, 0), "{report}");
    assert!(!report.is_complete());
    world.blocked.store(false, Ordering::Release);
    assert_eq!(lane.flush(LONG).delivered(), 1);
}

#[test]
fn scenario_03_the_report_names_what_a_failed_batch_lost() {
    /// Sends in requests of two; the first request fails.
    struct Requests;
    impl Sink<Records<u32>> for Requests {
        fn deliver(&mut self, batch: &mut Records<u32>, delivery: &Delivery<'_>) {
            for (n, request) in batch.as_slice().chunks(2).enumerate() {
                match n {
                    0 => delivery.failed(request.len(), Reason::SinkFailed),
                    _ => delivery.delivered(request.len()),
                }
            }
        }
    }
    for shutdown in [false, true] {
        let lane = Lane::builder("requests").linger(LONG).start(Requests);
        for n in 0..6 {
            lane.push(4, |records: &mut Records<u32>| records.push(n));
        }
        let report = if shutdown { lane.shutdown(LONG) } else { lane.flush(LONG) };
        assert_eq!((report.delivered(), report.failed()), (4, 2));
        assert!(!report.is_complete());
        assert_eq!(report.lanes()[0].reasons, [(Reason::SinkFailed, 2)]);
        assert_eq!(report.to_string(), "requests: 4 delivered, 2 failed (sink_failed 2)");
    }
}

#[test]
fn scenario_04_a_blocked_sink_blocks_neither_caller_nor_flush() {
    let (world, builder, sink) = recorder();
    let lane = builder.capacity_bytes(50).start(sink);
    world.blocked.store(true, Ordering::Release);
    let start = Instant::now();
    let kept = (0..100).filter(|_| say(&lane, "123456789")).count();
    assert_eq!(kept, 5, "the queue has room for five");
    let report = lane.flush(Duration::from_millis(50));
    assert!(start.elapsed() < LONG, "the caller was not held up");
    assert_eq!((report.pending(), report.dropped()), (5, 95), "{report}");
    assert_eq!(report.lanes()[0].reasons, [(Reason::QueueFull, 95)]);
    world.blocked.store(false, Ordering::Release);
    // The line that tells of the loss is not one of them.
    assert_eq!(lane.flush(LONG).delivered(), 5);
}

#[test]
fn scenario_04_a_caller_that_asked_to_be_blocked_waits_for_room_but_not_for_ever() {
    let (world, builder, sink) = recorder();
    let lane =
        builder.capacity_bytes(10).overflow(Overflow::Block(Duration::from_millis(30))).start(sink);
    world.blocked.store(true, Ordering::Release);
    assert!(say(&lane, "123456789"));
    let start = Instant::now();
    assert!(!say(&lane, "no room"));
    assert!(start.elapsed() >= Duration::from_millis(30));

    let (world2, builder, sink) = recorder();
    let lane = builder.capacity_bytes(10).overflow(Overflow::Block(LONG)).start(sink);
    for n in 0..50 {
        assert!(say(&lane, &format!("line {n}")), "there is room in the end");
    }
    let _ = lane.flush(LONG);
    assert_eq!(world2.lines().len(), 50);
    world.blocked.store(false, Ordering::Release);
}

#[test]
fn scenario_09_the_worker_drains_and_ends_when_the_last_handle_is_dropped() {
    struct Ends(Recorder, Sender<()>);
    impl Sink<Lines> for Ends {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            self.0.deliver(batch, delivery);
        }
    }
    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.1.send(());
        }
    }
    let (world, builder, sink) = recorder();
    let (ended, end): (_, Receiver<()>) = channel();
    let lane = builder.linger(LONG).start(Ends(sink, ended));
    let clone = lane.clone();
    say(&lane, "last words");
    drop(lane);
    assert!(end.try_recv().is_err(), "a handle is left");
    drop(clone);
    end.recv_timeout(LONG).expect("the worker ends");
    assert_eq!(world.lines(), ["last words"]);
}

#[test]
fn scenario_10_continuous_load_does_not_starve_a_flush() {
    let (_, builder, sink) = recorder();
    let lane = builder.capacity_bytes(1 << 20).start(sink);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    say(&lane, "load");
                    std::thread::yield_now();
                }
            });
        }
        for _ in 0..20 {
            let report = lane.flush(LONG);
            assert_eq!(report.pending(), 0, "{report}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn scenario_11_after_the_shutdown_everything_is_refused_and_counted() {
    let (world, builder, sink) = recorder();
    let lane = builder.start(sink);
    say(&lane, "before");
    assert!(lane.shutdown(LONG).is_complete());
    assert!(!say(&lane, "after"));
    let report = lane.flush(LONG);
    assert_eq!(report.dropped(), 1);
    assert_eq!(report.lanes()[0].reasons, [(Reason::Closed, 1)]);
    assert!(lane.shutdown(LONG).is_complete());
    assert_eq!(world.lines(), ["before"]);
}

#[test]
fn scenario_12_a_dead_destination_costs_no_more_than_the_capacity_and_the_loss_is_told() {
    const CAPACITY: usize = 10_000;
    let (world, builder, sink) = recorder();
    let lane = builder.capacity_bytes(CAPACITY).linger(Duration::ZERO).start(sink);
    world.blocked.store(true, Ordering::Release);
    let mut kept = 0;
    for _ in 0..CAPACITY {
        kept += usize::from(say(&lane, "123456789"));
        assert!(lane.stats().pending_bytes <= CAPACITY);
    }
    assert!(kept <= CAPACITY / 10, "{kept}");
    world.blocked.store(false, Ordering::Release);
    let _ = lane.flush(LONG);
    say(&lane, "recovered");
    let _ = lane.flush(LONG);
    let told: usize = world
        .lines()
        .iter()
        .filter_map(|line| {
            line.strip_prefix("lost ")?.strip_suffix(": queue_full")?.parse::<usize>().ok()
        })
        .sum();
    assert_eq!(told, CAPACITY - kept);
    assert_eq!(lane.stats().dropped, told as u64);
    assert_eq!(lane.stats().pending, 0);
}

#[test]
fn an_item_that_never_fits_is_refused_at_once() {
    let (_, builder, sink) = recorder();
    let lane = builder.capacity_bytes(5).overflow(Overflow::Block(LONG)).start(sink);
    assert!(!say(&lane, "longer than five"));
    assert_eq!(lane.stats().reasons, [(Reason::TooLarge, 1)]);
}

#[test]
fn scenario_12_losses_are_told_when_a_sink_that_failed_works_again_or_the_lane_ends() {
    /// Fails while the world is blocked.
    struct Fails(Recorder);
    impl Sink<Lines> for Fails {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            if self.0.0.blocked.load(Ordering::Acquire) {
                delivery.failed(batch.len(), Reason::SinkFailed);
            } else {
                self.0.deliver(batch, delivery);
            }
        }
        fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
            self.0.report_lost(lost, batch);
        }
    }
    let (world, builder, sink) = recorder();
    let lane = builder.capacity_bytes(50).linger(LONG).start(Fails(sink));
    world.blocked.store(true, Ordering::Release);
    say(&lane, "fails");
    let _ = lane.flush(LONG);
    say(&lane, "longer than all that the lane can hold at one time, and so it is dropped");
    let _ = lane.flush(LONG);
    world.blocked.store(false, Ordering::Release);
    let report = lane.shutdown(LONG);
    assert_eq!(report.pending(), 0, "{report}");
    let told = world.lines();
    assert_eq!(told[0], "lost 1: too_large");
    assert_eq!(told[1], "lost 1: sink_failed");
    assert_eq!(lane.stats().pending, 0);
}

#[test]
fn scenario_12_what_is_dropped_while_the_sink_has_its_last_batch_is_told_before_the_lane_ends() {
    for (shutdown, synchronous) in [(true, false), (false, false), (true, true), (false, true)] {
        let (world, builder, sink) = recorder();
        let builder = builder.capacity_bytes(160).linger(Duration::ZERO);
        let lane = if synchronous { builder.synchronous() } else { builder }.start(sink);
        world.blocked.store(true, Ordering::Release);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| assert!(say(&lane, "123456789")));
            while world.deliveries.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            // With the sink and not in the queue: there is nothing to take after it.
            assert!(!lane.push(155, |lines| lines.push(b"no room")));
            let end = if shutdown { lane.shutdown_async(LONG) } else { lane.flush_async(LONG) };
            world.blocked.store(false, Ordering::Release);
            let report = end.wait();
            assert_eq!((report.delivered(), report.dropped()), (1, 1), "{report}");
            first.join().unwrap();
        });
        assert_eq!(world.lines(), ["123456789", "lost 1: queue_full"]);
    }
}

#[test]
fn scenario_03_each_loss_is_in_one_report_also_where_flushes_overlap() {
    let (world, builder, sink) = recorder();
    let lane = builder.capacity_bytes(10).start(sink);
    world.blocked.store(true, Ordering::Release);
    let refused = (0..5).filter(|_| !say(&lane, "123456789")).count() as u64;
    let flushes: Vec<_> = (0..8).map(|_| lane.flush_async(LONG)).collect();
    world.blocked.store(false, Ordering::Release);
    let dropped: u64 = flushes.into_iter().map(|flush| flush.wait().dropped()).sum();
    assert_eq!(dropped, refused);
}

#[test]
fn what_was_lost_is_left_for_the_report_where_a_flush_makes_none() {
    let (world, builder, sink) = recorder();
    let lane = builder.capacity_bytes(10).start(sink);
    world.blocked.store(true, Ordering::Release);
    assert!(say(&lane, "fits"));
    assert!(!say(&lane, "does not fit"));
    assert!(!lane.flush_async(Duration::from_millis(10)).settle(), "its sink is blocked");
    world.blocked.store(false, Ordering::Release);
    assert!(lane.flush_async(LONG).settle());
    let report = lane.flush(LONG);
    assert_eq!((report.delivered(), report.dropped()), (1, 1), "{report}");
}

#[test]
fn scenario_06_a_shutdown_s_deadline_overrules_the_flushes_and_an_abandoned_flush_has_none() {
    struct Asks(Sender<Option<Duration>>);
    impl Sink<Lines> for Asks {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            let left = delivery.deadline().map(|at| at.saturating_duration_since(Instant::now()));
            self.0.send(left).unwrap();
            delivery.delivered(batch.len());
        }
    }
    let (send, asked) = channel();
    let lane = Lane::builder("asks").linger(Duration::ZERO).start(Asks(send));
    drop(lane.flush_async(LONG * 100));
    say(&lane, "nobody waits");
    assert_eq!(asked.recv_timeout(LONG).unwrap(), None);
    let waiting = lane.flush_async(LONG * 100);
    let _ = lane.shutdown(LONG);
    drop(waiting);

    let (send, asked) = channel();
    let lane = Lane::builder("asks").linger(LONG).start(Asks(send));
    say(&lane, "the shutdown waits");
    let _ = lane.shutdown(LONG);
    assert!(asked.recv_timeout(LONG).unwrap().unwrap() <= LONG);
}

#[test]
fn scenario_14_an_item_whose_drop_panics_does_not_end_the_worker() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "as the test wants it");
        }
    }
    struct Keeps;
    impl Sink<Records<Bomb>> for Keeps {
        fn deliver(&mut self, batch: &mut Records<Bomb>, delivery: &Delivery<'_>) {
            delivery.delivered(batch.len());
        }
    }
    let lane = Lane::builder("bombs").start(Keeps);
    for is_armed in [true, false] {
        lane.push(1, |bombs| bombs.push(Bomb(is_armed)));
        assert!(lane.flush(LONG).is_complete());
    }
}

#[test]
fn scenario_14_a_sink_that_panics_loses_its_batch_and_goes_on() {
    struct PanicsOnce(Recorder, bool);
    impl Sink<Lines> for PanicsOnce {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            if !std::mem::replace(&mut self.1, true) {
                delivery.delivered(1);
                panic!("as the test wants it");
            }
            self.0.deliver(batch, delivery);
        }
    }
    let (world, builder, sink) = recorder();
    let lane = builder.linger(LONG).start(PanicsOnce(sink, false));
    for _ in 0..3 {
        say(&lane, "lost");
    }
    let report = lane.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (1, 2));
    assert_eq!(report.lanes()[0].reasons, [(Reason::SinkPanicked, 2)]);
    assert!(say(&lane, "kept"));
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines(), ["kept"]);
}

#[test]
fn a_caller_that_waits_for_room_ends_the_linger() {
    let (_, builder, sink) = recorder();
    let lane =
        builder.capacity_bytes(100).linger(LONG * 10).overflow(Overflow::Block(LONG)).start(sink);
    assert!(lane.push(40, |lines| lines.push(b"less than half")));
    let start = Instant::now();
    assert!(lane.push(70, |lines| lines.push(b"no room beside the first")));
    assert!(start.elapsed() < LONG);
}

#[cfg(feature = "tokio")]
#[test]
fn an_awaiting_sink_has_a_runtime_that_outlives_the_callers() {
    struct Sleeps(Arc<World>);
    impl AsyncSink<Lines> for Sleeps {
        async fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            // A task that lives on between deliveries, as a connection's does.
            let world = Arc::clone(&self.0);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                lock(&world.lines).push("afterwards".to_owned());
                world.arrived.notify_all();
            });
            assert!(on_lane_thread());
            delivery.delivered(batch.len());
        }
    }
    let world = Arc::new(World::default());
    let lane = Lane::builder("net")
        .linger(Duration::ZERO)
        .start_async(Sleeps(Arc::clone(&world)))
        .unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        say(&lane, "line");
        assert_eq!(lane.flush_async(LONG).await.delivered(), 1);
    });
    world.wait_for(1);
}

#[test]
fn lines_and_records_keep_what_is_pushed_until_they_are_cleared() {
    let mut lines = Lines::default();
    lines.push(b"one");
    lines.push(b"");
    assert_eq!(lines.iter().collect::<Vec<_>>(), [&b"one\n"[..], b"\n"]);
    assert_eq!((lines.len(), lines.as_bytes()), (2, &b"one\n\n"[..]));
    lines.clear(0);
    assert!(lines.is_empty());
    let mut records = Records::default();
    records.push("a");
    records.push("b");
    assert_eq!(records.drain().collect::<Vec<_>>(), ["a", "b"]);
    assert!(records.is_empty());
}
