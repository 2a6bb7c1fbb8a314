//! The functions' deployment packages: built, checked, zipped.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::cli::Arch;
use crate::failure::{Failure, Result};
use crate::glibc::{self, Machine};
use crate::process::{Runner, Tool};
use crate::workspace::cargo;

/// The binaries, and so the zips.
const FUNCTIONS: [&str; 2] = ["pipeline", "alert_processor"];

/// A folder with a zip for each function.
#[derive(Debug, Clone)]
pub(crate) struct Artifacts {
    pub(crate) folder: PathBuf,
    pub(crate) arch: Arch,
}

/// Builds, checks and zips the functions for `arch`: the same artefact for the demo and for a
/// deployment.
pub(crate) fn build(runner: &mut Runner, arch: Arch) -> Result<Artifacts> {
    runner.progress.begin("functions");
    let target = Target::find(arch)?;
    let workspace = runner.workspace.clone();
    let mut tool = Tool::new(cargo(), &workspace.root)
        .args(["build", "--package=obs-reference", "--profile=lambda"])
        .env("CARGO_TARGET_DIR", &workspace.target)
        .env("CARGO_TERM_COLOR", "never");
    for function in FUNCTIONS {
        tool = tool.arg(format!("--bin={function}"));
    }
    tool = target.configure(tool);
    runner.run(&tool, "functions")?;

    let folder = workspace.artifacts(arch);
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::io(format!("make {}", folder.display()), &error))?;
    let built = target.output(&workspace.target);
    let this_program = std::env::current_exe()
        .map_err(|error| Failure::io("find this program's own file", &error))?;
    let mut sizes = Vec::new();
    for function in FUNCTIONS {
        let binary = built.join(function);
        let file = fs::read(&binary)
            .map_err(|error| Failure::io(format!("read {}", binary.display()), &error))?;
        check(&binary, &file, arch)?;
        let zip = folder.join(format!("{function}.zip"));
        // Compressing takes seconds, and most runs change nothing.
        if !is_newer(&zip, &[&binary, &this_program]) {
            fs::write(&zip, package(&file)?)
                .map_err(|error| Failure::io(format!("write {}", zip.display()), &error))?;
        }
        let size = zip.metadata().map_or(0, |metadata| metadata.len());
        sizes.push(format!("{:.1}", megabytes(size)));
    }
    runner.progress.end(&format!("{} MB zipped, {}", sizes.join(" + "), arch.as_str()));
    Ok(Artifacts { folder, arch })
}

/// Two empty packages, for a synthesis whose code nobody will run.
pub(crate) fn placeholders(runner: &Runner) -> Result<Artifacts> {
    let folder = runner.workspace.temporary().join("placeholders");
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::io(format!("make {}", folder.display()), &error))?;
    for function in FUNCTIONS {
        let zip = folder.join(format!("{function}.zip"));
        fs::write(&zip, package(b"")?)
            .map_err(|error| Failure::io(format!("write {}", zip.display()), &error))?;
    }
    Ok(Artifacts { folder, arch: Arch::X86_64 })
}

/// The zip that Lambda wants: one executable `bootstrap`. The same bytes always give the same zip, so
/// that CDK's asset hash, and with it the deployment, changes only when the code does.
fn package(bootstrap: &[u8]) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let write = || -> zip::result::ZipResult<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("bootstrap", options)?;
        zip.write_all(bootstrap)?;
        Ok(zip.finish()?.into_inner())
    };
    write().map_err(|error| Failure::new(format!("cannot zip a function: {error}")))
}

/// Whether a file was written after all that it is made from.
fn is_newer(made: &Path, sources: &[&Path]) -> bool {
    let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(made) = written(made) else { return false };
    sources.iter().all(|source| written(source).is_some_and(|source| source < made))
}

/// Refuses a binary that would not start in Lambda.
fn check(path: &Path, file: &[u8], arch: Arch) -> Result<()> {
    let needs = glibc::needs(file).map_err(|error| {
        Failure::new(format!("{} is no ELF file that can be read: {error}", path.display()))
    })?;
    let expected = match arch {
        Arch::X86_64 => Machine::X86_64,
        Arch::Arm64 => Machine::Arm64,
    };
    if needs.machine != expected {
        return Err(Failure::new(format!(
            "{} was built for {:?} and not for {}",
            path.display(),
            needs.machine,
            arch.as_str()
        )));
    }
    match needs.glibc {
        Some(glibc) if glibc > glibc::NEWEST => Err(Failure::new(format!(
            "{} asks for {glibc}, and provided.al2023 has {}: build on a system with an older glibc",
            path.display(),
            glibc::NEWEST
        ))),
        _ => Ok(()),
    }
}

