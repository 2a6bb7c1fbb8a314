//! Squeezes what a histogram counted into as many values as one datum takes.

/// Values between two bounds, both included; none, one or many of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bin {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

/// The fewest values that anything fits in: the minimum, the maximum, and between them what is
/// negative, zero and positive.
const FEWEST: usize = 5;

/// How often the range in question is halved: it has 1,077 powers of two, so what the ratio has above
/// 1 is known to a thousandth.
const HALVINGS: u32 = 20;

/// At most `most` values (5 at least) with their counts, ascending and distinct.
///
/// The bins are ascending, do not overlap, none reaches over zero; the first begins with the
/// smallest value and the last ends with the largest. These two stay as they are. Where not each
/// other bin can be a value of its own, neighbours are put together so that the largest ratio
/// between a group's bounds is as small as it can be. A group becomes its mean.
pub(crate) fn compress(mut bins: Vec<Bin>, most: usize) -> Vec<(f64, u64)> {
    if bins.len() <= most && bins.iter().all(Bin::is_point) {
        return bins.into_iter().map(|bin| (bin.low, bin.count)).collect();
    }
    let most = most.max(FEWEST) - 2;
    let mut values = Vec::with_capacity(bins.len().min(most) + 2);
    let min = bins.first_mut().map(|bin| bin.take_out(bin.low));
    let max = bins.last_mut().and_then(|bin| (bin.count > 0).then(|| bin.take_out(bin.high)));
    bins.retain(|bin| bin.count > 0);

    values.extend(min);
    let ratio = if bins.len() <= most { 1.0 } else { narrowest(&bins, most) };
    values.extend(groups(&bins, ratio).map(mean));
    values.extend(max);
    // A mean can be one of the bounds.
    values.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    values
}

/// The least ratio with which there are at most `most` groups.
fn narrowest(bins: &[Bin], most: usize) -> f64 {
    // What the ratio has above 1, as a power of two: from the least that makes a difference to
    // infinity, with which each sign is one group.
    let (mut too_little, mut enough) = (-53.0, 1024.0);
    let ratio = |power: f64| 1.0 + power.exp2();
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(too_little, enough);
        if groups(bins, ratio(middle)).nth(most).is_none() {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    ratio(enough)
}

/// The bins in groups of neighbours: each takes in as many as have its sign and keep within `ratio`.
fn groups(bins: &[Bin], ratio: f64) -> impl Iterator<Item = &[Bin]> {
    let mut rest = bins;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let fits = |bin: &Bin| {
            if first.low > 0.0 {
                bin.high <= first.low * ratio
            } else {
                // What is zero or positive, or too near to zero, ends a group of negative numbers.
                bin.high < 0.0 && -first.low <= -bin.high * ratio
            }
        };
        let more = rest[1..].iter().take_while(|bin| fits(bin)).count();
        let (group, others) = rest.split_at(1 + more);
        rest = others;
        Some(group)
    })
}

/// The mean of a group with the group's count.
fn mean(group: &[Bin]) -> (f64, u64) {
    let count = group.iter().fold(0_u64, |count, bin| count.saturating_add(bin.count));
    if let [bin] = group
        && bin.is_point()
    {
        return (bin.low, count);
    }
    let low = group.first().map_or(0.0, |bin| bin.low);
    let high = group.last().map_or(0.0, |bin| bin.high);
    let sum: f64 = group.iter().map(|bin| bin.sum).sum();
    // Rounding may lead a hair beyond the bounds, and then out of order.
    ((sum / count as f64).max(low).min(high), count)
}

impl Bin {
    fn is_point(&self) -> bool {
        self.low == self.high
    }

    /// Takes one of its bounds out, with its count: all of a point, one occurrence otherwise.
    fn take_out(&mut self, bound: f64) -> (f64, u64) {
        let count = if self.is_point() { self.count } else { 1 };
        self.count -= count;
        self.sum -= bound * count as f64;
        (bound, count)
    }
}
