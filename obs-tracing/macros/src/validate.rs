//! What the options mean, and everything that is wrong with them.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use crate::Errors;
use crate::function::Function;
use crate::parse::{self, Pair, RawOption, RawValue};

/// The options of one `#[traced]`, checked.
pub(crate) struct Options {
    /// The segment's name; the function's without one.
    pub(crate) name: Option<LitStr>,
    pub(crate) level: Level,
    pub(crate) kind: SpanKind,
    /// What the segment hangs on, instead of the current span.
    pub(crate) parent: Option<Expr>,
    /// Where this is true, the call is not traced.
    pub(crate) skip_if: Option<Expr>,
    pub(crate) annotations: Vec<Pair>,
    pub(crate) metadata: Vec<Pair>,
    /// Record an error's message, not only its type.
    pub(crate) err: bool,
    /// Whose doing an error is, from a reference to it.
    pub(crate) classify: Option<Expr>,
    /// Record what the function returns.
    pub(crate) ret: Option<Span>,
    /// Where obs-tracing is, if the user says so.
    pub(crate) krate: Option<Path>,
}

/// The level of the function's span.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// What the function's span is to the rest of the trace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

const KNOWN: &str =
    "name, annotate, metadata, err, classify, ret, level, kind, parent, skip_if, crate";

/// The annotations that `#[traced]` writes itself.
const RESERVED_ANNOTATIONS: &[&str] = &["status", "error_type"];

/// Checks `raw`. What is wrong is pushed onto `errors` and left at its default.
pub(crate) fn options(
    raw: Vec<RawOption>,
    function: Option<&Function>,
    errors: &mut Errors,
) -> Options {
    let mut options = Options {
        name: None,
        level: Level::Info,
        kind: SpanKind::Internal,
        parent: None,
        skip_if: None,
        annotations: Vec::new(),
        metadata: Vec::new(),
        err: false,
        classify: None,
        ret: None,
        krate: None,
    };
    let mut seen = HashSet::new();
    for RawOption { key, value } in raw {
        let name = key.to_string();
        if !seen.insert(name.clone()) {
            errors.at(&key, format!("`{name}` is given twice"));
            continue;
        }
        match (name.as_str(), value) {
            ("name", RawValue::Value(tokens)) => options.name = segment_name(tokens, errors),
            ("level", RawValue::Value(tokens)) => {
                options.level = level(tokens, errors).unwrap_or(Level::Info);
            }
            ("kind", RawValue::Value(tokens)) => {
                options.kind = kind(tokens, errors).unwrap_or(SpanKind::Internal);
            }
            ("parent", RawValue::Value(tokens)) => {
                options.parent = expression(&key, &tokens, errors);
            }
            ("skip_if", RawValue::Value(tokens)) => {
                options.skip_if = expression(&key, &tokens, errors);
            }
            ("annotate", RawValue::List(tokens)) => {
                options.annotations = pairs(tokens, errors, annotation_key);
            }
            ("metadata", RawValue::List(tokens)) => {
                options.metadata = pairs(tokens, errors, metadata_key);
            }
            ("err", RawValue::Flag) => {
                if function.is_some_and(Function::returns_nothing) {
                    errors.at(
                        &key,
                        "`err` records an error's message, but this function returns nothing",
                    );
                }
                options.err = true;
            }
            ("classify", RawValue::Value(tokens)) => {
                if function.is_some_and(Function::returns_nothing) {
                    errors.at(
                        &key,
                        "`classify` looks at an error, but this function returns nothing",
                    );
                }
                options.classify = expression(&key, &tokens, errors);
            }
            ("ret", RawValue::Flag) => options.ret = Some(key.span()),
            ("crate", RawValue::Value(tokens)) => options.krate = path(tokens, errors),
            _ => errors.at(&key, wrong_option(&key)),
        }
    }
    options
}

impl ToTokens for Level {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Trace => quote!(TRACE),
            Self::Debug => quote!(DEBUG),
            Self::Info => quote!(INFO),
            Self::Warn => quote!(WARN),
            Self::Error => quote!(ERROR),
        });
    }
}

impl ToTokens for SpanKind {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Internal => quote!(internal),
            Self::Server => quote!(server),
            Self::Client => quote!(client),
            Self::Producer => quote!(producer),
            Self::Consumer => quote!(consumer),
        });
    }
}

/// Why an option is not taken: either it is unknown or it has the wrong form.
fn wrong_option(key: &Ident) -> String {
    match key.to_string().as_str() {
        "name" => "write `name = \"…\"`".to_owned(),
        "level" => "write `level = \"debug\"`".to_owned(),
        "kind" => "write `kind = \"client\"`".to_owned(),
        "parent" => "write `parent = expression`: a span, its id, or what `propagation::extract` \
                     returned"
            .to_owned(),
        "skip_if" => "write `skip_if = condition`".to_owned(),
        "classify" => "write `classify = |error| …`: whose doing the error is".to_owned(),
        "crate" => "write `crate = path::to::obs_tracing`".to_owned(),
        known @ ("annotate" | "metadata") => format!("write `{known}(key = expression, …)`"),
        known @ ("err" | "ret") => format!("`{known}` takes no value: write `{known}`"),
        "skip" | "skip_all" => {
            "arguments are never recorded unless named in `annotate(…)` or `metadata(…)`: \
             there is nothing to skip"
                .to_owned()
        }
        "fields" => "write `annotate(key = expression)` (indexed) or `metadata(key = expression)`"
            .to_owned(),
        "target" => "the span's target is the module: logs and filters go by it".to_owned(),
        unknown => format!("unknown option `{unknown}`; the options are: {KNOWN}"),
    }
}

