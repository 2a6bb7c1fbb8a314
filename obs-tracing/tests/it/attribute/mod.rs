//! The breadth of tracing-attributes' own suite, for `#[traced]`: its files are gone through one by
//! one, and what holds of `#[instrument]` is tested of ours. A segment is looked at where that suite
//! looks at calls of a subscriber.
//!
//! | its file | here |
//! | --- | --- |
//! | `async_fn.rs` | `async_fn.rs`, `async_traits.rs` |
//! | `dead_code.rs`, `ui/` | `lints.rs`, `tests/ui/` |
//! | `destructuring.rs` | `destructuring.rs` |
//! | `err.rs` | `err.rs`, and `statuses.rs` next door |
//! | `fields.rs` | `fields.rs` |
//! | `instrument.rs` | `signatures.rs`, and `forms.rs` next door |
//! | `levels.rs`, `names.rs`, `targets.rs` | `names.rs` |
//! | `parents.rs` | `parents.rs` |
//! | `ret.rs` | `ret.rs` |
//!
//! What does not apply:
//!
//! - arguments as fields, `skip`, `skip_all`, fields that shadow arguments: no argument is recorded
//!   (scenario 40, in `forms.rs`);
//! - `err` and `ret` as events, with a level, a target, `Debug` or `Display` of their own: an error is
//!   the segment's cause, a return value its metadata, and neither is a log line;
//! - names of fields that are expressions (`{CONST} = …`): keys of annotations are checked when it compiles;
//! - fields without a value, recorded later: `obs_tracing::annotate` does that;
//! - `name`, `target` and `level` as constants or numbers, a name without `name =`: a literal or nothing;
//!   `target` is the module;
//! - `follows_from`: links between traces are made with `tracing`'s own `Span::follows_from`.

mod async_fn;
mod async_traits;
mod destructuring;
mod err;
mod fields;
mod kinds;
mod lints;
mod names;
mod parents;
mod ret;
mod signatures;
mod skip_if;
