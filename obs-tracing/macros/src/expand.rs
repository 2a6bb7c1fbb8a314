//! The traced function: its signature as it was, its body inside a frame.
//!
//! A frame owns the span and settles how it ended: by `end`, or by being dropped before that. The
//! macros `frame!`, `value!`, `returned!` and `end!` are `macro_rules` of obs-tracing: what is
//! generated here stays small, lints of the user's leave it alone, and `trace_function!` shares it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{AttrStyle, Block, ItemFn, Type};

use crate::function::{self, Form, Function};
use crate::krate;
use crate::parse::Pair;
use crate::validate::Options;

/// Writes the traced function.
pub(crate) fn traced_function(function: Function, options: &Options) -> TokenStream {
    let Function { mut item, form, output } = function;
    let writer = Writer {
        krate: krate::path(options),
        options,
        name: match &options.name {
            Some(name) => name.value(),
            None => item.sig.ident.unraw().to_string(),
        },
        output,
    };
    let body = match form {
        Form::Sync => writer.sync_body(&item.block),
        Form::Async => writer.async_body(&item.block, &quote!(move)),
        Form::AsyncBlock => {
            if let Some(tail) = function::async_tail(&mut item) {
                let capture = &tail.capture;
                let body = writer.async_body(&tail.block, &quote!(#capture));
                let block: Block = syn::parse_quote!({ #body });
                tail.block = block;
            }
            let statements = &item.block.stmts;
            quote!(#(#statements)*)
        }
        Form::MakesFuture { boxed } => writer.future_body(&item, boxed),
    };
    let ItemFn { mut attrs, vis, sig, .. } = item;
    for attr in &mut attrs {
        // The body is another one now: what was written inside of it stands in front.
        attr.style = AttrStyle::Outer;
    }
    quote! {
        #(#attrs)*
        #vis #sig {
            #body
        }
    }
}

struct Writer<'a> {
    krate: TokenStream,
    options: &'a Options,
    name: String,
    output: Type,
}

impl Writer<'_> {
    /// The body runs in a closure, so that `return` and `?` end the closure and not the frame.
    fn sync_body(&self, block: &Block) -> TokenStream {
        let (frame, result) = (internal("frame"), internal("result"));
        let (start, end, output) = (self.start(), self.end(), &self.output);
        quote_spanned! {block_span(block)=>
            #start
            let #result = #frame.call(move || -> #output #block);
            #end
            #result
        }
    }

    /// The frame is opened when the future is first polled, and entered whenever it is polled.
    fn async_body(&self, block: &Block, capture: &TokenStream) -> TokenStream {
        let (frame, result) = (internal("frame"), internal("result"));
        let (start, end, output) = (self.start(), self.end(), &self.output);
        let typed = self.fake_return();
        let statements = &block.stmts;
        quote_spanned! {block_span(block)=>
            #start
            let #result: #output = #frame.run(async #capture { #typed #(#statements)* }).await;
            #end
            #result
        }
    }

    /// The future that the body returns, polled in a frame of its own. The values to record are
    /// taken when the function is called: later its arguments are gone.
    fn future_body(&self, item: &ItemFn, boxed: bool) -> TokenStream {
        let Self { krate, output, .. } = self;
        let (frame, result) = (internal("frame"), internal("result"));
        let (future, values) = (internal("future"), internal("values"));
        let block = &item.block;
        let returned = match &item.sig.output {
            syn::ReturnType::Type(_, ty) => function::erase_impl_trait((**ty).clone()),
            syn::ReturnType::Default => syn::parse_quote!(()),
        };
        let annotations = self.options.annotations.iter().map(|pair| self.pair("annotation", pair));
        let metadata = self.options.metadata.iter().map(|pair| self.pair("metadata", pair));
        let (open, end) = (self.open(), self.end());
        let traced = quote_spanned! {block_span(block)=>
            async move {
                #open
                #frame.record_all(#values);
                let #result: #output = #frame.run(#future).await;
                #end
                #result
            }
        };
        let traced = if boxed { quote!(::std::boxed::Box::pin(#traced)) } else { traced };
        quote_spanned! {block_span(block)=>
            let #values = [#(#annotations,)* #(#metadata,)*];
            let #future = #krate::__private::call_once(move || -> #returned #block);
            #traced
        }
    }

    /// Opens the frame and records what was asked for, if anything keeps it.
    fn start(&self) -> TokenStream {
        let open = self.open();
        if self.options.annotations.is_empty() && self.options.metadata.is_empty() {
            return open;
        }
        let frame = internal("frame");
        let annotations = self.options.annotations.iter().map(|pair| self.pair("annotation", pair));
        let metadata = self.options.metadata.iter().map(|pair| self.pair("metadata", pair));
        quote! {
            #open
            if #frame.is_recording() {
                #frame.record_all([#(#annotations,)* #(#metadata,)*]);
            }
        }
    }

    fn open(&self) -> TokenStream {
        let Self { krate, name, options, .. } = self;
        let frame = internal("frame");
        let level = options.level;
        quote!(let mut #frame = #krate::__private::frame!(#level, #name);)
    }

    /// A field, from a reference to the value. The method's name stands at the value, so that a value
    /// which shows nothing is an error there.
    fn pair(&self, kind: &str, Pair { key, value }: &Pair) -> TokenStream {
        let krate = &self.krate;
        let kind = Ident::new(kind, value.span());
        quote!(#krate::__private::value!(#kind, #key, #value))
    }

    /// Settles the status from the result.
    fn end(&self) -> TokenStream {
        let krate = &self.krate;
        let (frame, result) = (internal("frame"), internal("result"));
        let returned = self.options.ret.map(|span| {
            let method = Ident::new("returned", span);
            quote!(#krate::__private::returned!(#method, #frame, &#result);)
        });
        let with_message = self.options.err;
        quote! {
            #returned
            #krate::__private::end!(#frame, &#result, #with_message);
        }
    }

    /// An `async` block has no place for its type, so a `return` that is never reached tells it:
    /// without that, `?` and coercions in the body would not know what to convert to.
    fn fake_return(&self) -> TokenStream {
        let output = &self.output;
        let never = Ident::new("__obs_never", Span::mixed_site().located_at(output.span()));
        quote_spanned! {output.span()=>
            #[allow(
                unreachable_code,
                clippy::diverging_sub_expression,
                clippy::empty_loop,
                clippy::let_unit_value,
                clippy::let_with_type_underscore,
                clippy::needless_return,
                reason = "never reached: it only tells the block its type"
            )]
            if false {
                let #never: #output = loop {};
                return #never;
            }
        }
    }
}

/// A name that the user's code can neither see nor shadow.
fn internal(name: &str) -> Ident {
    Ident::new(&format!("__obs_{name}"), Span::mixed_site())
}

/// Generated code that is not the user's, but stands where the body stands, so that a type error in
/// it points there.
fn block_span(block: &Block) -> Span {
    Span::mixed_site().located_at(block.span())
}
