//! The function that `#[traced]` stands on, and which of four forms it has.

use proc_macro2::TokenStream;
use syn::visit_mut::VisitMut;
use syn::{
    Expr, ExprAsync, GenericArgument, ItemFn, PathArguments, ReturnType, Stmt, TraitItemFn, Type,
    TypeParamBound,
};

use crate::Errors;

/// A function to trace.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) form: Form,
    /// What a call or the function's future ends with, as far as it can be written down inside the
    /// function: `impl Trait` becomes `_`.
    pub(crate) output: Type,
}

/// How the body runs, which decides what is wrapped.
pub(crate) enum Form {
    /// It runs when it is called.
    Sync,
    /// `async fn`.
    Async,
    /// The function ends with an `async` block, bare or in `Box::pin(…)` as `async_trait` writes
    /// it: the block is traced, as if it were the body of an `async fn`.
    AsyncBlock,
    /// The function returns a future that it made in some other way: that future is traced.
    MakesFuture { boxed: bool },
}

impl Function {
    /// Reads the function. What `#[traced]` cannot stand on is pushed onto `errors`.
    pub(crate) fn parse(item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        let item = match syn::parse2::<ItemFn>(item.clone()) {
            Ok(function) => function,
            Err(_) => {
                errors.push(not_a_function(item));
                return None;
            }
        };
        if let Some(constness) = &item.sig.constness {
            errors.at(
                constness,
                "a `const fn` cannot be traced: it may run when the program compiles",
            );
        }
        let form = form(&item);
        let output = match (&form, &item.sig.output) {
            (_, ReturnType::Default) => syn::parse_quote!(()),
            (Form::Sync | Form::Async, ReturnType::Type(_, ty)) => (**ty).clone(),
            (_, ReturnType::Type(_, ty)) => future_of(ty)
                .and_then(|future| future.output)
                .unwrap_or_else(|| syn::parse_quote!(_)),
        };
        Some(Self { item, form, output: erase_impl_trait(output) })
    }

    /// Whether the function has no return type at all, and so no error.
    pub(crate) fn returns_nothing(&self) -> bool {
        matches!(self.item.sig.output, ReturnType::Default)
    }
}

/// The `async` block that a function of [`Form::AsyncBlock`] ends with.
pub(crate) fn async_tail(item: &mut ItemFn) -> Option<&mut ExprAsync> {
    let Some(Stmt::Expr(tail, None)) = item.block.stmts.last_mut() else { return None };
    match tail {
        Expr::Async(block) => Some(block),
        Expr::Call(call) if call.args.len() == 1 && is_box_pin(&call.func) => {
            match call.args.first_mut() {
                Some(Expr::Async(block)) => Some(block),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The type with each `impl Trait` in it replaced by `_`: a `let` or a closure cannot name one.
pub(crate) fn erase_impl_trait(mut ty: Type) -> Type {
    struct Erase;
    impl VisitMut for Erase {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(_) = ty {
                *ty = syn::parse_quote!(_);
            } else {
                syn::visit_mut::visit_type_mut(self, ty);
            }
        }
    }
    Erase.visit_type_mut(&mut ty);
    ty
}

fn not_a_function(item: &TokenStream) -> syn::Error {
    if let Ok(function) = syn::parse2::<TraitItemFn>(item.clone()) {
        let message = "a function without a body has nothing to trace: \
                       put #[traced] on the implementations";
        return syn::Error::new_spanned(function.sig, message);
    }
    match syn::parse2::<syn::Item>(item.clone()) {
        // It would be a function if it were written correctly: the parser knows best.
        Err(error) => error,
        Ok(_) => syn::Error::new_spanned(item, "#[traced] stands on a function or a method"),
    }
}

fn form(item: &ItemFn) -> Form {
    if item.sig.asyncness.is_some() {
        return Form::Async;
    }
    let ReturnType::Type(_, ty) = &item.sig.output else { return Form::Sync };
    match future_of(ty) {
        None => Form::Sync,
        Some(_) if ends_only_with_async_block(item) => Form::AsyncBlock,
        Some(future) => Form::MakesFuture { boxed: future.boxed },
    }
}

/// Whether the `async` block at the end is the only future that the function returns: no `return`
/// gives out another one before that.
fn ends_only_with_async_block(item: &ItemFn) -> bool {
    struct FindReturn(bool);
    impl VisitMut for FindReturn {
        fn visit_expr_mut(&mut self, expr: &mut Expr) {
            match expr {
                Expr::Return(_) => self.0 = true,
                // A `return` in one of these does not leave the function.
                Expr::Async(_) | Expr::Closure(_) => {}
                other => syn::visit_mut::visit_expr_mut(self, other),
            }
        }

        fn visit_item_mut(&mut self, _: &mut syn::Item) {}
    }
    let mut item = item.clone();
    if async_tail(&mut item).is_none() {
        return false;
    }
    let mut find = FindReturn(false);
    find.visit_block_mut(&mut item.block);
    !find.0
}

/// What is known of a return type that is a future.
struct FutureType {
    boxed: bool,
    output: Option<Type>,
}

/// `impl Future<Output = T>`, `Pin<Box<dyn Future<Output = T>>>`, `BoxFuture<'_, T>`.
fn future_of(ty: &Type) -> Option<FutureType> {
    match ty {
        Type::Paren(inner) => future_of(&inner.elem),
        Type::ImplTrait(future) => {
            // What is put in the future's place is a future and what its parts are; it has no other
            // trait, so with another bound the function is left as it is.
            let only_future = future.bounds.iter().all(|bound| match bound {
                TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| {
                    ["Future", "Send", "Sync"].iter().any(|name| last.ident == name)
                }),
                _ => true,
            });
            let output = bounds_output(future.bounds.iter())?;
            only_future.then_some(FutureType { boxed: false, output })
        }
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            let mut types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
                return Some(FutureType { boxed: true, output: types.next().cloned() });
            }
            let Type::Path(inner) = types.next()? else { return None };
            let inner = inner.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &inner.arguments else { return None };
            let Some(GenericArgument::Type(Type::TraitObject(object))) = arguments.args.first()
            else {
                return None;
            };
            if last.ident != "Pin" || inner.ident != "Box" {
                return None;
            }
            let output = bounds_output(object.bounds.iter())?;
            Some(FutureType { boxed: true, output })
        }
        _ => None,
    }
}

/// The `Output` of the `Future` among `bounds`: `None` if there is no `Future`, `Some(None)` if it
/// does not say.
fn bounds_output<'a>(bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Option<Type>> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(None) };
        Some(arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
            _ => None,
        }))
    })
}

fn is_box_pin(callee: &Expr) -> bool {
    let Expr::Path(path) = callee else { return false };
    let mut names = path.path.segments.iter().rev().map(|segment| &segment.ident);
    names.next().is_some_and(|last| last == "pin") && names.next().is_some_and(|ty| ty == "Box")
}
