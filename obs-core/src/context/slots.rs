//! What is kept with a request for as long as it lives: a list that only grows, read without a lock.

use std::any::Any;
use std::sync::OnceLock;

/// A list of values, at most one of each type.
#[derive(Default)]
pub(super) struct Slots {
    head: Link,
}

type Link = OnceLock<Box<Node<dyn Any + Send + Sync>>>;

struct Node<T: ?Sized> {
    next: Link,
    value: T,
}

impl Slots {
    /// The value of this type.
    #[inline]
    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        let mut link = &self.head;
        loop {
            let node = link.get()?;
            if let Some(found) = node.value.downcast_ref() {
                return Some(found);
            }
            link = &node.next;
        }
    }

    /// Appends `value`, unless there is one of its type, and returns the one that is kept. The other
    /// is dropped here, under no lock.
    #[cold]
    pub(super) fn insert<T: Any + Send + Sync>(&self, value: T) -> &T {
        let mut new: Option<Box<Node<dyn Any + Send + Sync>>> =
            Some(Box::new(Node { next: Link::new(), value }));
        let mut link = &self.head;
        loop {
            if let Some(node) = link.get() {
                if let Some(found) = node.value.downcast_ref() {
                    return found;
                }
                link = &node.next;
            } else if let Some(node) = new.take() {
                // Another thread may be first: what it appended is looked at next.
                new = link.set(node).err();
            }
        }
    }
}
