//! The text that is searched, as the patterns see it.

use std::ops::Range;

/// A text of which everything before `floor` is done with.
///
/// What was replaced already looks to a pattern as it does in the result. So a second search of the
/// result finds nothing that the first one did not.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    /// UTF-8, but looked at byte by byte: only what is close to a secret is checked for it again.
    pub(super) bytes: &'t [u8],
    pub(super) floor: usize,
}

impl<'t> Text<'t> {
    /// A part of the text, whose ends are those of characters.
    pub(super) fn part(&self, range: Range<usize>) -> &'t str {
        let part = self.bytes.get(range).unwrap_or_default();
        std::str::from_utf8(part).unwrap_or_default()
    }

    /// The byte at `at`; `None` at the end.
    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Whether `bytes` stand at `at`.
    pub(super) fn has(&self, at: usize, bytes: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(bytes))
    }

    /// The byte that stands `back` bytes before `at`; `None` where the text begins.
    pub(super) fn before(&self, at: usize, back: usize) -> Option<u8> {
        let place = at.checked_sub(back)?;
        if place < self.floor { Some(b']') } else { self.at(place) }
    }

    /// The end of the bytes from `at` on that are `wanted`.
    pub(super) fn run(&self, at: usize, mut wanted: impl FnMut(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len())
    }

    /// Where the bytes begin that end before `at` and are `wanted`.
    pub(super) fn run_back(&self, at: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let before = self.bytes.get(self.floor..at).unwrap_or_default();
        at - before.iter().rev().position(|byte| !wanted(*byte)).unwrap_or(before.len())
    }

    /// Whether no letter and no digit stands before `at`.
    pub(super) fn begins_word(&self, at: usize) -> bool {
        !self.before(at, 1).is_some_and(|byte| byte.is_ascii_alphanumeric())
    }

    /// Whether no letter and no digit stands at `at`.
    pub(super) fn ends_word(&self, at: usize) -> bool {
        !self.at(at).is_some_and(|byte| byte.is_ascii_alphanumeric())
    }
}
