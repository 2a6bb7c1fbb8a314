//! The `#[traced]` attribute of obs-tracing. Use it through `obs_tracing::traced` or `obs::traced`.
//!
//! Three steps, one module each: `parse` reads what is written, `validate` decides what it means
//! and collects every mistake, `expand` writes the traced function. A mistake never hides the
//! function: it is still emitted, untraced, so that the rest of the program type-checks.

mod expand;
mod function;
mod inline;
mod krate;
mod parse;
mod validate;

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::function::Function;

/// Makes a segment of each call of a function.
///
/// The segment is named for the function and carries the annotation `status`: `success`, `error` (the
/// function returned an `Err`; `error_type` is its type), `cancelled` (its future was dropped) or
/// `panicked`. No argument is recorded.
///
/// Options, separated by commas:
///
/// - `name = "…"`: another name.
/// - `annotate(key = expression, …)`: indexed annotations. Values are taken by reference, when the
///   call begins and only if it is sampled.
/// - `metadata(key = expression, …)`: metadata, not indexed.
/// - `err`: an error's message and causes, not only its type.
/// - `classify = |error| …`: whose doing an error is, an `ErrorClass` (fault, error, throttle), where
///   its type does not say so by the trait `Classify`.
/// - `ret`: what is returned, in its `Debug` form.
/// - `level = "…"`: the span's level, `info` without it.
/// - `kind = "…"`: what the span is to the rest of the trace: `server`, `client`, `producer`,
///   `consumer`, or `internal`, which it is without this.
/// - `parent = expression`: what the segment hangs on instead of the current span: a span, its id,
///   an `Option` of one, or the caller's trace as `propagation::extract` returns it. Taken by reference.
///   `None` begins a trace of its own.
/// - `skip_if = condition`: where this is true when the call begins, the call is not traced, and what
///   it calls hangs on the caller's span.
/// - `crate = path`: where obs-tracing is.
///
/// More about all of this stands in the documentation of the crate `obs_tracing`.
#[proc_macro_attribute]
pub fn traced(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_traced(options.into(), &item.into()).into()
}

fn expand_traced(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let raw = parse::options(options, &mut errors);
    let function = Function::parse(item, &mut errors);
    let options = validate::options(raw, function.as_ref(), &mut errors);
    match (function, errors.into_compile_errors()) {
        (Some(function), None) => expand::traced_function(function, &options),
        (_, errors) => {
            let mut tokens = errors.unwrap_or_default();
            item.to_tokens(&mut tokens);
            tokens
        }
    }
}

/// Every mistake found so far: the user sees all of them at once.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    fn at(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(place, message));
    }

    fn into_compile_errors(self) -> Option<TokenStream> {
        self.0.map(|errors| errors.to_compile_error())
    }
}
