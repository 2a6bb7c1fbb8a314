//! The traced function: its signature as it was, its body inside a frame.
//!
//! A frame owns the span and settles how it ended: by `end`, or by being dropped before that. The
//! macros `frame!`, `value!`, `returned!` and `end!` are `macro_rules` of obs-tracing: what is
//! generated here stays small, lints of the user's leave it alone, and `trace_function!` shares it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{AttrStyle, Block, Expr, ItemFn, Type};

use crate::function::{self, Form, Function};
use crate::inline::{self, Way};
use crate::krate;
use crate::parse::Pair;
use crate::validate::{Options, SpanKind};

/// Writes the traced function.
pub(crate) fn traced_function(function: Function, options: &Options) -> TokenStream {
    let Function { mut item, form, output } = function;
    let braces = item.block.brace_token.span.join();
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
        Form::Sync => writer.sync_body(&item),
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
    // The function's own braces: lints such as `dead_code` leave alone what a macro made.
    let mut body = Group::new(Delimiter::Brace, body);
    body.set_span(braces);
    quote!(#(#attrs)* #vis #sig #body)
}

struct Writer<'a> {
    krate: TokenStream,
    options: &'a Options,
    name: String,
    output: Type,
}

impl Writer<'_> {
    fn sync_body(&self, item: &ItemFn) -> TokenStream {
        let (krate, output) = (&self.krate, &self.output);
        let (frame, result, guard) = (internal("frame"), internal("result"), internal("guard"));
        let (start, end) = (self.start(), self.end());
        let block = &item.block;
        match inline::way(item, self.options.ret.is_some()) {
            Way::Closure => quote_spanned! {block_span(block)=>
                #start
                let #result = #frame.call(move || -> #output #block);
                #end
                #result
            },
            Way::Guard => {
                let body = braced(block);
                quote_spanned! {block_span(block)=>
                    #start
                    let #guard = #krate::__private::Inline::new(#frame);
                    #body
                }
            }
            Way::Block(body, label) => {
                let body = braced(&body);
                quote_spanned! {block_span(block)=>
                    #start
                    #[allow(unused_labels, reason = "for each `return`, if there is one")]
                    let #result: #output = #label: {
                        let #guard = #frame.enter();
                        #body
                    };
                    #end
                    #result
                }
            }
        }
    }

    /// The frame is opened when the future is first polled, and entered whenever it is polled.
    fn async_body(&self, block: &Block, capture: &TokenStream) -> TokenStream {
        let (krate, output) = (&self.krate, &self.output);
        let (frame, result) = (internal("frame"), internal("result"));
        let (start, end) = (self.start(), self.end());
        let body = braced(block);
        if let Type::Never(never) = output {
            // `!` can be written only where a function returns, and nothing comes after it.
            let typed = self.fake_return(&quote_spanned!(never.span()=> #krate::__private::Never));
            return quote_spanned! {block_span(block)=>
                #start
                #frame.run(async #capture { #typed #body }).await
            };
        }
        let typed = self.fake_return(output);
        quote_spanned! {block_span(block)=>
            #start
            let #result: #output = #frame.run(async #capture { #typed #body }).await;
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
        let (skip, parent) = (internal("skip"), internal("parent"));
        let annotations = self.options.annotations.iter().map(|pair| self.pair("annotation", pair));
        let metadata = self.options.metadata.iter().map(|pair| self.pair("metadata", pair));
        let skips = self
            .options
            .skip_if
            .as_ref()
            .map(|condition| quote_spanned!(condition.span()=> let #skip: bool = #condition;));
        let parents = self.options.parent.as_ref().map(|expression| {
            let value = self.parent(expression);
            quote!(let #parent = #value;)
        });
        let open = self.open(
            skips.is_some().then(|| quote!(#skip)),
            parents.is_some().then(|| quote!(#parent)),
        );
        let end = self.end();
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
            #skips
            #parents
            let #values = [#(#annotations,)* #(#metadata,)*];
            let #future = #krate::__private::call_once(move || -> #returned #block);
            #traced
        }
    }

    /// Opens the frame and records what was asked for, if anything keeps it.
    fn start(&self) -> TokenStream {
        let Options { skip_if, parent, annotations, metadata, .. } = self.options;
        let skip = internal("skip");
        let skips = skip_if
            .as_ref()
            .map(|condition| quote_spanned!(condition.span()=> let #skip: bool = #condition;));
        let open = self.open(
            skips.is_some().then(|| quote!(#skip)),
            parent.as_ref().map(|expression| self.parent(expression)),
        );
        if annotations.is_empty() && metadata.is_empty() {
            return quote!(#skips #open);
        }
        let frame = internal("frame");
        let annotations = annotations.iter().map(|pair| self.pair("annotation", pair));
        let metadata = metadata.iter().map(|pair| self.pair("metadata", pair));
        quote! {
            #skips
            #open
            if #frame.is_recording() {
                #frame.record_all([#(#annotations,)* #(#metadata,)*]);
            }
        }
    }

    /// Opens the frame: below `parent` if there is one, and none at all where `skip` is true.
    fn open(&self, skip: Option<TokenStream>, parent: Option<TokenStream>) -> TokenStream {
        let Self { krate, name, options, .. } = self;
        let (frame, level) = (internal("frame"), options.level);
        let kind = (options.kind != SpanKind::Internal).then_some(options.kind);
        let kind = kind.map(|kind| quote!(, kind: #kind));
        let parent = parent.map(|parent| quote!(, parent: #parent));
        let open = quote!(#krate::__private::frame!(#level, #name #kind #parent));
        match skip {
            None => quote!(let mut #frame = #open;),
            Some(skip) => quote! {
                let mut #frame = if #skip { #krate::__private::Frame::untraced() } else { #open };
            },
        }
    }

    /// What the segment hangs on, from a reference to the value. The method's name stands at the
    /// value, so that a value which is no parent is an error there.
    fn parent(&self, value: &Expr) -> TokenStream {
        let krate = &self.krate;
        let method = Ident::new("parent", value.span());
        quote!(#krate::__private::parent!(#method, #value))
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
        let classify = self.options.classify.as_ref().map(|classify| {
            // The whole call stands where the option does: if it does not fit the result, so does the
            // compiler's error.
            let place = classify.span();
            let (krate, result) = (located(krate, place), located(&quote!(#result), place));
            quote_spanned! {Span::mixed_site().located_at(place)=>
                , #krate::__private::classified(&#result, #classify)
            }
        });
        quote! {
            #returned
            #krate::__private::end!(#frame, &#result, #with_message #classify);
        }
    }

    /// An `async` block has no place for its type, so a `return` that is never reached tells it:
    /// without that, `?` and coercions in the body would not know what to convert to.
    fn fake_return(&self, output: &impl ToTokens) -> TokenStream {
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

/// The body as a block within a block: what it brings into scope stays there. The braces are not the
/// user's, so that no lint asks to remove them.
fn braced(block: &Block) -> TokenStream {
    let statements = &block.stmts;
    quote_spanned!(block_span(block)=> { #(#statements)* })
}

/// A name that the user's code can neither see nor shadow.
fn internal(name: &str) -> Ident {
    Ident::new(&format!("__obs_{name}"), Span::mixed_site())
}

/// The same names, with errors about them shown at `place`.
fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    let moved = tokens.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    moved.collect()
}

/// Generated code that is not the user's, but stands where the body stands, so that a type error in
/// it points there.
fn block_span(block: &Block) -> Span {
    Span::mixed_site().located_at(block.span())
}
