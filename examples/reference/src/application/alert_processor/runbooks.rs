//! Links to runbooks, by their slugs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::application::ports::{ParameterStore, Unavailable};
use crate::domain::alert::runbook::DEFAULT_SLUG;
use crate::domain::alert::{Runbook, RunbookRef};

/// How long a link is used without asking for it again, so that a new one gets through in time.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// The most slugs that are remembered: they come from whoever may put events on the bus.
const REMEMBERED: usize = 100;

/// Looks runbooks up, and remembers them as long as the function's environment lives.
#[derive(Debug)]
pub(super) struct Runbooks<P> {
    parameters: P,
    prefix: String,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Nothing where there is no such parameter.
    link: Option<String>,
    asked: Duration,
}

impl<P: ParameterStore> Runbooks<P> {
    pub(super) fn new(parameters: P, prefix: String) -> Self {
        Self { parameters, prefix, known: Mutex::default() }
    }

    /// The runbook that an alert refers to, or the default one. A lookup that fails is a note.
    pub(super) async fn find(&self, reference: RunbookRef, now: Duration) -> Runbook {
        let (slug, mut notes) = match reference {
            RunbookRef::Link(link) => return Runbook { link: Some(link), ..Runbook::default() },
            RunbookRef::Slug(slug) => (slug, Vec::new()),
            RunbookRef::Unusable(note) => (DEFAULT_SLUG.to_owned(), Vec::from_iter(note)),
        };
        let found = match self.link(&slug, now).await {
            Ok(None) if slug != DEFAULT_SLUG => {
                notes.push(format!("there is no runbook {slug}, the default one is given"));
                (DEFAULT_SLUG.to_owned(), self.link(DEFAULT_SLUG, now).await)
            }
            answer => (slug, answer),
        };
        match found {
            (slug, Ok(Some(link))) => Runbook { slug: Some(slug), link: Some(link), notes },
            (_, Ok(None)) => {
                notes.push("there is no default runbook".to_owned());
                Runbook { notes, ..Runbook::default() }
            }
            (slug, Err(error)) => {
                notes.push(format!("the link to the runbook {slug} is missing: {error}"));
                Runbook { slug: Some(slug), link: None, notes }
            }
        }
    }

    /// The link of a slug. One that is known and old serves where the store does not answer.
    async fn link(&self, slug: &str, now: Duration) -> Result<Option<String>, Unavailable> {
        let known = self.known().get(slug).cloned();
        if let Some(known) = &known
            && now.saturating_sub(known.asked) < FRESH
        {
            return Ok(known.link.clone());
        }
        match self.parameters.get(&format!("{}/{slug}", self.prefix)).await {
            Ok(link) => {
                let mut all = self.known();
                if all.len() >= REMEMBERED {
                    all.clear();
                }
                all.insert(slug.to_owned(), Known { link: link.clone(), asked: now });
                Ok(link)
            }
            Err(error) => known.map(|known| known.link).ok_or(error),
        }
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.known().len()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
