//! How far a batch of lines has been written.

use obs_core::lane::Lines;

/// A place in a batch: the lines before it are written, one may be in part.
#[derive(Debug)]
pub(super) struct Progress<'a, I> {
    bytes: &'a [u8],
    lengths: I,
    /// Where the line begins that is being written.
    line: usize,
    /// Where it ends.
    line_end: usize,
    at: usize,
}

impl<'a> Progress<'a, ()> {
    pub(super) fn of(lines: &'a mut Lines) -> Progress<'a, impl Iterator<Item = usize>> {
        let bytes = lines.as_bytes();
        let mut lengths = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len);
        let line_end = lengths.next().unwrap_or(0);
        Progress { bytes, lengths, line: 0, line_end, at: 0 }
    }
}

impl<'a, I: Iterator<Item = usize>> Progress<'a, I> {
    /// What is still to be written.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// `bytes` of the rest were taken. Returns how many lines that completed.
    pub(super) fn took(&mut self, bytes: usize) -> usize {
        self.at += bytes;
        let mut completed = 0;
        while self.line_end > self.line && self.at >= self.line_end {
            completed += 1;
            self.line = self.line_end;
            self.line_end += self.lengths.next().unwrap_or(0);
        }
        completed
    }

    /// Goes back to the beginning of a line of which only a part was taken: who reads a new
    /// connection has not seen the old one's part.
    pub(super) fn begin_line_again(&mut self) {
        self.at = self.line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_complete_when_their_line_feed_was_taken() {
        let mut lines = Lines::default();
        for line in ["first", "2nd", "", "fourth"] {
            lines.push(line.as_bytes());
        }
        let mut progress = Progress::of(&mut lines);
        assert_eq!(progress.rest(), b"first\n2nd\n\nfourth\n");
        assert_eq!(progress.took(0), 0);
        assert_eq!(progress.took(5), 0);
        progress.begin_line_again();
        assert_eq!(progress.rest(), b"first\n2nd\n\nfourth\n");
        assert_eq!(progress.took(8), 1);
        progress.begin_line_again();
        assert_eq!(progress.rest(), b"2nd\n\nfourth\n");
        assert_eq!(progress.took(5), 2);
        progress.begin_line_again();
        assert_eq!(progress.rest(), b"fourth\n");
        assert_eq!(progress.took(7), 1);
        assert_eq!(progress.rest(), b"");
        progress.begin_line_again();
        assert_eq!(progress.rest(), b"");
        assert_eq!(Progress::of(&mut Lines::default()).took(0), 0);
    }
}
