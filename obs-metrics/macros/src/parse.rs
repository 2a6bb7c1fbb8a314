//! What stands between the parentheses of `#[metric(…)]`, option by option, without judging it.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Meta, Token};

use crate::Errors;

/// One option as written.
pub(crate) struct RawOption {
    pub(crate) key: Ident,
    pub(crate) value: RawValue,
}

/// What follows an option's name.
pub(crate) enum RawValue {
    /// `dimension`
    Flag,
    /// `name = …`
    Value(TokenStream),
    /// `dimension_sets(…)`
    List(TokenStream),
}

/// What the `#[metric]` attributes of a field or of the struct say together.
#[derive(Default)]
pub(crate) struct Options {
    /// Whether there is an attribute at all.
    pub(crate) any: bool,
    /// Whether something could not be read, and so is unknown.
    pub(crate) unread: bool,
    pub(crate) options: Vec<RawOption>,
}

/// One set of `dimension_sets`.
pub(crate) struct RawSet {
    pub(crate) bracket: syn::token::Bracket,
    pub(crate) names: Vec<LitStr>,
}

/// Reads the `#[metric]` attributes among `attrs`. An option that cannot be read is reported and
/// skipped, up to the next comma; so is one that is given twice.
pub(crate) fn options(attrs: &[Attribute], errors: &mut Errors) -> Options {
    let mut read = Options::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("metric")) {
        read.any = true;
        let list = match &attr.meta {
            Meta::Path(_) => continue,
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(_) => {
                errors.at(&attr.meta, "write `#[metric(…)]`");
                read.unread = true;
                continue;
            }
        };
        for part in split_at_commas(list) {
            match syn::parse2::<RawOption>(part) {
                Ok(option) if read.options.iter().any(|known| known.key == option.key) => {
                    errors.at(&option.key, format!("`{}` is given twice", option.key));
                }
                Ok(option) => read.options.push(option),
                Err(error) => {
                    errors.push(error);
                    read.unread = true;
                }
            }
        }
    }
    read
}

/// Reads `["Pipeline"], []`.
pub(crate) fn sets(tokens: TokenStream) -> syn::Result<Vec<RawSet>> {
    let sets = Punctuated::<RawSet, Token![,]>::parse_terminated.parse2(tokens)?;
    Ok(sets.into_iter().collect())
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Err(input.error("a name is given as `name = \"…\"`"));
        }
        // `crate` is a keyword, so any identifier is taken.
        let key = Ident::parse_any(input)?;
        let value = if input.is_empty() {
            RawValue::Flag
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            if input.is_empty() {
                return Err(syn::Error::new(key.span(), format!("`{key} =` lacks a value")));
            }
            RawValue::Value(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            let list = content.parse()?;
            if !input.is_empty() {
                return Err(input.error("expected `,` between options"));
            }
            RawValue::List(list)
        } else {
            return Err(input.error("expected `,`, `= value` or `(…)` after the option's name"));
        };
        Ok(Self { key, value })
    }
}

impl Parse for RawSet {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        let bracket = syn::bracketed!(content in input);
        let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
        Ok(Self { bracket, names: names.into_iter().collect() })
    }
}

/// Options are separated by commas; those within a pair of brackets belong to a group, which is one
/// token.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    for token in tokens {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            parts.push(std::mem::take(&mut part));
        } else {
            part.extend([token]);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}