/// How the toolchain builds for an architecture.
#[derive(Debug)]
struct Target {
    /// The target, if it is not what cargo builds for by default.
    cross: Option<String>,
    /// What links for it, where the toolchain's own linker does not.
    linker: Option<PathBuf>,
}

impl Target {
    fn find(arch: Arch) -> Result<Self> {
        let target = arch.target();
        let host = rustc(&["-vV"])?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        if host == target {
            return Ok(Self { cross: None, linker: None });
        }
        let library = rustc(&["--print=target-libdir", "--target", &target])?;
        if !Path::new(library.trim()).is_dir() {
            return Err(Failure::new(format!(
                "this toolchain cannot build for {}: it has no target {target} (`rustup target add {target}`)",
                arch.as_str()
            )));
        }
        let linker_name = format!("{}-linux-gnu-gcc", arch.rust_name());
        let configured = std::env::var_os(format!("CARGO_TARGET_{}_LINKER", shouted(&target)));
        let linker = on_path(&linker_name);
        if linker.is_none() && configured.is_none() {
            return Err(Failure::new(format!(
                "the toolchain has the target {target}, but there is no C compiler for it: \
                 install {linker_name}"
            )));
        }
        Ok(Self { cross: Some(target), linker: linker.filter(|_| configured.is_none()) })
    }

    fn configure(&self, tool: Tool) -> Tool {
        let Some(target) = &self.cross else { return tool };
        let tool = tool.arg(format!("--target={target}"));
        match &self.linker {
            None => tool,
            Some(linker) => tool
                .env(format!("CARGO_TARGET_{}_LINKER", shouted(target)), linker)
                .env(format!("CC_{}", target.replace('-', "_")), linker),
        }
    }

    fn output(&self, target_folder: &Path) -> PathBuf {
        let base = self
            .cross
            .as_ref()
            .map_or_else(|| target_folder.to_owned(), |cross| target_folder.join(cross));
        base.join("lambda")
    }
}

fn shouted(target: &str) -> String {
    target.replace('-', "_").to_uppercase()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(arguments)
        .output()
        .map_err(|error| Failure::io("run rustc", &error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use zip::ZipArchive;

    use super::{Arch, check, is_newer, package, shouted};

    #[test]
    fn a_package_is_the_same_each_time_and_holds_an_executable() {
        let content = b"\x7fELF and the rest ".repeat(1_000);
        let first = package(&content).unwrap();
        assert_eq!(first, package(&content).unwrap());
        assert!(first.len() < content.len() / 10, "it is compressed");
        let mut archive = ZipArchive::new(Cursor::new(first)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_index(0).unwrap();
        assert_eq!(file.name().unwrap(), "bootstrap");
        assert_eq!(file.unix_mode().map(|mode| mode & 0o7777), Some(0o755));
        let time = file.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour()), (1980, 1, 1, 0));
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!(read, content);
    }

    #[test]
    fn what_is_older_than_its_source_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            let file = std::fs::File::create(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            path
        };
        let (old, zip, new) = (at("old", 1), at("zip", 2), at("new", 3));
        assert!(is_newer(&zip, &[&old]));
        assert!(!is_newer(&zip, &[&old, &new]));
        assert!(!is_newer(&zip, &[&zip]), "the same moment may be before or after");
        assert!(!is_newer(&folder.path().join("none"), &[&old]));
        assert!(!is_newer(&zip, &[&folder.path().join("none")]));
    }

    #[test]
    fn a_script_is_no_artefact() {
        let failure = check(Path::new("pipeline"), b"#!/bin/sh\n", Arch::X86_64).unwrap_err();
        assert!(failure.to_string().contains("no ELF file"), "{failure}");
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn a_binary_of_another_machine_is_no_artefact() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let failure = check(Path::new("pipeline"), &file, Arch::Arm64).unwrap_err();
        assert!(failure.to_string().contains("not for arm64"), "{failure}");
    }

    #[test]
    fn cargo_shouts_a_target_in_its_variables() {
        assert_eq!(shouted("aarch64-unknown-linux-gnu"), "AARCH64_UNKNOWN_LINUX_GNU");
    }
}
