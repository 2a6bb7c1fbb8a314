//! What a field is, and everything that is wrong with what it says.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use crate::Errors;
use crate::case::Case;
use crate::parse::{self, RawOption, RawValue};
use crate::{rules, unit, validate};

/// A field that is recorded.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
    /// Where it says what it is.
    pub(crate) said_at: Span,
}

/// What becomes of a field's value.
pub(crate) enum Kind {
    Dimension { name: Name },
    Metric { name: Name, unit: Option<Ident>, high_resolution: bool },
    Property { name: Name },
    Timestamp,
    Message,
}

/// A name in the document, and where it comes from.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// Made of the field's own name.
    pub(crate) derived: bool,
}

/// What a field is to be is not known; that was reported.
pub(crate) struct Unclear;

/// All options of a field.
pub(crate) const OPTIONS: &[&str] =
    &["dimension", "property", "unit", "name", "high_resolution", "timestamp", "message", "skip"];

/// Options of which a field has one at most; without one it is a metric.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Dimension,
    Property,
    Timestamp,
    Message,
    Skip,
}

/// What a field says, before it is known whether that goes together.
#[derive(Default)]
struct Said {
    role: Option<(Role, Ident)>,
    name: Option<(Ident, Option<LitStr>)>,
    unit: Option<(Ident, Option<Ident>)>,
    high_resolution: Option<Ident>,
}

/// Reads a field of a struct that names its fields; `None` is one that is skipped.
pub(crate) fn read(
    field: &syn::Field,
    case: Case,
    errors: &mut Errors,
) -> Result<Option<Field>, Unclear> {
    let ident = field.ident.clone().ok_or(Unclear)?;
    let read = parse::options(&field.attrs, errors);
    if !read.any {
        errors.at(&ident, UNMARKED);
        return Err(Unclear);
    }
    let mut clear = !read.unread;
    let mut said = Said::default();
    for option in read.options {
        clear &= said.take(option, errors);
    }
    if !clear {
        return Err(Unclear);
    }
    said.refuse_what_has_no_place(errors);
    let said_at = said.role.as_ref().map_or(ident.span(), |(_, key)| key.span());
    let name = || said.name(&ident, case);
    let kind = match said.role {
        None => Kind::Metric {
            name: name(),
            unit: said.unit.as_ref().and_then(|(_, unit)| unit.clone()),
            high_resolution: said.high_resolution.is_some(),
        },
        Some((Role::Dimension, _)) => Kind::Dimension { name: name() },
        Some((Role::Property, _)) => Kind::Property { name: name() },
        Some((Role::Timestamp, _)) => Kind::Timestamp,
        Some((Role::Message, _)) => Kind::Message,
        Some((Role::Skip, _)) => return Ok(None),
    };
    kind.check_name(errors);
    Ok(Some(Field { ident, ty: field.ty.clone(), kind, said_at }))
}

const UNMARKED: &str = "nothing is recorded unless asked for: say `#[metric]` or `#[metric(unit = …)]` for a \
     metric, `#[metric(dimension)]` for what parts the metrics (each value is billed), \
     `#[metric(property)]` for what is only searched for, or `#[metric(skip)]`";

impl Kind {
    /// The name that it has in the document, if it is a member of its own.
    pub(crate) fn name(&self) -> Option<&Name> {
        match self {
            Kind::Dimension { name } | Kind::Metric { name, .. } | Kind::Property { name } => {
                Some(name)
            }
            Kind::Timestamp | Kind::Message => None,
        }
    }

    fn check_name(&self, errors: &mut Errors) {
        let (what, rule): (_, fn(&str) -> Option<String>) = match self {
            Kind::Dimension { .. } => ("dimension", rules::dimension_name_fault),
            Kind::Metric { .. } => ("metric", rules::member_name_fault),
            Kind::Property { .. } => ("property", rules::member_name_fault),
            Kind::Timestamp | Kind::Message => return,
        };
        let Some(name) = self.name() else { return };
        if let Some(fault) = rule(&name.text) {
            let shown: String = name.text.chars().take(40).collect();
            let cut = if shown == name.text { "" } else { "…" };
            let hint = if name.derived { "; give another as `name = \"…\"`" } else { "" };
            let message = format!("the {what}'s name {:?} {fault}{hint}", shown + cut);
            errors.push(syn::Error::new(name.span, message));
        }
    }
}

impl Said {
    /// Takes an option; false where it leaves open what the field is.
    fn take(&mut self, RawOption { key, value }: RawOption, errors: &mut Errors) -> bool {
        let text = key.to_string();
        match (text.as_str(), value) {
            ("name", RawValue::Value(tokens)) => {
                let literal = validate::string(tokens, "`name` takes a string literal", errors);
                self.name = Some((key, literal));
            }
            ("unit", RawValue::Value(tokens)) => {
                let unit = unit::read(&tokens, errors);
                self.unit = Some((key, unit));
            }
            ("high_resolution", RawValue::Flag) => self.high_resolution = Some(key),
            (word, RawValue::Flag) => {
                let Some(role) = Role::of(word) else {
                    errors.at(&key, wrong_option(word));
                    return false;
                };
                match &self.role {
                    None => self.role = Some((role, key)),
                    Some((_, first)) => {
                        errors.at(&key, format!("`{first}` and `{key}`: a field is one of them"));
                        return false;
                    }
                }
            }
            (word, _) => {
                errors.at(&key, wrong_option(word));
                return false;
            }
        }
        true
    }

    /// Reports what is said of metrics alone on a field that is none, and the name of what has none.
    fn refuse_what_has_no_place(&self, errors: &mut Errors) {
        let Some((role, word)) = &self.role else { return };
        let unit = self.unit.as_ref().map(|(key, _)| key);
        for key in [unit, self.high_resolution.as_ref()].into_iter().flatten() {
            errors
                .at(key, format!("`{key}` belongs to a metric, and this field is marked `{word}`"));
        }
        if let (Role::Timestamp | Role::Message | Role::Skip, Some((key, _))) = (role, &self.name) {
            errors.at(key, format!("`{word}` has no name of its own in the document"));
        }
    }

    fn name(&self, field: &Ident, case: Case) -> Name {
        match &self.name {
            Some((_, Some(literal))) => {
                Name { text: literal.value(), span: literal.span(), derived: false }
            }
            _ => Name {
                text: case.apply(&field.unraw().to_string()),
                span: field.span(),
                derived: true,
            },
        }
    }
}

impl Role {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "dimension" => Role::Dimension,
            "property" => Role::Property,
            "timestamp" => Role::Timestamp,
            "message" => Role::Message,
            "skip" => Role::Skip,
            _ => return None,
        })
    }
}

/// Why an option is not taken: either it is unknown or it has the wrong form.
fn wrong_option(key: &str) -> String {
    match key {
        "name" => "write `name = \"…\"`".to_owned(),
        "unit" => "write `unit = Seconds`".to_owned(),
        known @ ("dimension" | "property") => {
            format!("`{known}` takes no value: write `{known}` or `{known}, name = \"…\"`")
        }
        "message" => "on a field, `message` takes no value: its text is the message".to_owned(),
        known @ ("high_resolution" | "timestamp" | "skip") => {
            format!("`{known}` takes no value: write `{known}`")
        }
        known @ ("rename_all" | "dimension_sets" | "crate") => {
            format!("`{known}` stands on the struct")
        }
        "rename" => "write `name = \"…\"`".to_owned(),
        unknown => format!("unknown option `{unknown}`; the options are: {}", OPTIONS.join(", ")),
    }
}
