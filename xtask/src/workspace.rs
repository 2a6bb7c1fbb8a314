//! Where things are, and where what is made goes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::Arch;
use crate::failure::{Failure, Result};

#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the user keeps it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // What cargo says when it runs this, before what it said when it built this: a target folder that
        // several checkouts share may hold another one's build.
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = package.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let manifest = package.join("../Cargo.toml");
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
            .arg(&manifest)
            .output()
            .map_err(|error| Failure::io("run cargo", &error))?;
        if !output.status.success() {
            return Err(Failure::with_output(
                "cargo cannot read the workspace",
                String::from_utf8_lossy(&output.stderr),
            ));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::new(format!("cargo metadata is not JSON: {error}")))?;
        let path = |key: &str| {
            metadata
                .get(key)
                .and_then(Value::as_str)
                .map(PathBuf::from)
                .ok_or_else(|| Failure::new(format!("cargo metadata has no {key}")))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// Everything that is made and is not cargo's or npm's: removing it is always safe.
    pub(crate) fn demo(&self) -> PathBuf {
        self.root.join(".demo")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.demo().join("logs")
    }

    /// Temporary files of every child process.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.demo().join("tmp")
    }

    pub(crate) fn cache(&self, tool: &str) -> PathBuf {
        self.demo().join("cache").join(tool)
    }

    pub(crate) fn venv(&self) -> PathBuf {
        self.demo().join("venv")
    }

    /// The cloud assembly of an environment; `kind` tells those of one environment apart.
    pub(crate) fn assembly(&self, kind: &str) -> PathBuf {
        self.demo().join("cdk").join(kind)
    }

    pub(crate) fn requirements(&self) -> PathBuf {
        self.root.join("xtask/requirements.txt")
    }

    pub(crate) fn infra(&self) -> PathBuf {
        self.root.join("examples/reference/infra")
    }

    pub(crate) fn supervisor(&self) -> PathBuf {
        self.root.join("examples/reference/local/python/supervise.py")
    }

    pub(crate) fn artifacts(&self, arch: Arch) -> PathBuf {
        self.target.join("lambda-artifacts").join(arch.as_str())
    }

    /// A path as short as it can be shown.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The cargo that runs this program, so that children use the same toolchain.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
