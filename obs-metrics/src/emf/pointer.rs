//! A place in the document, written out only when something is wrong there.
//!
//! A key may be as long as the document, and what is below it may be nearly as many places: to
//! write each place's pointer would cost the square of the size.

use std::fmt;

/// A JSON pointer (RFC 6901) as a chain of steps up to the root.
#[derive(Clone, Copy)]
pub(super) enum Pointer<'a> {
    Root,
    Member(&'a Pointer<'a>, &'a str),
    Item(&'a Pointer<'a>, usize),
}

impl<'a> Pointer<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Pointer<'a> {
        Pointer::Member(self, name)
    }

    pub(super) fn item(&'a self, index: usize) -> Pointer<'a> {
        Pointer::Item(self, index)
    }
}

impl fmt::Display for Pointer<'_> {
    /// Recurses as deep as the document is nested, which the parser limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pointer::Root => Ok(()),
            Pointer::Item(parent, index) => write!(f, "{parent}/{index}"),
            Pointer::Member(parent, name) => {
                write!(f, "{parent}/")?;
                if name.contains('~') || name.contains('/') {
                    f.write_str(&name.replace('~', "~0").replace('/', "~1"))
                } else {
                    f.write_str(name)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        let root = Pointer::Root;
        assert_eq!(root.to_string(), "");
        for (name, expected) in
            [("", "/"), ("a", "/a"), ("a/b~c", "/a~1b~0c"), ("~1/", "/~01~1"), ("größe", "/größe")]
        {
            assert_eq!(root.member(name).to_string(), expected);
        }
        let array = root.member("p");
        assert_eq!(array.item(7).member("q").to_string(), "/p/7/q");
    }
}
