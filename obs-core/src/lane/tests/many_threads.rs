//! Lanes whose threads have shards.

use super::*;

fn say_at(lane: &Lane<Lines>, at: u64, line: &str) -> bool {
    lane.push_at(line.len() + 1, at, |lines| lines.push(line.as_bytes()))
}

/// On a thread of its own, and so in another shard than the last one.
fn elsewhere<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn each_threads_lines_arrive_in_order_and_all_are_counted() {
    const LINES: usize = 5_000;
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(Duration::ZERO).start(sink);
    let reported: u64 = std::thread::scope(|scope| {
        for thread in 0..12 {
            let lane = &lane;
            scope.spawn(move || {
                for n in 0..LINES {
                    assert!(say_at(lane, 7, &format!("{thread} {n}")));
                }
            });
        }
        (0..20).map(|_| lane.flush(LONG)).map(|report| report.delivered()).sum()
    });
    let rest = lane.flush(LONG);
    assert!(rest.is_complete(), "{rest}");
    assert_eq!(reported + rest.delivered(), 12 * LINES as u64);
    let stats = lane.stats();
    assert_eq!((stats.recorded, stats.pending, stats.pending_bytes), (12 * LINES as u64, 0, 0));
    let mut next = [0; 12];
    for line in world.lines() {
        let (thread, n) = line.split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(n.parse(), Ok(*next), "of thread {thread}");
        *next += 1;
    }
}

#[test]
fn scenario_01_what_another_thread_pushed_before_a_flush_is_delivered_by_it() {
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(LONG * 10).start(sink);
    for n in 0..100 {
        let line = n.to_string();
        elsewhere(|| assert!(say_at(&lane, n, &line)));
        let report = lane.flush(LONG);
        assert_eq!((report.delivered(), report.pending()), (1, 0), "{report}");
        assert_eq!(world.lines().last(), Some(&line));
    }
}

#[test]
fn lines_of_one_batch_come_by_their_stamps_and_around_a_push_that_has_none() {
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(LONG * 10).start(sink);
    elsewhere(|| say_at(&lane, 10, "first"));
    elsewhere(|| say_at(&lane, 20, "second"));
    elsewhere(|| say_at(&lane, 30, "third"));
    elsewhere(|| {
        say_at(&lane, 40, "fourth");
        // Set back: a thread's lines keep their order.
        say_at(&lane, 2, "fifth");
    });
    say(&lane, "sixth");
    elsewhere(|| say_at(&lane, 1, "seventh"));
    say(&lane, "eighth");
    assert_eq!(lane.flush(LONG).delivered(), 8);
    let expected = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];
    assert_eq!(world.lines(), expected);
    // The next batch begins anew.
    elsewhere(|| say_at(&lane, 1, "ninth"));
    let _ = lane.flush(LONG);
    assert_eq!(world.lines().last().map(String::as_str), Some("ninth"));
}

