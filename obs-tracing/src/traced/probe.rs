//! Reads results and values of any type, as far as their traits allow.
//!
//! A macro cannot know whether a function's result is a `Result`, nor what its error implements.
//! The compiler does: a method call prefers the receiver with the most references that has the
//! method. So each way to read a value is a trait that is implemented at another depth, the best one
//! deepest, and the macros call the method on a probe behind enough references. In a generic
//! function what counts is what its bounds say.

/// A value of which it is not known what it can do.
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

/// How a call ended.
pub mod ending {
    use std::error::Error;
    use std::fmt::Display;

    use super::Probe;
    use crate::failure::Failure;

    /// Declares the ways to read it, the best one first.
    macro_rules! endings {
        ($(
            $way:ident<$($param:ident),*> for $depth:ty $(where {$($bounds:tt)*})?:
            has_failed($probed:ident) => $failed:expr,
            failure($probe:pat, $with_message:pat) => $failure:expr;
        )+) => {$(
            pub trait $way {
                fn has_failed(&self) -> bool;
                fn failure(&self, with_message: bool) -> Failure;
            }

            impl<$($param),*> $way for $depth $(where $($bounds)*)? {
                #[inline]
                fn has_failed(&self) -> bool {
                    let $probed = self.0;
                    $failed
                }

                fn failure(&self, $with_message: bool) -> Failure {
                    let $probe = self.0;
                    $failure
                }
            }
        )+};
    }

    endings! {
        // An error of a known type.
        ErrorEnding<T, E> for &&&&&Probe<'_, Result<T, E>> where {E: Error}:
            has_failed(result) => result.is_err(),
            failure(result, with_message) => match result {
                Err(error) => Failure::of_error(error, with_message),
                Ok(_) => Failure::of_type::<E>(),
            };
        // `Box<dyn Error + Send + Sync>`, `anyhow::Error`: the type inside is asked for.
        SharedErrorEnding<T, E> for &&&&Probe<'_, Result<T, E>>
            where {E: AsRef<dyn Error + Send + Sync>}:
            has_failed(result) => result.is_err(),
            failure(result, with_message) => match result {
                Err(error) => Failure::of_dyn(error.as_ref(), with_message),
                Ok(_) => Failure::of_type::<E>(),
            };
        // `Box<dyn Error>`.
        ErasedErrorEnding<T, E> for &&&Probe<'_, Result<T, E>> where {E: AsRef<dyn Error>}:
            has_failed(result) => result.is_err(),
            failure(result, with_message) => match result {
                Err(error) => Failure::of_dyn(error.as_ref(), with_message),
                Ok(_) => Failure::of_type::<E>(),
            };
        // A text, or a type that says something without being an error.
        DisplayEnding<T, E> for &&Probe<'_, Result<T, E>> where {E: Display}:
            has_failed(result) => result.is_err(),
            failure(result, with_message) => Failure::of_text::<E>(match result {
                Err(error) if with_message => Some(error),
                _ => None,
            });
        // Any other result.
        ResultEnding<T, E> for &Probe<'_, Result<T, E>>:
            has_failed(result) => result.is_err(),
            failure(_, _) => Failure::of_type::<E>();
        // Anything else never fails.
        PlainEnding<T> for Probe<'_, T>:
            has_failed(_value) => false,
            failure(_, _) => Failure::of_type::<T>();
    }
}

/// Whose doing an error is.
pub mod class {
    use obs_core::guard;

    use super::Probe;
    use crate::classify::{Classify, ErrorClass};

    /// The error's type says so.
    pub trait OwnClass {
        fn class(&self) -> Option<ErrorClass>;
    }

    impl<T, E: Classify> OwnClass for &Probe<'_, Result<T, E>> {
        fn class(&self) -> Option<ErrorClass> {
            classified(self.0, E::classify)
        }
    }

    /// Nothing is known, or there is no error.
    pub trait NoClass {
        fn class(&self) -> Option<ErrorClass>;
    }

    impl<T> NoClass for Probe<'_, T> {
        fn class(&self) -> Option<ErrorClass> {
            None
        }
    }

    /// What `classify` says of the error. It is the user's: if it panics, nothing is known.
    pub fn classified<T, E>(
        result: &Result<T, E>,
        classify: impl FnOnce(&E) -> ErrorClass,
    ) -> Option<ErrorClass> {
        result.as_ref().err().and_then(|error| guard::caught(|| classify(error)))
    }
}

