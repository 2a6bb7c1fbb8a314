//! `cargo xtask demo`: prepares everything, then lets the driver deploy, send and report.

use std::env;
use std::time::Instant;

use crate::artifacts;
use crate::cli::{Arch, Demo};
use crate::failure::{Failure, Result};
use crate::node;
use crate::process::{Runner, Tool};
use crate::progress::{Progress, duration, say};
use crate::python;
use crate::synth::{self, Variant};
use crate::workspace::cargo;

/// The driver writes these in front of a line that is about a step; everything else is the report.
const STEP_BEGINS: &str = "\u{1e}begin ";
const STEP_ENDS: &str = "\u{1e}end ";

pub(crate) fn run(runner: &mut Runner, options: &Demo) -> Result<()> {
    let began = Instant::now();
    let arch = host_arch()?;
    let input = match &options.input {
        None => None,
        Some(path) if path.is_file() => Some(
            path.canonicalize()
                .map_err(|error| Failure::io(format!("find {}", path.display()), &error))?,
        ),
        Some(path) => return Err(Failure::new(format!("there is no file {}", path.display()))),
    };

    say("Obs demo\n");
    runner.progress.begin("tools");
    let node_version = node::find()?;
    runner.progress.end(&format!("python {}, node {node_version}", runner.python.version));
    let result = prepare_and_drive(runner, arch, options, input);
    match &result {
        Ok(()) => say(&format!("\nThe demo took {}.", duration(began.elapsed()))),
        Err(_) => {
            runner.progress.fail();
        }
    }
    result
}

fn prepare_and_drive(
    runner: &mut Runner,
    arch: Arch,
    options: &Demo,
    input: Option<std::path::PathBuf>,
) -> Result<()> {
    let interpreter = python::prepare(runner)?;
    let node = node::prepare(runner)?;
    let artifacts = artifacts::build(runner, arch)?;

    let workspace = runner.workspace.clone();
    runner.progress.begin("driver");
    let tool = Tool::new(cargo(), &workspace.root)
        .args(["build", "--package=obs-reference-local", "--bin=demo"])
        .env("CARGO_TARGET_DIR", &workspace.target)
        .env("CARGO_TERM_COLOR", "never");
    runner.run(&tool, "driver")?;
    runner.progress.end("built");

    runner.progress.begin("infrastructure");
    let assembly = synth::synthesize(runner, &node, &artifacts, Variant::Local, "local")?;
    runner.progress.end(&format!("synthesized in {}", workspace.shown(&assembly.folder)));

    let mut driver = Tool::new(workspace.target.join("debug/demo"), &workspace.root)
        .env("OBS_LOCAL_PYTHON", &interpreter)
        .env("OBS_LOCAL_ASSEMBLY", &assembly.folder)
        .env("OBS_LOCAL_WORK", workspace.logs().join("demo"))
        .env("OBS_STEP_LINES", "1")
        .with_backend()
        .arg(input.unwrap_or_else(|| node.movies()));
    if options.keep {
        driver = driver.arg("--keep");
    }
    runner.run_reading(&driver, "demo", show)
}

fn show(progress: &mut Progress, line: &str) {
    if let Some(step) = line.strip_prefix(STEP_BEGINS) {
        progress.begin(step);
    } else if let Some(detail) = line.strip_prefix(STEP_ENDS) {
        progress.end(detail);
    } else {
        say(line);
    }
}

/// The functions run here as processes, so they are built for this machine.
pub(crate) fn host_arch() -> Result<Arch> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Ok(Arch::X86_64),
        ("linux", "aarch64") => Ok(Arch::Arm64),
        (system, machine) => Err(Failure::new(format!(
            "the functions are Linux programs for x86-64 or arm64, and this is {system} on {machine}: \
             use a Linux machine, or a container of one"
        ))),
    }
}