#[test]
fn scenario_12_the_capacity_is_used_to_the_last_byte_and_not_beyond() {
    const CAPACITY: usize = 64_000;
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().capacity_bytes(CAPACITY).start(sink);
    world.blocked.store(true, Ordering::Release);
    let mut kept = 0;
    // Each shard has a credit of 1,000 and does not use it.
    for _ in 0..8 {
        kept += usize::from(elsewhere(|| say_at(&lane, 1, "123456789")));
    }
    assert_eq!(lane.stats().pending_bytes, 80);
    for _ in 0..CAPACITY {
        kept += usize::from(say_at(&lane, 1, "123456789"));
    }
    assert_eq!(kept, CAPACITY / 10);
    assert!(!elsewhere(|| say_at(&lane, 1, "")), "no credit is left anywhere");
    assert_eq!(lane.stats().pending_bytes, CAPACITY);
    let refused = 8 + CAPACITY - kept + 1;
    world.blocked.store(false, Ordering::Release);
    let report = lane.flush(LONG);
    assert_eq!((report.delivered(), report.pending()), (kept as u64, 0), "{report}");
    assert_eq!(report.lanes()[0].reasons, [(Reason::QueueFull, refused as u64)]);
    // The loss is told after what was kept.
    assert!(say_at(&lane, 1, "there is room again"));
    let _ = lane.flush(LONG);
    let lost: usize = world
        .lines()
        .iter()
        .filter_map(|line| line.strip_prefix("lost ")?.split(':').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(lost, refused);
}

#[test]
fn a_shard_that_is_empty_wakes_the_worker_also_after_a_push_of_nothing() {
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(Duration::from_millis(1)).start(sink);
    for round in 1..20 {
        assert!(lane.push_at(10, 1, |_| {}));
        std::thread::sleep(Duration::from_millis(2));
        assert!(say_at(&lane, 1, "line"));
        world.wait_for(round);
    }
}

#[test]
fn scenario_09_and_11_the_last_lines_of_shards_arrive_and_none_after_the_end() {
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(LONG * 10).start(sink);
    for n in 0..8 {
        elsewhere(|| assert!(say_at(&lane, n, "before")));
    }
    let report = lane.shutdown(LONG);
    assert_eq!((report.delivered(), report.pending()), (8, 0), "{report}");
    for n in 0..8 {
        elsewhere(|| assert!(!say_at(&lane, n, "after")));
    }
    assert_eq!(lane.flush(LONG).dropped(), 8);
    assert_eq!(world.lines(), ["before"; 8]);

    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().linger(LONG * 10).start(sink);
    elsewhere(|| say_at(&lane, 1, "last words"));
    drop(lane);
    assert_eq!(world.wait_for(1), ["last words"]);
}

#[test]
fn scenario_04_many_threads_that_asked_to_be_blocked_all_find_room_in_the_end() {
    let (world, builder, sink) = recorder();
    let builder = builder.for_many_threads().overflow(Overflow::Block(LONG));
    let lane = builder.capacity_bytes(100).linger(LONG * 10).start(sink);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..200).for_each(|n| assert!(say_at(&lane, n, "123456789"))));
        }
    });
    assert!(lane.flush(LONG).is_complete());
    assert_eq!(world.lines().len(), 1_200);
}

#[test]
fn a_synchronous_lane_for_many_threads_is_one_like_others() {
    let (world, builder, sink) = recorder();
    let lane = builder.for_many_threads().synchronous().start(sink);
    assert!(say_at(&lane, 1, "at once"));
    assert_eq!(world.lines(), ["at once"]);
}

#[test]
fn gathered_lines_are_read_by_their_stamps_and_joined_when_bytes_are_asked_for() {
    let part = |lines: &[(u64, &str)]| {
        let mut part = Lines::default();
        for (at, line) in lines {
            part.push(line.as_bytes());
            part.stamp(*at);
        }
        part
    };
    let check = |parts: &[&[(u64, &str)]], expected: &str| {
        let mut batch = Lines::default();
        for lines in parts {
            let mut lines = part(lines);
            batch.gather(&mut lines);
            assert!(lines.is_empty());
        }
        batch.push(b"!");
        let text: String =
            batch.iter().map(|line| std::str::from_utf8(line).unwrap().trim_end()).collect();
        assert_eq!(text, format!("{expected}!"));
        assert_eq!(batch.len(), expected.len() + 1);
        assert_eq!(batch.as_bytes().len(), 2 * batch.len());
        assert_eq!(batch.iter().count(), expected.len() + 1);
        batch.clear(1 << 20);
        assert!(batch.is_empty() && batch.iter().next().is_none());
    };
    check(&[], "");
    check(&[&[], &[(1, "a")], &[]], "a");
    check(&[&[(1, "a"), (2, "b")], &[(3, "c")]], "abc");
    check(&[&[(3, "c")], &[(1, "a"), (2, "b")]], "abc");
    check(&[&[(1, "a"), (3, "c"), (5, "e")], &[(2, "b"), (4, "d")]], "abcde");
    // Of equal ones those of the first part.
    check(&[&[(1, "a"), (2, "b")], &[(2, "c"), (2, "d")], &[(0, "_"), (2, "e")]], "_abcde");
    check(&[&[(7, "a"), (7, "b")], &[(7, "c")], &[(0, "_"), (9, "d")]], "_abcd");
}
