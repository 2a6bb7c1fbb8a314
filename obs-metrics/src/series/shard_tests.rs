use super::shard::{Forget, Identity, Recorded, Shard};

#[derive(Debug)]
struct Name(&'static str);

impl Identity for Name {
    type Key = &'static str;

    fn key(&self) -> &'static str {
        self.0
    }
}

impl Recorded for u32 {
    fn is_empty(&self) -> bool {
        *self == 0
    }
}

type Names = Shard<Name, u32>;

fn record(shard: &Names, hash: u64, name: &'static str) -> usize {
    let mut table = shard.table();
    let known = table.find(hash, |known| known.0 == name);
    let slot = known.unwrap_or_else(|| table.add(hash, Name(name)));
    *table.values(slot).unwrap() += 1;
    table.grew();
    slot
}

fn check_take(shard: &Names, forget: Forget, expected: &[(&str, u32)], forgotten: usize) {
    let mut taken = Vec::new();
    let count = shard.take(forget, |name, n| taken.push((name, n)));
    assert_eq!(taken, expected);
    assert_eq!(count, forgotten);
    assert_eq!(shard.table().held(), 0);
}

#[test]
fn series_of_one_hash_are_told_apart() {
    for forgotten in ["A", "B", "C"] {
        let shard = Names::default();
        let slots = ["A", "B", "C"].map(|name| record(&shard, 7, name));
        assert_eq!(slots, [0, 1, 2]);
        check_take(&shard, Forget::Unused, &[("A", 1), ("B", 1), ("C", 1)], 0);
        // The first, the middle and the last of their list go, each in turn.
        let others: Vec<_> =
            ["A", "B", "C"].into_iter().filter(|name| *name != forgotten).collect();
        others.iter().for_each(|name| _ = record(&shard, 7, name));
        let expected: Vec<_> = others.iter().map(|name| (*name, 1)).collect();
        check_take(&shard, Forget::Unused, &expected, 1);
        let table = shard.table();
        assert_eq!(table.find(7, |known| known.0 == forgotten), None);
        for other in others {
            assert!(
                table.find(7, |known| known.0 == other).is_some(),
                "{other} without {forgotten}"
            );
        }
    }
}

#[test]
fn a_free_slot_is_used_again() {
    let shard = Names::default();
    record(&shard, 1, "A");
    record(&shard, 2, "B");
    check_take(&shard, Forget::Unused, &[("A", 1), ("B", 1)], 0);
    record(&shard, 2, "B");
    check_take(&shard, Forget::Unused, &[("B", 1)], 1);
    assert_eq!(shard.table().len(), 1);
    assert_eq!((record(&shard, 3, "C"), record(&shard, 4, "D")), (0, 2));
    check_take(&shard, Forget::Unused, &[("C", 1), ("D", 1)], 1);
    check_take(&shard, Forget::Unused, &[], 2);
    assert_eq!(shard.table().len(), 0);
    assert_eq!(shard.table().find(3, |known| known.0 == "C"), None);
}

#[test]
fn all_are_forgotten_where_that_is_asked_for() {
    let shard = Names::default();
    record(&shard, 1, "A");
    check_take(&shard, Forget::Unused, &[("A", 1)], 0);
    record(&shard, 1, "A");
    record(&shard, 2, "B");
    check_take(&shard, Forget::All, &[("A", 1), ("B", 1)], 2);
    assert_eq!(shard.table().len(), 0);
}

#[test]
fn what_is_recorded_while_it_is_taken_stays_known() {
    let shard = Names::default();
    record(&shard, 1, "A");
    let mut taken = 0;
    let forgotten = shard.take(Forget::All, |_, n| {
        taken += n;
        record(&shard, 1, "A");
    });
    assert_eq!((taken, forgotten), (1, 0));
    assert_eq!(shard.try_take(Forget::Unused, |_, n| taken += n), 0);
    assert_eq!(taken, 2);
}
