//! Synthesizes the CDK app, without the CDK's command-line tool.

use std::fs;
use std::path::PathBuf;

use crate::artifacts::Artifacts;
use crate::cli::Environment;
use crate::failure::{Failure, Result};
use crate::node::Node;
use crate::process::Runner;

/// Which variant of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// For an AWS account.
    Account(Environment),
    /// For the local backend: the development environment without what the backend does not know.
    Local,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Account(environment) => environment.as_str(),
            Self::Local => "local",
        }
    }

    fn environment(self) -> Environment {
        match self {
            Self::Account(environment) => environment,
            Self::Local => Environment::Dev,
        }
    }

    pub(crate) fn stack(self) -> String {
        self.environment().stack()
    }
}

/// A cloud assembly.
#[derive(Debug, Clone)]
pub(crate) struct Assembly {
    pub(crate) folder: PathBuf,
    pub(crate) stack: String,
}

impl Assembly {
    pub(crate) fn template(&self) -> PathBuf {
        self.folder.join(format!("{}.template.json", self.stack))
    }
}

/// Synthesizes a variant with the functions of `artifacts` into `.demo/cdk/<folder>`, as a part of the
/// step that is under way.
pub(crate) fn synthesize(
    runner: &mut Runner,
    node: &Node,
    artifacts: &Artifacts,
    variant: Variant,
    folder: &str,
) -> Result<Assembly> {
    let folder = runner.workspace.assembly(folder);
    // CDK adds to a folder and never removes the assets of the last time.
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| Failure::io(format!("remove {}", folder.display()), &error))?;
    }
    let tool = node
        .tool()
        .args(["--import", "tsx", "app.ts"])
        .env("CDK_OUTDIR", &folder)
        .env("OBS_ENV", variant.environment().as_str())
        .env("OBS_ARTIFACTS", &artifacts.folder)
        .env("OBS_ARCH", artifacts.arch.as_str())
        .env("OBS_LOCAL", if variant == Variant::Local { "true" } else { "false" });
    runner.run(&tool, &format!("synth-{}", variant.name()))?;
    Ok(Assembly { folder, stack: variant.stack() })
}
