//! What the struct says as a whole, and everything that is wrong with it.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::{Data, DeriveInput, Fields, FieldsNamed, Ident, LitStr, Path};

use crate::Errors;
use crate::case::{CASES, Case};
use crate::field::{self, Field, Kind, Name, Unclear};
use crate::parse::{self, RawOption, RawValue};
use crate::rules::{DIMENSIONS, METRICS};

/// A struct to record, checked: what is wrong with it is reported and left out.
#[derive(Default)]
pub(crate) struct Event {
    pub(crate) message: Option<LitStr>,
    pub(crate) dimension_sets: Vec<Vec<LitStr>>,
    /// Where obs-metrics is, if the user says so.
    pub(crate) krate: Option<Path>,
    /// In the order of their declaration.
    pub(crate) fields: Vec<Field>,
}

const KNOWN: &str = "rename_all, message, dimension_sets, crate";

/// Checks `input`. What is wrong is pushed onto `errors`.
pub(crate) fn event(input: &DeriveInput, errors: &mut Errors) -> Event {
    let mut event = Event::default();
    let mut case = Case::default();
    let mut sets = None;
    for RawOption { key, value } in parse::options(&input.attrs, errors).options {
        match (key.to_string().as_str(), value) {
            ("rename_all", RawValue::Value(tokens)) => {
                case = rename_all(tokens, errors).unwrap_or_default();
            }
            ("message", RawValue::Value(tokens)) => {
                event.message = string(tokens, "`message` takes a string literal", errors);
            }
            ("dimension_sets", RawValue::Value(tokens)) => sets = list(&tokens, errors),
            ("dimension_sets", RawValue::List(tokens)) => sets = Some(tokens),
            ("crate", RawValue::Value(tokens)) => event.krate = path(tokens, errors),
            _ => errors.at(&key, wrong_option(&key)),
        }
    }
    let mut unclear = 0;
    if let Some(fields) = named_fields(input, errors) {
        for field in &fields.named {
            match field::read(field, case, errors) {
                Ok(field) => event.fields.extend(field),
                Err(Unclear) => unclear += 1,
            }
        }
        once("timestamp", &event.fields, |kind| matches!(kind, Kind::Timestamp), errors);
        once("message", &event.fields, |kind| matches!(kind, Kind::Message), errors);
        one_message(&event, errors);
        names_differ(&event.fields, errors);
        counts(input, &event.fields, unclear, errors);
    }
    if let Some(sets) = sets {
        // A name may be the one of a field that is not understood: then it is not judged.
        let known = (unclear == 0).then_some(event.fields.as_slice());
        event.dimension_sets = dimension_sets(sets, known, errors);
    }
    event
}

/// Reads a string literal.
pub(crate) fn string(tokens: TokenStream, expected: &str, errors: &mut Errors) -> Option<LitStr> {
    match syn::parse2(tokens.clone()) {
        Ok(literal) => Some(literal),
        Err(_) => {
            errors.at(tokens, expected);
            None
        }
    }
}

/// Why an option of the struct is not taken: either it is unknown or it has the wrong form.
fn wrong_option(key: &Ident) -> String {
    match key.to_string().as_str() {
        "rename_all" => "write `rename_all = \"PascalCase\"`".to_owned(),
        "message" => "write `message = \"…\"`".to_owned(),
        "dimension_sets" => SETS.to_owned(),
        "crate" => "write `crate = path::to::obs_metrics`".to_owned(),
        known if field::OPTIONS.contains(&known) => {
            format!("`{known}` stands on a field; the struct's options are: {KNOWN}")
        }
        unknown => format!("unknown option `{unknown}`; the struct's options are: {KNOWN}"),
    }
}

const SETS: &str =
    "write `dimension_sets = [[], [\"Pipeline\"]]`: sets of dimensions, by their names";

fn rename_all(tokens: TokenStream, errors: &mut Errors) -> Option<Case> {
    let cases: Vec<_> = CASES.iter().map(|(name, _)| format!("{name:?}")).collect();
    let expected = format!("`rename_all` is one of {}", cases.join(", "));
    let literal = string(tokens, &expected, errors)?;
    let case = CASES.iter().find(|(name, _)| *name == literal.value()).map(|(_, case)| *case);
    if case.is_none() {
        errors.at(literal, expected);
    }
    case
}

fn path(tokens: TokenStream, errors: &mut Errors) -> Option<Path> {
    // `crate = "path"` is how serde and others write it: taken as well.
    let path = match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => literal.parse_with(Path::parse_mod_style),
        Err(_) => Path::parse_mod_style.parse2(tokens.clone()),
    };
    if path.is_err() {
        errors.at(tokens, "`crate` takes the path of obs_metrics, such as `my_app::obs_metrics`");
    }
    path.ok()
}

/// What stands between the brackets of `[…]`.
fn list(tokens: &TokenStream, errors: &mut Errors) -> Option<TokenStream> {
    let inner = |input: syn::parse::ParseStream<'_>| {
        let content;
        syn::bracketed!(content in input);
        content.parse::<TokenStream>()
    };
    let list = inner.parse2(tokens.clone());
    if list.is_err() {
        errors.at(tokens, SETS);
    }
    list.ok()
}

