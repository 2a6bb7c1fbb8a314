//! The value of `unit`: a variant of `Unit`, or the unit as CloudWatch writes it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{LitStr, Path};

use crate::Errors;
use crate::rules::UNITS;

/// Reads a unit and gives the variant of `obs_metrics::Unit`, at the place where it is written.
pub(crate) fn read(tokens: &TokenStream, errors: &mut Errors) -> Option<Ident> {
    if let Ok(literal) = syn::parse2::<LitStr>(tokens.clone()) {
        let text = literal.value();
        if let Some((variant, _)) = UNITS.iter().find(|(_, unit)| *unit == text) {
            return Some(variant_at(variant, literal.span()));
        }
        errors.at(&literal, unknown(&text, |(_, unit)| format!("{unit:?}")));
        return None;
    }
    // `Unit::Seconds` is as clear as `Seconds`.
    let last = syn::parse2::<Path>(tokens.clone()).ok().and_then(|path| {
        path.segments.last().map(|last| (last.ident.clone(), path.to_token_stream()))
    });
    let Some((ident, path)) = last else {
        errors.at(tokens, "`unit` takes a variant of `Unit`, as in `unit = Seconds`");
        return None;
    };
    let text = ident.unraw().to_string();
    if let Some((variant, _)) = UNITS.iter().find(|(variant, _)| *variant == text) {
        return Some(variant_at(variant, ident.span()));
    }
    errors.at(path, unknown(&text, |(variant, _)| format!("`{variant}`")));
    None
}

fn variant_at(variant: &str, span: Span) -> Ident {
    Ident::new(variant, Span::call_site().located_at(span))
}

fn unknown(text: &str, show: impl Fn(&(&str, &str)) -> String) -> String {
    let near = nearest(text);
    if near.is_empty() {
        let all: Vec<_> = UNITS.iter().map(show).collect();
        return format!("CloudWatch has no unit `{text}`; the units are {}", all.join(", "));
    }
    let near: Vec<_> = near.into_iter().map(show).collect();
    format!("CloudWatch has no unit `{text}`; did you mean {}?", near.join(" or "))
}

/// The units that `text` may stand for, three at most: those that begin with it, else those that
/// need the fewest letters changed. None where more than half of the letters are others.
fn nearest(text: &str) -> Vec<&'static (&'static str, &'static str)> {
    let text = text.to_lowercase();
    let distance = |(variant, unit): &(&str, &str)| {
        let (variant, unit) = (variant.to_lowercase(), unit.to_lowercase());
        if text.len() > 1 && (variant.starts_with(&text) || unit.starts_with(&text)) {
            0
        } else {
            edits(&text, &variant).min(edits(&text, &unit))
        }
    };
    let least = UNITS.iter().map(distance).min().unwrap_or_default();
    if least * 2 > text.chars().count() {
        return Vec::new();
    }
    UNITS.iter().filter(|unit| distance(unit) == least).take(3).collect()
}

/// How many letters have to be put in, taken out or changed to make `a` of `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, in_a) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, in_b) in b.iter().enumerate() {
            let change = diagonal + usize::from(in_a != *in_b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let near: Vec<_> = nearest(text).into_iter().map(|(variant, _)| *variant).collect();
        assert_eq!(near, expected, "{text}");
    }

    #[test]
    fn the_nearest_units_are_named() {
        check("Secnods", &["Seconds"]);
        check("seconds", &["Seconds"]);
        check("Millis", &["Milliseconds"]);
        check("Second", &["Seconds"]);
        check("Byte", &["Bytes", "BytesPerSecond"]);
        check("Bytes/second", &["BytesPerSecond"]);
        check("Counts", &["Count"]);
        check("Megabits/s", &["MegabitsPerSecond"]);
        check("Nanoseconds", &["Seconds", "Microseconds"]);
        check("ms", &[]);
        check("Furlongs", &[]);
        check("", &[]);
    }

    #[test]
    fn letters_are_counted() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(edits(a, b), expected, "{a} {b}");
        }
    }
}
