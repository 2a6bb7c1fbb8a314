//! Where the generated code finds obs-metrics: as itself, or inside the facade `obs`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

/// The path of obs-metrics for this user: what `crate = …` says, else the dependency that the
/// user's Cargo.toml has.
pub(crate) fn path(given: Option<&Path>) -> TokenStream {
    match given {
        Some(path) => path.to_token_stream(),
        None => found(crate_name("obs-metrics").ok(), || crate_name("obs").ok()),
    }
}

fn found(metrics: Option<FoundCrate>, facade: impl FnOnce() -> Option<FoundCrate>) -> TokenStream {
    if let Some(metrics) = metrics {
        let name = name(metrics, "obs_metrics");
        return quote!(::#name);
    }
    match facade() {
        Some(facade) => {
            let name = name(facade, "obs");
            quote!(::#name::__private::obs_metrics)
        }
        // Neither is there: the compiler's own message names what is missing.
        None => quote!(::obs_metrics),
    }
}

fn name(found: FoundCrate, own_name: &str) -> Ident {
    let name = match found {
        // The package's own tests, examples and documentation.
        FoundCrate::Itself => own_name.to_owned(),
        FoundCrate::Name(name) => name,
    };
    Ident::new(&name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(metrics: Option<FoundCrate>, facade: Option<FoundCrate>, expected: &str) {
        assert_eq!(found(metrics, || facade).to_string().replace(' ', ""), expected);
    }

    #[test]
    fn the_crate_is_found_under_any_name() {
        let named = |name: &str| Some(FoundCrate::Name(name.to_owned()));
        let itself = || Some(FoundCrate::Itself);
        check(named("obs_metrics"), named("obs"), "::obs_metrics");
        check(named("renamed"), None, "::renamed");
        check(itself(), None, "::obs_metrics");
        check(None, named("obs"), "::obs::__private::obs_metrics");
        check(None, named("observe"), "::observe::__private::obs_metrics");
        check(None, itself(), "::obs::__private::obs_metrics");
        check(None, None, "::obs_metrics");
    }

    #[test]
    fn what_is_given_wins() {
        let given: Path = syn::parse_quote!(elsewhere::metrics);
        assert_eq!(path(Some(&given)).to_string(), quote!(elsewhere::metrics).to_string());
    }
}
