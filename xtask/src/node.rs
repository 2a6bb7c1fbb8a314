//! Node.js and the pinned npm packages of the infrastructure.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process::{Runner, Tool};
use crate::version::Version;

const OLDEST: Version = Version::new(20, 0, 0);

/// The infrastructure's folder with its packages installed.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) infra: PathBuf,
}

/// Installs the packages of the lock file, or finds that they are installed already.
pub(crate) fn prepare(runner: &mut Runner) -> Result<Node> {
    let version = find()?;
    let workspace = runner.workspace.clone();
    let infra = workspace.infra();
    let lock = infra.join("package-lock.json");
    let pins = fs::read_to_string(&lock)
        .map_err(|error| Failure::io(format!("read {}", lock.display()), &error))?;
    let stamp_text = format!("node {version}\n{pins}");
    let stamp = infra.join("node_modules/.obs-stamp");

    runner.progress.begin("npm packages");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == stamp_text) {
        runner.progress.end("as pinned");
        return Ok(Node { infra });
    }
    let install = npm(&infra, &workspace.cache("npm")).args(["ci", "--no-audit", "--no-fund"]);
    runner.run(&install, "npm-packages")?;
    fs::write(&stamp, &stamp_text)
        .map_err(|error| Failure::io(format!("write {}", stamp.display()), &error))?;
    runner.progress.end(&format!("installed in {}", workspace.shown(&infra.join("node_modules"))));
    Ok(Node { infra })
}

impl Node {
    /// `node` in the infrastructure's folder.
    pub(crate) fn tool(&self) -> Tool {
        Tool::new("node", &self.infra)
    }

    /// `npm run <script>`.
    pub(crate) fn script(&self, runner: &Runner, script: &str) -> Tool {
        npm(&self.infra, &runner.workspace.cache("npm")).args(["run", script])
    }

    /// The CDK command-line tool of the lock file.
    pub(crate) fn cdk(&self) -> Tool {
        self.tool()
            .arg("node_modules/aws-cdk/bin/cdk")
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            // What its SDK will ask of Node.js in some months is nothing to tell the one who deploys.
            .env("NODE_NO_WARNINGS", "1")
            .args(["--no-notices", "--no-version-reporting"])
    }

    /// The data file that the demo and the end-to-end test send through.
    pub(crate) fn movies(&self) -> PathBuf {
        self.infra.join("node_modules/vega-datasets/data/movies.json")
    }
}

/// The version of `node`, if it is new enough and npm is beside it.
pub(crate) fn find() -> Result<Version> {
    let needed = format!("Node.js {} or newer is needed", OLDEST.major);
    let version = version_of("node")
        .ok_or_else(|| Failure::new(format!("{needed}, and there is no node on PATH")))?;
    if version < OLDEST {
        return Err(Failure::new(format!("{needed}, and node is {version}")));
    }
    if version_of(NPM).is_none() {
        return Err(Failure::new(format!(
            "npm is needed beside node {version}, and there is none on PATH"
        )));
    }
    Ok(version)
}

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

fn npm(infra: &PathBuf, cache: &PathBuf) -> Tool {
    Tool::new(NPM, infra)
        .env("npm_config_cache", cache)
        .env("npm_config_update_notifier", "false")
        .env("npm_config_fund", "false")
}

fn version_of(name: &str) -> Option<Version> {
    let output = Command::new(name).arg("--version").output().ok()?;
    output.status.success().then(|| Version::find(&String::from_utf8_lossy(&output.stdout)))?
}
