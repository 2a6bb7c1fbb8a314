//! A value that says by its type that it must not be shown.

use std::fmt;

use super::REDACTED;

/// A value that is never shown: its `Debug` and `Display` write [`REDACTED`], whatever it holds, as a
/// field, in a message, in an error or inside of another type's `Debug`.
///
/// It is not serialized either: it has no `Serialize`, so that a type that derives that says itself what
/// becomes of it. What is taken out with [`Sensitive::expose`] is an ordinary value again. The memory
/// is not cleared when it is dropped.
///
/// ```
/// use obs_core::redact::Sensitive;
///
/// #[derive(Debug)]
/// struct Login {
///     user: String,
///     pin: Sensitive<u32>,
/// }
///
/// let login = Login { user: "jane".to_owned(), pin: Sensitive::new(4711) };
/// assert_eq!(format!("{login:?}"), r#"Login { user: "jane", pin: [REDACTED] }"#);
/// assert_eq!(format!("the PIN is {}", login.pin), "the PIN is [REDACTED]");
/// assert_eq!(login.pin.expose(), &4711);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, to be used and not to be recorded.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself.
    #[must_use = "otherwise it is dropped"]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even its width or precision says anything of the value.
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails the test where it is shown.
    struct Unshowable;

    #[test]
    fn scenario_41_nothing_shows_what_is_sensitive() {
        let text = Sensitive::from("hunter2");
        for shown in [
            format!("{text}"),
            format!("{text:?}"),
            format!("{text:#?}"),
            format!("{text:40.3}"),
            format!("{}", Sensitive::new(Unshowable)),
            format!("{:?}", Sensitive::new(Unshowable)),
        ] {
            assert_eq!(shown, REDACTED);
        }
        assert_eq!(format!("{:?}", Some(text)), "Some([REDACTED])");
        assert_eq!(format!("{:?}", Sensitive::new(text)), REDACTED);
    }

    #[test]
    fn it_is_compared_and_taken_out_as_the_value_is() {
        let (one, two) = (Sensitive::new(1), Sensitive::from(2));
        assert!(one < two && one == Sensitive::new(1));
        assert_eq!((*one.expose(), two.into_inner()), (1, 2));
        assert_eq!(Sensitive::<u8>::default().into_inner(), 0);
    }
}
