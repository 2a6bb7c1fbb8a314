//! What stands between the parentheses of `#[traced(…)]`, option by option, without judging it.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Token};

use crate::Errors;

/// One option as written.
pub(crate) struct RawOption {
    pub(crate) key: Ident,
    pub(crate) value: RawValue,
}

/// What follows an option's name.
pub(crate) enum RawValue {
    /// `err`
    Flag,
    /// `name = …`
    Value(TokenStream),
    /// `annotate(…)`
    List(TokenStream),
}

/// `key = expression`, inside `annotate(…)` or `metadata(…)`.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) key: LitStr,
    pub(crate) value: Expr,
}

/// Reads the options. One that cannot be read is reported and skipped, up to the next comma.
pub(crate) fn options(tokens: TokenStream, errors: &mut Errors) -> Vec<RawOption> {
    let mut options = Vec::new();
    for part in split_at_commas(tokens) {
        match syn::parse2(part) {
            Ok(option) => options.push(option),
            Err(error) => errors.push(error),
        }
    }
    options
}

/// Reads the pairs of `annotate(…)` or `metadata(…)`.
pub(crate) fn pairs(tokens: TokenStream) -> syn::Result<Vec<Pair>> {
    let pairs = Punctuated::<Pair, Token![,]>::parse_terminated.parse2(tokens)?;
    Ok(pairs.into_iter().collect())
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword, so any identifier is taken.
        let key = Ident::parse_any(input)?;
        let value = if input.is_empty() {
            RawValue::Flag
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
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

impl Parse for Pair {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = if input.peek(LitStr) {
            input.parse()?
        } else {
            let ident = Ident::parse_any(input)?;
            LitStr::new(&ident.unraw().to_string(), ident.span())
        };
        if !input.peek(Token![=]) {
            let name = key.value();
            let message = format!("expected `{name} = expression`: only what is named is recorded");
            return Err(syn::Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { key, value: input.parse()? })
    }
}

/// Options are separated by commas; those within a pair of brackets belong to a group, which is one
/// token. One within an expression, as in `|a, b| …` or `f::<A, B>()`, separates nothing.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    for (index, token) in tokens.iter().enumerate() {
        if is_comma(token) && !goes_on(&tokens[index + 1..]) {
            parts.push(std::mem::take(&mut part));
        } else {
            part.extend([token.clone()]);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether what follows a comma goes on with an expression: it does not look like an option, nor like
/// an attempt at one.
fn goes_on(rest: &[TokenTree]) -> bool {
    match rest {
        [TokenTree::Ident(_), TokenTree::Punct(punct), ..] => !matches!(punct.as_char(), '=' | ','),
        [TokenTree::Punct(punct), ..] => punct.as_char() != ',',
        _ => false,
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}
