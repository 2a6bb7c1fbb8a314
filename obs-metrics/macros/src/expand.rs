//! The implementation: names and units in a static, values in the order of it.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, LitStr, Type};

use crate::field::{Field, Kind};
use crate::krate;
use crate::validate::Event;

/// Writes the implementation of `MetricEvent`.
pub(crate) fn implementation(input: &DeriveInput, event: &Event) -> TokenStream {
    let krate = krate::path(event.krate.as_ref());
    let mut calls = TokenStream::new();
    let mut shape = TokenStream::new();
    let fields = in_order_of_shape(&event.fields);
    for field in &fields {
        calls.extend(call(field));
        shape.extend(in_shape(field, &krate));
    }
    let message = event.message.as_ref().map(|message| quote!(.with_message(#message)));
    let sets = dimension_sets(&event.dimension_sets);

    let mut generics = input.generics.clone();
    let parameters = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    let bounds: Vec<_> =
        fields.iter().filter_map(|field| bound(field, &parameters, &krate)).collect();
    if !bounds.is_empty() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    let (before, arguments, conditions) = generics.split_for_impl();
    let ident = &input.ident;
    quote! {
        #[automatically_derived]
        #[allow(deprecated, reason = "a deprecated field is recorded while it is there")]
        impl #before #krate::MetricEvent for #ident #arguments #conditions {
            #[inline]
            fn shape(&self) -> &'static #krate::__private::Shape {
                static SHAPE: #krate::__private::Shape =
                    #krate::__private::Shape::new(&[#shape]) #message #sets;
                &SHAPE
            }

            #[inline]
            fn write(&self, __obs_fields: &mut #krate::__private::Fields<'_>) {
                #calls
            }
        }
    }
}

/// What is set on the event as a whole comes before all fields of the shape; those have the order
/// that `Shape` promises.
fn in_order_of_shape(fields: &[Field]) -> Vec<&Field> {
    let mut fields: Vec<_> = fields.iter().collect();
    // Stable: within a kind, the order of the declaration.
    fields.sort_by_key(|field| match field.kind {
        Kind::Message | Kind::Timestamp => 0,
        Kind::Dimension { .. } => 1,
        Kind::Metric { .. } => 2,
        Kind::Property { .. } => 3,
    });
    fields
}

fn call(field: &Field) -> TokenStream {
    let (span, value) = value(field);
    let (method, by_reference) = match field.kind {
        Kind::Message => ("message", true),
        Kind::Timestamp => ("timestamp", false),
        Kind::Dimension { .. } => ("dimension", true),
        Kind::Metric { .. } => ("metric", true),
        Kind::Property { .. } => ("property", true),
    };
    let method = Ident::new(method, Span::call_site());
    let reference = by_reference.then(|| quote_spanned!(span=> &));
    quote!(__obs_fields.#method(#reference #value);)
}

/// The field of `self`, at the place of its type: a type that cannot be recorded is wrong there.
fn value(field: &Field) -> (Span, TokenStream) {
    let mut spans = field.ty.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    let last = spans.last().unwrap_or(first);
    let mut ident = field.ident.clone();
    ident.set_span(ident.span().located_at(last));
    let first = Span::call_site().located_at(first);
    (first, quote_spanned!(first=> self.#ident))
}

fn in_shape(field: &Field, krate: &TokenStream) -> TokenStream {
    match &field.kind {
        Kind::Message | Kind::Timestamp => TokenStream::new(),
        Kind::Dimension { name } => {
            let name = &name.text;
            quote!(#krate::__private::Field::Dimension(#name),)
        }
        Kind::Metric { name, unit, high_resolution } => {
            let name = &name.text;
            let none = Ident::new("None", Span::call_site());
            let unit = unit.as_ref().unwrap_or(&none);
            let resolution =
                Ident::new(if *high_resolution { "High" } else { "Standard" }, Span::call_site());
            quote! {
                #krate::__private::Field::Metric(
                    #name,
                    #krate::Unit::#unit,
                    #krate::Resolution::#resolution,
                ),
            }
        }
        Kind::Property { name } => {
            let name = &name.text;
            quote!(#krate::__private::Field::Property(#name),)
        }
    }
}

fn dimension_sets(sets: &[Vec<LitStr>]) -> Option<TokenStream> {
    let sets = sets.iter().map(|names| quote!(&[#(#names),*]));
    (sets.len() > 0).then(|| quote!(.with_dimension_sets(&[#(#sets),*])))
}

/// What a field of a generic type needs: its type, not its parameters, has to be recordable.
fn bound(
    field: &Field,
    parameters: &HashSet<Ident>,
    krate: &TokenStream,
) -> Option<syn::WherePredicate> {
    let value = match field.kind {
        Kind::Dimension { .. } => "DimensionValue",
        Kind::Metric { .. } => "MetricValue",
        Kind::Property { .. } => "PropertySource",
        Kind::Message | Kind::Timestamp => return None,
    };
    let value = Ident::new(value, Span::call_site());
    let ty: &Type = &field.ty;
    mentions(ty.to_token_stream(), parameters).then(|| syn::parse_quote!(#ty: #krate::#value))
}

/// Whether one of `parameters` is named in `ty`. A path that only looks like one costs a bound that
/// holds anyway.
fn mentions(ty: TokenStream, parameters: &HashSet<Ident>) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => parameters.contains(&ident),
        TokenTree::Group(group) => mentions(group.stream(), parameters),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
