//! Lines of several threads, each thread's in a buffer of its own, read in the order of their stamps.

use super::{Batch, Lines};

#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Those that are in use come first; the others are empty, and keep their memory.
    parts: Vec<Lines>,
    in_use: usize,
    lines: usize,
}

impl Gathered {
    #[inline]
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn bytes(&self) -> usize {
        self.used().iter().map(|part| part.bytes.len()).sum()
    }

    fn used(&self) -> &[Lines] {
        self.parts.get(..self.in_use).unwrap_or_default()
    }

    /// Takes the lines of `part`, which gets an empty buffer for them.
    pub(super) fn take(&mut self, part: &mut Lines) {
        if self.in_use == self.parts.len() {
            self.parts.push(Lines::default());
        }
        if let Some(free) = self.parts.get_mut(self.in_use) {
            std::mem::swap(free, part);
            self.lines += free.ends.len();
            self.in_use += 1;
        }
    }

    #[inline]
    pub(super) fn clear(&mut self, keep_bytes: usize) {
        if !self.parts.is_empty() {
            self.clear_parts(keep_bytes);
        }
    }

    /// Together they keep no more than one of them may.
    fn clear_parts(&mut self, mut keep_bytes: usize) {
        for part in &mut self.parts {
            part.clear(keep_bytes);
            keep_bytes = keep_bytes.saturating_sub(part.bytes.capacity());
        }
        (self.in_use, self.lines) = (0, 0);
    }

    /// The lines here, and then those of `last`.
    #[inline]
    pub(super) fn iter<'l>(&'l self, last: &'l Lines) -> Merged<'l> {
        let last = Run { bytes: &last.bytes, ends: last.ends.iter(), start: 0 };
        if self.lines == 0 {
            return Merged { heads: Vec::new(), run: last, last: None };
        }
        let heads = self.used().iter().map(|part| Head { part, line: 0, start: 0 }).collect();
        Merged { heads, run: Run::default(), last: Some(last) }
    }
}

/// Lines that stand one after the other.
#[derive(Debug, Default)]
struct Run<'l> {
    bytes: &'l [u8],
    ends: std::slice::Iter<'l, usize>,
    start: usize,
}

impl<'l> Run<'l> {
    #[inline]
    fn next(&mut self) -> Option<&'l [u8]> {
        let end = *self.ends.next()?;
        let line = self.bytes.get(self.start..end);
        self.start = end;
        line
    }
}

/// The first line of a part that was not read.
#[derive(Debug)]
struct Head<'l> {
    part: &'l Lines,
    line: usize,
    start: usize,
}

impl<'l> Head<'l> {
    fn is_done(&self) -> bool {
        self.line == self.part.ends.len()
    }

    /// A line without a stamp comes at once.
    fn stamp(&self) -> u64 {
        self.part.stamps.get(self.line).copied().unwrap_or(0)
    }

    /// The next line and those after it up to this stamp; all of them where there is none.
    fn take(&mut self, until: Option<u64>) -> Run<'l> {
        let rest = self.part.ends.get(self.line..).unwrap_or_default();
        let lines = match until {
            Some(until) => {
                let stamps = self.part.stamps.get(self.line + 1..).unwrap_or_default();
                1 + stamps.iter().take_while(|stamp| **stamp <= until).count()
            }
            None => rest.len(),
        };
        let ends = rest.get(..lines).unwrap_or(rest);
        let run = Run { bytes: &self.part.bytes, ends: ends.iter(), start: self.start };
        self.line += ends.len();
        self.start = ends.last().copied().unwrap_or(self.start);
        run
    }
}

/// The lines of all parts by their stamps.
#[derive(Debug)]
pub(super) struct Merged<'l> {
    heads: Vec<Head<'l>>,
    run: Run<'l>,
    last: Option<Run<'l>>,
}

impl<'l> Merged<'l> {
    /// The next lines of one part, before which no other has any.
    fn next_run(&mut self) -> Option<Run<'l>> {
        self.heads.retain(|head| !head.is_done());
        let stamps = || self.heads.iter().map(Head::stamp).enumerate();
        // Of equal ones the first.
        let Some((first, _)) = stamps().min_by_key(|(_, stamp)| *stamp) else {
            return self.last.take();
        };
        // A part before it goes on first where they are equal; its stamp is greater than the least.
        let others = stamps().filter(|(other, _)| *other != first);
        let until = others.map(|(other, stamp)| stamp - u64::from(other < first)).min();
        self.heads.get_mut(first).map(|head| head.take(until))
    }
}

impl<'l> Iterator for Merged<'l> {
    type Item = &'l [u8];

    #[inline]
    fn next(&mut self) -> Option<&'l [u8]> {
        loop {
            if let Some(line) = self.run.next() {
                return Some(line);
            }
            if self.heads.is_empty() && self.last.is_none() {
                return None;
            }
            self.run = self.next_run()?;
        }
    }
}
