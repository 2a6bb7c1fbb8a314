//! Bodies that must stay where they are.
//!
//! The body of a function that is not async runs in a closure, so that `return` and `?` end the
//! closure. A closure has two things that a function has not: a caller of its own, which hides that of
//! a `#[track_caller]` function, and a return type that cannot say `impl Fn(&str)`, by which a closure
//! in the body would learn its signature. There the body runs in the function itself.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, ExprBreak, ItemFn, Lifetime, Macro, ReturnType, Type};

/// How the body of a function that is not async runs.
pub(crate) enum Way {
    /// In a closure: whatever it does, its result comes out.
    Closure,
    /// In the function, below a guard: what it returns is not looked at, since it cannot be an error.
    Guard,
    /// In the function, as a block that each `return` leaves with a `break` to this label.
    Block(Block, Lifetime),
}

/// Decides it. `looks_at_result`: something is to be read from it in any case.
pub(crate) fn way(item: &ItemFn, looks_at_result: bool) -> Way {
    let is_tracked = item.attrs.iter().any(|attr| attr.path().is_ident("track_caller"));
    let returns = returns(item);
    let must_stay = is_tracked || matches!(returns, Returns::Opaque | Returns::Never);
    if !must_stay || (looks_at_result && matches!(returns, Returns::Opaque)) {
        return Way::Closure;
    }
    match returns {
        Returns::Never => Way::Guard,
        Returns::Opaque | Returns::NoError if !looks_at_result => Way::Guard,
        _ => as_block(item).map_or(Way::Closure, |(block, label)| Way::Block(block, label)),
    }
}

enum Returns {
    Never,
    /// `impl Trait`.
    Opaque,
    /// What can be no `Result`, whatever its name stands for.
    NoError,
    Anything,
}

fn returns(item: &ItemFn) -> Returns {
    let ReturnType::Type(_, ty) = &item.sig.output else { return Returns::NoError };
    match &**ty {
        Type::Never(_) => Returns::Never,
        Type::ImplTrait(_) => Returns::Opaque,
        Type::Array(_)
        | Type::BareFn(_)
        | Type::Ptr(_)
        | Type::Reference(_)
        | Type::Slice(_)
        | Type::TraitObject(_)
        | Type::Tuple(_) => Returns::NoError,
        _ => Returns::Anything,
    }
}

/// The body with `break` for `return`; `None` if it may be left in a way that is not seen here.
fn as_block(item: &ItemFn) -> Option<(Block, Lifetime)> {
    let mut block = (*item.block).clone();
    let mut exits =
        Exits { label: Lifetime::new("'__obs_body", Span::mixed_site()), has_unseen: false };
    exits.visit_block_mut(&mut block);
    (!exits.has_unseen).then_some((block, exits.label))
}

struct Exits {
    label: Lifetime,
    has_unseen: bool,
}

impl VisitMut for Exits {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            // These are left by their own `return` and `?`.
            Expr::Async(_) | Expr::Closure(_) => return,
            Expr::Try(_) => self.has_unseen = true,
            _ => {}
        }
        syn::visit_mut::visit_expr_mut(self, expr);
        if let Expr::Return(exit) = expr {
            *expr = Expr::Break(ExprBreak {
                attrs: std::mem::take(&mut exit.attrs),
                break_token: syn::token::Break(exit.return_token.span),
                label: Some(self.label.clone()),
                expr: exit.expr.take(),
            });
        }
    }

    fn visit_item_mut(&mut self, _: &mut syn::Item) {}

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        self.has_unseen |= !is_harmless(call) || has_exit(call.tokens.clone());
    }
}

/// Macros that do not leave the function but by a panic, whatever stands in them.
fn is_harmless(call: &Macro) -> bool {
    const NAMES: &[&str] = &[
        "assert",
        "assert_eq",
        "assert_ne",
        "concat",
        "debug",
        "debug_assert",
        "debug_assert_eq",
        "debug_assert_ne",
        "error",
        "format",
        "format_args",
        "info",
        "line",
        "matches",
        "panic",
        "todo",
        "trace",
        "unimplemented",
        "unreachable",
        "vec",
        "warn",
        "write",
        "writeln",
    ];
    call.path.segments.last().is_some_and(|last| NAMES.iter().any(|name| last.ident == name))
}

fn has_exit(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "return",
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Group(group) => has_exit(group.stream()),
        TokenTree::Literal(_) => false,
    })
}
