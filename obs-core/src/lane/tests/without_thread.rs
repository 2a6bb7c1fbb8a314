//! Lanes that deliver on their callers' threads: because they were asked to, or because the system
//! refused a thread.

use std::future::Future;
use std::pin::Pin;

use super::*;

#[cfg(target_pointer_width = "64")]
#[test]
fn scenario_13_without_a_thread_deliveries_are_synchronous() {
    let (world, builder, sink) = recorder();
    // No address space has room for this stack: the system refuses the thread.
    let lane = builder.stack_size(1 << 60).start(sink);
    assert!(crate::health::counted(crate::health::Event::WorkerNotStarted) > 0);
    assert!(say(&lane, "on the caller's thread"));
    assert_eq!(world.lines(), ["on the caller's thread"], "delivered before push returned");
    assert!(lane.flush(LONG).is_complete());
    assert!(lane.shutdown(LONG).is_complete());
    assert!(!say(&lane, "after"));
}

#[cfg(all(feature = "tokio", target_pointer_width = "64"))]
#[test]
fn scenario_13_without_a_thread_an_awaiting_sink_delivers_in_the_flush() {
    struct Awaits(Arc<World>);
    impl AsyncSink<Lines> for Awaits {
        async fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            tokio::time::sleep(Duration::from_millis(30)).await;
            lock(&self.0.lines)
                .extend(batch.iter().map(|l| String::from_utf8_lossy(l).into_owned()));
            delivery.delivered(batch.len());
        }
    }
    let world = Arc::new(World::default());
    let lane =
        Lane::builder("net").stack_size(1 << 60).start_async(Awaits(Arc::clone(&world))).unwrap();
    // Inside a runtime nothing can be driven: it stays queued, and the flush keeps its deadline.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(async {
        assert!(say(&lane, "kept"));
        lane.flush(Duration::from_millis(10))
    });
    assert_eq!(report.pending(), 1);
    // Outside, a flush that is too short gives the delivery up; one that is not, delivers.
    say(&lane, "kept");
    let report = lane.flush(Duration::ZERO);
    assert_eq!((report.failed(), report.pending()), (2, 0), "{report}");
    say(&lane, "kept");
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines(), ["kept\n"]);
}

#[test]
fn scenario_20_a_sink_that_records_into_its_own_lane_neither_deadlocks_nor_goes_on_for_ever() {
    struct Echoes(Arc<World>, Arc<Mutex<Option<Lane<Lines>>>>);
    impl Sink<Lines> for Echoes {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            self.0.deliveries.fetch_add(1, Ordering::Relaxed);
            let lane = lock(&self.1).clone().unwrap();
            say(&lane, "echo");
            let report = lane.flush(LONG);
            assert!(report.delivered() <= 1);
            delivery.delivered(batch.len());
        }
    }
    let (world, itself) = (Arc::new(World::default()), Arc::new(Mutex::new(None)));
    let lane: Lane<Lines> =
        Lane::builder("echo").synchronous().start(Echoes(Arc::clone(&world), Arc::clone(&itself)));
    *lock(&itself) = Some(lane.clone());
    say(&lane, "line");
    assert_eq!(world.deliveries.load(Ordering::Relaxed), 1);
    assert_eq!(lane.stats().reasons, [(Reason::Reentrant, 1)]);
    *lock(&itself) = None;
}

#[test]
fn a_thread_that_holds_what_a_synchronous_delivery_needs_does_not_wait_for_it() {
    /// Needs a lock to deliver, as stdout does.
    struct Locks(Arc<Mutex<()>>, Recorder);
    impl Sink<Lines> for Locks {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            self.1.0.deliveries.fetch_add(1, Ordering::Relaxed);
            let _held = lock(&self.0);
            self.1.deliver(batch, delivery);
        }
    }
    let (world, builder, sink) = recorder();
    let needed = Arc::new(Mutex::new(()));
    let lane = builder.synchronous().start(Locks(Arc::clone(&needed), sink));
    std::thread::scope(|scope| {
        let held = lock(&needed);
        let other = scope.spawn(|| say(&lane, "waits for the lock"));
        while world.deliveries.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        // The other thread runs the delivery now and waits for the lock that this one holds.
        assert!(say(&lane, "left to the other thread"));
        drop(held);
        assert!(other.join().unwrap());
    });
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines(), ["waits for the lock", "left to the other thread"]);
}

