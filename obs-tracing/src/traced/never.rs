//! The type `!`, which has no name yet except where a function returns.

/// Reads a function's return type.
pub trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// `!`
pub type Never = <fn() -> ! as Returns>::Type;
