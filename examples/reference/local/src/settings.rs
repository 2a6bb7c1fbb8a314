//! Where the local deployment finds its parts.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What [`crate::Deployment::start`] needs to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The Python interpreter of the virtual environment that holds MiniStack.
    pub python: PathBuf,
    /// The cloud assembly that the infrastructure synthesized with `OBS_LOCAL=true`.
    pub assembly: PathBuf,
    /// A folder for the backend's log and its scratch space; made if it is not there.
    pub work: PathBuf,
}

impl Settings {
    /// Settings with everything said.
    #[must_use]
    pub fn new(
        python: impl Into<PathBuf>,
        assembly: impl Into<PathBuf>,
        work: impl Into<PathBuf>,
    ) -> Self {
        Self { python: python.into(), assembly: assembly.into(), work: work.into() }
    }

    /// Settings from `OBS_LOCAL_PYTHON`, `OBS_LOCAL_ASSEMBLY` and `OBS_LOCAL_WORK`, which
    /// `cargo xtask demo` and `cargo xtask test` set.
    ///
    /// # Errors
    ///
    /// When one of them is not set, or names something that is not there.
    pub fn from_env() -> Result<Self> {
        let settings = Self::new(
            variable("OBS_LOCAL_PYTHON")?,
            variable("OBS_LOCAL_ASSEMBLY")?,
            variable("OBS_LOCAL_WORK")?,
        );
        settings.check()?;
        Ok(settings)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !self.python.is_file() {
            return Err(missing("the Python interpreter", &self.python));
        }
        if !self.assembly.join("manifest.json").is_file() {
            return Err(missing(
                "the cloud assembly's manifest",
                &self.assembly.join("manifest.json"),
            ));
        }
        Ok(())
    }
}

fn variable(name: &str) -> Result<PathBuf> {
    match env::var_os(name) {
        Some(value) if !value.is_empty() => Ok(PathBuf::from(value)),
        _ => Err(Error::settings(format!(
            "{name} is not set: run this through `cargo xtask demo` or `cargo xtask test`, which prepare it"
        ))),
    }
}

fn missing(what: &str, path: &Path) -> Error {
    Error::settings(format!("{what} is not at {}", path.display()))
}
