//! Where the generated code finds obs-tracing: as itself, or inside the facade `obs`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::validate::Options;

/// The path of obs-tracing for this user: what `crate = …` says, else the dependency that the
/// user's Cargo.toml has.
pub(crate) fn path(options: &Options) -> TokenStream {
    if let Some(path) = &options.krate {
        return path.to_token_stream();
    }
    if let Some(name) = dependency("obs-tracing", "obs_tracing") {
        return quote!(::#name);
    }
    if let Some(name) = dependency("obs", "obs") {
        return quote!(::#name::__private::obs_tracing);
    }
    // Neither is there: the compiler's own message names what is missing.
    quote!(::obs_tracing)
}

fn dependency(package: &str, own_name: &str) -> Option<Ident> {
    let name = match crate_name(package).ok()? {
        // The package's own tests, examples and documentation.
        FoundCrate::Itself => own_name.to_owned(),
        FoundCrate::Name(name) => name,
    };
    Some(Ident::new(&name, Span::call_site()))
}