#[test]
fn a_sink_may_record_into_another_lane() {
    struct Tells(Lane<Lines>);
    impl Sink<Lines> for Tells {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            assert!(say(&self.0, "told"));
            delivery.delivered(batch.len());
        }
    }
    let (world, builder, sink) = recorder();
    let log = builder.synchronous().start(sink);
    let lane = Lane::builder("tells").start(Tells(log));
    say(&lane, "line");
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines(), ["told"]);
}

#[test]
fn a_synchronous_lane_delivers_from_many_threads_without_losing_a_line() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    say(&lane, "alone");
    assert_eq!(world.lines(), ["alone"], "delivered before push returned");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let lane = lane.clone();
            scope.spawn(move || {
                for n in 0..100 {
                    assert!(say(&lane, &format!("{thread}-{n}")));
                }
            });
        }
    });
    // Nothing waits for a flush, or for another push.
    assert_eq!(world.lines().len(), 401);
    assert!(lane.flush(LONG).is_complete());
}

#[test]
fn scenario_20_lanes_that_record_into_each_other_end_where_the_circle_closes() {
    /// Records into the next lane.
    struct Passes(Arc<Mutex<Option<Lane<Lines>>>>);
    impl Sink<Lines> for Passes {
        fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
            let next = lock(&self.0).clone().unwrap();
            say(&next, "passed on");
            delivery.delivered(batch.len());
        }
    }
    let slots: [Arc<Mutex<Option<Lane<Lines>>>>; 3] = Default::default();
    let lanes = slots
        .each_ref()
        .map(|next| Lane::builder("circle").synchronous().start(Passes(Arc::clone(next))));
    for (n, slot) in slots.iter().enumerate() {
        *lock(slot) = Some(lanes[(n + 1) % 3].clone());
    }
    for round in 1..3 {
        say(&lanes[0], "line");
        assert_eq!(lanes.each_ref().map(|lane| lane.stats().delivered), [round; 3]);
        assert_eq!(lanes[0].stats().reasons, [(Reason::Reentrant, round)]);
    }
    for slot in &slots {
        *lock(slot) = None;
    }
}

#[test]
fn scenario_14_a_waker_that_panics_does_not_take_the_worker_with_it() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as the test wants it");
        }
    }
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    world.blocked.store(true, Ordering::Release);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| say(&lane, "blocked"));
        while world.deliveries.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let mut flush = lane.flush_async(LONG);
        let waker = std::task::Waker::from(Arc::new(Panics));
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(Pin::new(&mut flush).poll(&mut cx).is_pending());
        world.blocked.store(false, Ordering::Release);
        assert!(other.join().is_err(), "the waker's panic is its owner's affair");
    });
    assert!(say(&lane, "goes on"));
    assert_eq!(world.lines(), ["blocked", "goes on"]);
}

#[test]
fn a_thread_that_waits_for_a_synchronous_lane_is_woken_when_it_is_done() {
    let (world, builder, sink) = recorder();
    let lane = builder.synchronous().start(sink);
    world.blocked.store(true, Ordering::Release);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| say(&lane, "blocked"));
        while world.deliveries.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let flushes = [(); 3].map(|()| scope.spawn(|| lane.flush(LONG)));
        std::thread::sleep(Duration::from_millis(20));
        world.blocked.store(false, Ordering::Release);
        for flush in flushes {
            assert_eq!(flush.join().unwrap().pending(), 0);
        }
    });
    assert!(start.elapsed() < LONG);
}
