//! Python: which one, and the virtual environment with the pinned packages.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process::{Runner, Tool};
use crate::version::Version;

const OLDEST: Version = Version::new(3, 11, 0);
/// Distributions whose `python3` is older often have a newer one beside it.
const NAMES: [&str; 6] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];

#[derive(Debug, Clone)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// The first interpreter on `PATH` that is new enough.
pub(crate) fn find() -> Result<Python> {
    let mut too_old = None;
    for name in NAMES {
        let Some(version) = version_of(name) else { continue };
        if version >= OLDEST {
            return Ok(Python { path: PathBuf::from(name), version });
        }
        too_old.get_or_insert((name, version));
    }
    Err(Failure::new(match too_old {
        Some((name, version)) => format!(
            "Python {}.{} or newer is needed, and {name} is {version}: install a newer one beside it",
            OLDEST.major, OLDEST.minor
        ),
        None => format!(
            "Python {}.{} or newer is needed, and there is no python3 on PATH",
            OLDEST.major, OLDEST.minor
        ),
    }))
}

/// Makes the virtual environment, or finds that it holds the pinned packages already; its interpreter.
pub(crate) fn prepare(runner: &mut Runner) -> Result<PathBuf> {
    let workspace = runner.workspace.clone();
    let requirements = workspace.requirements();
    let pins = fs::read_to_string(&requirements)
        .map_err(|error| Failure::io(format!("read {}", requirements.display()), &error))?;
    let stamp_text = format!("python {}\n{pins}", runner.python.version);
    let venv = workspace.venv();
    let stamp = venv.join("obs-stamp");
    let interpreter =
        if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };

    runner.progress.begin("python packages");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == stamp_text) && interpreter.is_file() {
        runner.progress.end("as pinned");
        return Ok(interpreter);
    }
    // An environment of other pins, or of a run that was stopped: the stamp is written last.
    if venv.exists() {
        fs::remove_dir_all(&venv)
            .map_err(|error| Failure::io(format!("remove {}", venv.display()), &error))?;
    }
    let made =
        Tool::new(&runner.python.path, &workspace.root).args(["-I", "-m", "venv"]).arg(&venv);
    runner.run(&made, "python-venv")?;
    let installed = Tool::new(&interpreter, &workspace.root)
        .args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--cache-dir"])
        .arg(workspace.cache("pip"))
        .arg("--requirement")
        .arg(&requirements);
    runner.run(&installed, "python-packages")?;
    fs::write(&stamp, &stamp_text)
        .map_err(|error| Failure::io(format!("write {}", stamp.display()), &error))?;
    runner.progress.end(&format!("installed in {}", workspace.shown(&venv)));
    Ok(interpreter)
}

fn version_of(name: &str) -> Option<Version> {
    let output = Command::new(name).arg("--version").output().ok()?;
    output.status.success().then(|| Version::find(&String::from_utf8_lossy(&output.stdout)))?
}
