//! Reading the functions' settings from environment variables.

use std::fmt;
use std::str::FromStr;

/// A variable that is missing or makes no sense. Nothing is guessed: a function that is wrongly set
/// up should fail when it starts, not when an alert is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// Looks variables up and says what is wrong with them.
pub(super) struct Variables<L>(pub(super) L);

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    /// The value, unless it is missing or blank.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    pub(super) fn require(&self, name: &str) -> Result<String, SettingsError> {
        self.get(name).ok_or_else(|| SettingsError(format!("the variable {name} is not set")))
    }

    /// The value as a number or the like, if it is set and `valid`; `what` says what it has to be.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &str,
        what: &str,
        valid: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) if valid(&parsed) => Ok(Some(parsed)),
            _ => Err(SettingsError(format!("the variable {name} is `{value}`, not {what}"))),
        }
    }
}