fn segment_name(tokens: TokenStream, errors: &mut Errors) -> Option<LitStr> {
    let literal = string(tokens, "`name` takes a string literal", errors)?;
    if literal.value().trim().is_empty() {
        errors.at(&literal, "a segment's name has at least one character");
        return None;
    }
    Some(literal)
}

fn level(tokens: TokenStream, errors: &mut Errors) -> Option<Level> {
    const EXPECTED: &str = "`level` is one of \"trace\", \"debug\", \"info\", \"warn\", \"error\"";
    let literal = string(tokens, EXPECTED, errors)?;
    match literal.value().to_ascii_lowercase().as_str() {
        "trace" => Some(Level::Trace),
        "debug" => Some(Level::Debug),
        "info" => Some(Level::Info),
        "warn" => Some(Level::Warn),
        "error" => Some(Level::Error),
        _ => {
            errors.at(&literal, EXPECTED);
            None
        }
    }
}

fn kind(tokens: TokenStream, errors: &mut Errors) -> Option<SpanKind> {
    const EXPECTED: &str = "`kind` is one of \"server\", \"client\", \"producer\", \"consumer\", \
                            \"internal\"";
    let literal = string(tokens, EXPECTED, errors)?;
    match literal.value().to_ascii_lowercase().as_str() {
        "internal" => Some(SpanKind::Internal),
        "server" => Some(SpanKind::Server),
        "client" => Some(SpanKind::Client),
        "producer" => Some(SpanKind::Producer),
        "consumer" => Some(SpanKind::Consumer),
        _ => {
            errors.at(&literal, EXPECTED);
            None
        }
    }
}

fn expression(key: &Ident, tokens: &TokenStream, errors: &mut Errors) -> Option<Expr> {
    if tokens.is_empty() {
        errors.at(key, wrong_option(key));
        return None;
    }
    match syn::parse2(tokens.clone()) {
        Ok(expression) => Some(expression),
        Err(error) => {
            // Not where the parser stood: of an expression that ends too early that is nowhere.
            errors.at(tokens, error);
            None
        }
    }
}

fn path(tokens: TokenStream, errors: &mut Errors) -> Option<Path> {
    // `crate = "path"` is how serde and others write it: taken as well.
    let tokens = match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => match literal.parse::<TokenStream>() {
            Ok(tokens) => tokens,
            Err(error) => {
                errors.push(error);
                return None;
            }
        },
        Err(_) => tokens,
    };
    match Path::parse_mod_style.parse2(tokens.clone()) {
        Ok(path) => Some(path),
        Err(_) => {
            errors.at(
                &tokens,
                "`crate` takes the path of obs_tracing, such as `my_app::obs_tracing`",
            );
            None
        }
    }
}

fn string(tokens: TokenStream, expected: &str, errors: &mut Errors) -> Option<LitStr> {
    match syn::parse2::<Expr>(tokens) {
        Ok(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => Some(literal),
        Ok(other) => {
            errors.at(&other, expected);
            None
        }
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

fn pairs(
    tokens: TokenStream,
    errors: &mut Errors,
    check_key: fn(&str) -> Result<(), String>,
) -> Vec<Pair> {
    let pairs = match parse::pairs(tokens) {
        Ok(pairs) => pairs,
        Err(error) => {
            errors.push(error);
            return Vec::new();
        }
    };
    let mut seen = HashSet::new();
    for pair in &pairs {
        let key = pair.key.value();
        if let Err(message) = check_key(&key) {
            errors.at(&pair.key, message);
        } else if !seen.insert(key) {
            errors.at(&pair.key, format!("`{}` is given twice", pair.key.value()));
        }
    }
    pairs
}

fn annotation_key(key: &str) -> Result<(), String> {
    if RESERVED_ANNOTATIONS.contains(&key) {
        return Err(format!("`{key}` is written by #[traced] itself"));
    }
    let valid = !key.is_empty()
        && key.len() <= 500
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if valid {
        Ok(())
    } else {
        Err("an annotation's key has 1 to 500 letters, digits and underscores (ASCII)".to_owned())
    }
}

fn metadata_key(key: &str) -> Result<(), String> {
    if key.is_empty() {
        Err("a metadata key has at least one character".to_owned())
    } else if key.starts_with("AWS.") {
        Err("keys that begin with `AWS.` are reserved by X-Ray".to_owned())
    } else {
        Ok(())
    }
}