/// What a segment hangs on, from a reference.
pub mod parent {
    use obs_core::RequestContext;
    use obs_core::ids::TraceParent;
    use tracing::Id;

    use super::Probe;
    use crate::traced::Parent;

    /// A span: `tracing` reads its id from a reference.
    pub trait SpanParent {
        fn parent(&self) -> Parent;
    }

    impl<'a, T> SpanParent for &&&&Probe<'a, T>
    where
        &'a T: Into<Option<Id>>,
    {
        fn parent(&self) -> Parent {
            Parent::span(self.0.into())
        }
    }

    /// An id, an `Option` of one, or a reference to a span.
    pub trait IdParent {
        fn parent(&self) -> Parent;
    }

    impl<T: Clone + Into<Option<Id>>> IdParent for &&&Probe<'_, T> {
        fn parent(&self) -> Parent {
            Parent::span(self.0.clone().into())
        }
    }

    /// What the caller of this process sent along.
    pub trait TraceIsParent {
        fn parent(&self) -> Parent;
    }

    impl<T: Clone + Into<Option<TraceParent>>> TraceIsParent for &&Probe<'_, T> {
        fn parent(&self) -> Parent {
            Parent::trace(self.0.clone().into())
        }
    }

    /// The same, in a request's context.
    pub trait RequestIsParent {
        fn parent(&self) -> Parent;
    }

    impl<T: AsRequest> RequestIsParent for &Probe<'_, T> {
        fn parent(&self) -> Parent {
            Parent::trace(self.0.request().trace())
        }
    }

    /// A request's context, or a reference to one.
    pub trait AsRequest {
        fn request(&self) -> &RequestContext;
    }

    impl AsRequest for RequestContext {
        fn request(&self) -> &RequestContext {
            self
        }
    }

    impl<T: AsRequest> AsRequest for &T {
        fn request(&self) -> &RequestContext {
            (**self).request()
        }
    }
}

/// What a call returned, for `ret`.
pub mod returned {
    use std::fmt::Debug;

    use super::Probe;
    use crate::value::Value;

    /// The value inside of `Ok`, nothing for an error.
    pub trait ReturnedOk {
        fn returned(&self) -> Option<Value>;
    }

    impl<T: Debug, E> ReturnedOk for &Probe<'_, Result<T, E>> {
        fn returned(&self) -> Option<Value> {
            self.0.as_ref().ok().map(|value| Value::text(&format_args!("{value:?}")))
        }
    }

    /// What is not a `Result`.
    pub trait Returned {
        fn returned(&self) -> Option<Value>;
    }

    impl<T: Debug> Returned for Probe<'_, T> {
        fn returned(&self) -> Option<Value> {
            Some(Value::text(&format_args!("{:?}", self.0)))
        }
    }
}

/// Declares the ways to read a value, the best one first.
macro_rules! readings {
    ($method:ident: $($way:ident for $depth:ty where $bound:path: ($value:ident) => $read:expr;)+) => {$(
        pub trait $way {
            fn $method(&self) -> Value;
        }

        impl<T: $bound + ?Sized> $way for $depth {
            fn $method(&self) -> Value {
                let $value = self.0;
                $read
            }
        }
    )+};
}

/// A value as an annotation: text, a number or a boolean.
pub mod annotation {
    use std::fmt::{Debug, Display};

    use super::Probe;
    use crate::traced::scalar::Scalar;
    use crate::value::Value;

    readings! {
        annotation:
        ScalarAnnotation for &&Probe<'_, T> where Scalar: (value) => value.scalar();
        DisplayAnnotation for &Probe<'_, T> where Display: (value) => Value::text(&format_args!("{value}"));
        DebugAnnotation for Probe<'_, T> where Debug: (value) => Value::text(&format_args!("{value:?}"));
    }
}

/// A value as metadata: what serializes keeps its structure.
pub mod metadata {
    use std::fmt::{Debug, Display};

    use serde::Serialize;

    use super::Probe;
    use crate::traced::scalar::Scalar;
    use crate::value::Value;

    readings! {
        metadata:
        ScalarMetadata for &&&Probe<'_, T> where Scalar: (value) => value.scalar();
        SerializeMetadata for &&Probe<'_, T> where Serialize: (value) => Value::json(value);
        DisplayMetadata for &Probe<'_, T> where Display: (value) => Value::text(&format_args!("{value}"));
        DebugMetadata for Probe<'_, T> where Debug: (value) => Value::text(&format_args!("{value:?}"));
    }
}
