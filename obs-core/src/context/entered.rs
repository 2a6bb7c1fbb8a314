//! The contexts that a thread has entered.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::RequestContext;

/// While it lives, a context is the current one of its thread, unless one that was entered later is.
/// Guards may be dropped in any order.
#[derive(Debug)]
#[must_use = "the context is left when the guard is dropped"]
pub struct Entered {
    /// Which of the thread's entries this is; `None` if the thread was ending.
    number: Option<u64>,
    /// The guard must be dropped on the thread that made it.
    not_send: PhantomData<*const ()>,
}

/// A context as the thread's stack holds it: who reads it takes part in the `Rc`, which unlike the
/// context's own `Arc` needs no locked instruction, and leaves the stack free to be changed meanwhile.
/// `None` only while it is spare.
type Shared = Rc<Option<RequestContext>>;

#[derive(Default)]
struct Stack {
    /// What this thread has entered and not left, the current one last.
    entered: Vec<(u64, Shared)>,
    /// The `Rc` that was left last, for the next: a future that is polled again allocates nothing.
    spare: Option<Shared>,
}

thread_local! {
    static STACK: RefCell<Stack> =
        const { RefCell::new(Stack { entered: Vec::new(), spare: None }) };
}

/// This thread's current context.
#[inline]
pub(super) fn top() -> Option<Shared> {
    STACK
        .try_with(|stack| stack.borrow().entered.last().map(|(_, context)| Rc::clone(context)))
        .ok()
        .flatten()
}

impl Entered {
    pub(super) fn new(context: &RequestContext) -> Self {
        let context = context.clone();
        let number = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let number = stack.entered.last().map_or(0, |(number, _)| number + 1);
            let mut shared = stack.spare.take().unwrap_or_default();
            match Rc::get_mut(&mut shared) {
                Some(spare) => *spare = Some(context),
                None => shared = Rc::new(Some(context)),
            }
            stack.entered.push((number, shared));
            number
        });
        Self { number: number.ok(), not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Dropped outside the borrow: the last handle of a context may run any code.
        let _left = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let at = stack.entered.iter().rposition(|(n, _)| Some(*n) == self.number)?;
            let (_, mut shared) = stack.entered.remove(at);
            let context = Rc::get_mut(&mut shared).and_then(Option::take);
            if context.is_some() {
                stack.spare = Some(shared);
            }
            // Without it, it is being read further up: who reads it drops it.
            context
        });
    }
}