/// The fields of a struct that names them.
fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(fields),
            Fields::Unnamed(fields) => {
                errors.at(
                    fields,
                    "MetricEvent needs fields with names: these have none to be recorded under",
                );
                None
            }
            Fields::Unit => {
                errors.at(&input.ident, "an event has fields, one at least that is a metric");
                None
            }
        },
        Data::Enum(data) => {
            errors.push(syn::Error::new(
                data.enum_token.span,
                "MetricEvent stands on a struct: give each variant a struct of its own, \
                 or make the enum's text a dimension of one",
            ));
            None
        }
        Data::Union(data) => {
            errors.push(syn::Error::new(
                data.union_token.span,
                "MetricEvent stands on a struct: which field of a union holds is not known",
            ));
            None
        }
    }
}

fn once(what: &str, fields: &[Field], is: fn(&Kind) -> bool, errors: &mut Errors) {
    let mut found = fields.iter().filter(|field| is(&field.kind));
    let Some(first) = found.next() else { return };
    for field in found {
        let message = format!("an event has one {what}: the field `{}` is it already", first.ident);
        errors.push(syn::Error::new(field.said_at, message));
    }
}

fn one_message(event: &Event, errors: &mut Errors) {
    let field = event.fields.iter().find(|field| matches!(field.kind, Kind::Message));
    if let (Some(field), Some(message)) = (field, &event.message) {
        let text = format!("never written: the field `{}` is the message", field.ident);
        errors.at(message, text);
    }
}

/// All names are members of one document.
fn names_differ(fields: &[Field], errors: &mut Errors) {
    let mut taken: HashMap<&str, &Ident> = HashMap::new();
    for field in fields {
        let Some(Name { text, span, .. }) = field.kind.name() else { continue };
        match taken.get(text.as_str()) {
            Some(first) => {
                let message = format!("the field `{first}` has the name `{text}` already");
                errors.push(syn::Error::new(*span, message));
            }
            None => drop(taken.insert(text, &field.ident)),
        }
    }
}

fn counts(input: &DeriveInput, fields: &[Field], unclear: usize, errors: &mut Errors) {
    let metrics = || fields.iter().filter(|field| matches!(field.kind, Kind::Metric { .. }));
    let dimensions = fields.iter().filter(|field| matches!(field.kind, Kind::Dimension { .. }));
    let mut excess = |field: Option<&Field>, limit, what| {
        if let Some(field) = field {
            errors.at(&field.ident, format!("one more than the {limit} {what} of a document"));
        }
    };
    excess(metrics().nth(METRICS), METRICS, "metrics");
    excess(dimensions.clone().nth(DIMENSIONS), DIMENSIONS, "dimensions");
    if metrics().next().is_none() && unclear == 0 {
        errors.at(
            &input.ident,
            "an event has one metric at least: mark a field `#[metric]` or `#[metric(unit = …)]`",
        );
    }
}

/// Reads and checks sets of the names of `fields`; `None` where not all fields are known.
fn dimension_sets(
    tokens: TokenStream,
    fields: Option<&[Field]>,
    errors: &mut Errors,
) -> Vec<Vec<LitStr>> {
    let place = tokens.clone();
    let sets = match parse::sets(tokens) {
        Ok(sets) if !sets.is_empty() => sets,
        // Without tokens there is no place but the derive itself.
        Ok(_) if place.is_empty() => {
            errors.push(syn::Error::new(Span::call_site(), format!("no set at all: {SETS}")));
            return Vec::new();
        }
        _ => {
            errors.at(place, SETS);
            return Vec::new();
        }
    };
    let mut seen: Vec<HashSet<String>> = Vec::new();
    for set in &sets {
        let mut names = HashSet::new();
        for name in &set.names {
            if !names.insert(name.value()) {
                errors.at(name, format!("`{}` is given twice", name.value()));
            } else if let Some(message) = set_name_fault(&name.value(), fields) {
                errors.at(name, message);
            }
        }
        if seen.contains(&names) {
            errors.push(syn::Error::new(set.bracket.span.join(), "this set is given twice"));
        }
        seen.push(names);
    }
    sets.into_iter().map(|set| set.names).collect()
}

fn set_name_fault(name: &str, fields: Option<&[Field]>) -> Option<String> {
    let is = |field: &&Field, dimension: bool| {
        matches!(field.kind, Kind::Dimension { .. }) == dimension
            && field.kind.name().is_some_and(|known| known.text == name)
    };
    let fields = fields?;
    if fields.iter().any(|field| is(&field, true)) {
        return None;
    }
    if let Some(field) = fields.iter().find(|field| is(field, false)) {
        return Some(format!("the field `{}` is no dimension", field.ident));
    }
    let dimensions = fields.iter().filter(|field| matches!(field.kind, Kind::Dimension { .. }));
    let names = dimensions.filter_map(|field| field.kind.name());
    let names: Vec<_> = names.map(|name| format!("`{}`", name.text)).collect();
    Some(match names.as_slice() {
        [] => "the event has no dimensions".to_owned(),
        names => format!("no dimension `{name}`; the event has {}", names.join(", ")),
    })
}
