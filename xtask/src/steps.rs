//! `cargo xtask test`: the steps, in the order in which a failure is cheapest to find.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::artifacts::{self, Artifacts};
use crate::cli::{Environment, Test};
use crate::demo::host_arch;
use crate::dependencies::PROMISES;
use crate::failure::{Failure, Result};
use crate::node::{self, Node};
use crate::process::{Runner, Tool};
use crate::progress::{complain, duration, say};
use crate::python;
use crate::synth::{self, Variant};
use crate::workspace::cargo;

/// The same packages and features in every step, so that cargo builds each crate once for checking and
/// once for running.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// Packages whose features change what their code uses of itself.
const DEFAULT_FEATURES: [&str; 3] = ["obs-core", "obs-logging", "obs-metrics"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// cargo fmt --check
    Format,
    /// cargo clippy, warnings are errors
    Clippy,
    /// What the library crates pull in by default
    Dependencies,
    /// Unit and integration tests, and each benchmark once
    Tests,
    /// The code in the documentation
    Doctests,
    /// cargo doc, warnings are errors
    Rustdoc,
    /// Licences and advisories, where cargo-deny is installed
    Deny,
    /// Type check and tests of the CDK app
    Infra,
    /// The functions' release build, and the glibc that it asks for
    Functions,
    /// Every variant of the stack synthesized, and cfn-lint on the templates
    Templates,
    /// The stack on the local backend, from a file to an alert
    EndToEnd,
}

impl Name {
    fn text(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn help(self) -> String {
        self.to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed,
    /// It could not be done here; the reason.
    Skipped(String),
    /// A step before it failed.
    NotRun,
}

#[derive(Debug)]
struct Record {
    name: Name,
    ending: Ending,
    took: Duration,
}

/// Prints the steps' names.
pub(crate) fn list() {
    for name in Name::value_variants() {
        say(&format!("{:<12} {}", name.text(), name.help()));
    }
}

pub(crate) fn run(runner: &mut Runner, options: &Test) -> Result<()> {
    let began = Instant::now();
    let mut records = Vec::new();
    let mut prepared = Prepared::default();
    let mut stopped = None;
    for name in Name::value_variants().iter().copied() {
        if !wanted(name, options) {
            continue;
        }
        let failed = records.iter().any(|record: &Record| record.ending == Ending::Failed);
        if (failed && !options.keep_going) || stopped.is_some() {
            records.push(Record { name, ending: Ending::NotRun, took: Duration::ZERO });
            continue;
        }
        let began = Instant::now();
        let ending = match prepared.step(runner, name) {
            Ok(ending) => ending,
            Err(failure) => {
                runner.progress.fail();
                if failure.is_interrupted() {
                    stopped = Some(failure);
                } else {
                    complain(&format!("\n{failure}\n"));
                }
                Ending::Failed
            }
        };
        records.push(Record { name, ending, took: began.elapsed() });
    }
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    say(&table(&records));
    say(&verdict(&records, began.elapsed()).map_err(Failure::new)?);
    if prepared.tests > 0 {
        say(&format!("{} passed, 0 failed", prepared.tests));
    }
    Ok(())
}

fn wanted(name: Name, options: &Test) -> bool {
    (options.only.is_empty() || options.only.contains(&name)) && !options.skip.contains(&name)
}

fn table(records: &[Record]) -> String {
    let mut lines = vec![String::new()];
    for Record { name, ending, took } in records {
        let name = name.text();
        lines.push(match ending {
            Ending::Passed => format!("  {name:<14}passed   {:>12}", duration(*took)),
            Ending::Failed => format!("  {name:<14}FAILED   {:>12}", duration(*took)),
            Ending::Skipped(reason) => format!("  {name:<14}skipped  {reason:>12}"),
            Ending::NotRun => format!("  {name:<14}not run"),
        });
    }
    lines.join("\n")
}

/// The closing sentence; the one that names the failed steps is an error.
fn verdict(records: &[Record], took: Duration) -> std::result::Result<String, String> {
    let with = |wanted: &dyn Fn(&Ending) -> bool| -> Vec<String> {
        records
            .iter()
            .filter(|record| wanted(&record.ending))
            .map(|record| record.name.text())
            .collect()
    };
    let took = duration(took);
    let failed = with(&|ending| *ending == Ending::Failed);
    let passed = with(&|ending| *ending == Ending::Passed).len();
    if !failed.is_empty() {
        return Err(format!("\nFAILED: {} (after {took}).", failed.join(", ")));
    }
    let all = Name::value_variants().len();
    let skipped = with(&|ending| matches!(ending, Ending::Skipped(_)));
    let mut sentence = format!("\n{passed} of {all} steps passed in {took}");
    if !skipped.is_empty() {
        sentence.push_str(&format!("; skipped: {}", skipped.join(", ")));
    }
    if records.len() < all {
        sentence.push_str(&format!("; not asked for: {}", all - records.len()));
    }
    sentence.push('.');
    Ok(sentence)
}

/// What several steps need, made when the first of them needs it.
#[derive(Debug, Default)]
struct Prepared {
    node: Option<Node>,
    interpreter: Option<PathBuf>,
    artifacts: Option<Artifacts>,
    /// How many tests have passed.
    tests: u64,
}

impl Prepared {
    fn step(&mut self, runner: &mut Runner, name: Name) -> Result<Ending> {
        match name {
            Name::Format => {
                simple(runner, name, &workspace_cargo(runner, &["fmt", "--all", "--check"]))
            }
            Name::Clippy => {
                let strict = ["--all-targets", "--", "-D", "warnings"];
                let all = workspace_cargo(runner, &["clippy"]).args(EVERYTHING).args(strict);
                // What is there only for a feature must not be missed, or left over, without it.
                let plain = DEFAULT_FEATURES.iter().flat_map(|package| ["-p", package]);
                let plain = workspace_cargo(runner, &["clippy"]).args(plain).args(strict);
                match simple(runner, name, &all)? {
                    Ending::Passed => simple(runner, name, &plain),
                    ending => Ok(ending),
                }
            }
            Name::Dependencies => dependencies(runner),
            Name::Tests => self.tested(
                runner,
                name,
                &workspace_cargo(runner, &["test"]).args(EVERYTHING).args([
                    "--lib",
                    "--bins",
                    "--tests",
                    "--benches",
                    "--no-fail-fast",
                ]),
            ),
            Name::Doctests => self.tested(
                runner,
                name,
                &workspace_cargo(runner, &["test"])
                    .args(EVERYTHING)
                    .args(["--doc", "--no-fail-fast"]),
            ),
            Name::Rustdoc => simple(
                runner,
                name,
                &workspace_cargo(runner, &["doc"])
                    .args(EVERYTHING)
                    .arg("--no-deps")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Name::Deny => deny(runner),
            Name::Infra => self.infra(runner),
            Name::Functions => {
                self.artifacts(runner)?;
                Ok(Ending::Passed)
            }
            Name::Templates => self.templates(runner),
            Name::EndToEnd => self.end_to_end(runner),
        }
    }

    fn infra(&mut self, runner: &mut Runner) -> Result<Ending> {
        let node = self.node(runner)?;
        for script in ["typecheck", "test"] {
            runner.progress.begin(&format!("infra {script}"));
            let log = runner.run(&node.script(runner, script), &format!("infra-{script}"))?;
            self.tests += passed_tests(&log);
            runner.progress.end("");
        }
        Ok(Ending::Passed)
    }

    fn templates(&mut self, runner: &mut Runner) -> Result<Ending> {
        let node = self.node(runner)?;
        let interpreter = self.interpreter(runner)?;
        let artifacts = self.artifacts(runner)?;
        let variants = Environment::ALL.map(Variant::Account).into_iter().chain([Variant::Local]);
        for variant in variants {
            let name = variant.name();
            runner.progress.begin(&format!("template {name}"));
            let assembly =
                synth::synthesize(runner, &node, &artifacts, variant, &format!("test-{name}"))?;
            let lint = Tool::new(interpreter.with_file_name("cfn-lint"), &node.infra)
                .arg(assembly.template());
            runner.run(&lint, &format!("cfn-lint-{name}"))?;
            runner.progress.end("synthesized, linted");
        }
        Ok(Ending::Passed)
    }

    fn end_to_end(&mut self, runner: &mut Runner) -> Result<Ending> {
        let node = self.node(runner)?;
        let interpreter = self.interpreter(runner)?;
        let artifacts = self.artifacts(runner)?;
        runner.progress.begin("end-to-end");
        let assembly = synth::synthesize(runner, &node, &artifacts, Variant::Local, "end-to-end")?;
        let work = runner.workspace.logs().join("end-to-end");
        let tool = workspace_cargo(runner, &["test"])
            .args(EVERYTHING)
            // Ignored otherwise, because it needs what was prepared here.
            .args(["--test=end_to_end", "--", "--ignored"])
            .env("OBS_LOCAL_PYTHON", &interpreter)
            .env("OBS_LOCAL_ASSEMBLY", &assembly.folder)
            .env("OBS_LOCAL_WORK", work)
            .env("OBS_LOCAL_MOVIES", node.movies())
            .with_backend();
        let log = runner.run(&tool, "end-to-end")?;
        // A filter that matches nothing passes too.
        match passed_tests(&log) {
            0 => Err(Failure::new("the end-to-end test ran no case")),
            count => {
                self.tests += count;
                runner.progress.end(&format!("{count} cases passed"));
                Ok(Ending::Passed)
            }
        }
    }

    fn tested(&mut self, runner: &mut Runner, name: Name, tool: &Tool) -> Result<Ending> {
        let name = name.text();
        runner.progress.begin(&name);
        let log = runner.run(tool, &format!("test-{name}"))?;
        let count = passed_tests(&log);
        self.tests += count;
        runner.progress.end(&format!("{count} passed"));
        Ok(Ending::Passed)
    }

    fn node(&mut self, runner: &mut Runner) -> Result<Node> {
        if self.node.is_none() {
            self.node = Some(node::prepare(runner)?);
        }
        self.node.clone().ok_or_else(|| Failure::new("the npm packages are not installed"))
    }

    fn interpreter(&mut self, runner: &mut Runner) -> Result<PathBuf> {
        if self.interpreter.is_none() {
            self.interpreter = Some(python::prepare(runner)?);
        }
        self.interpreter
            .clone()
            .ok_or_else(|| Failure::new("the Python packages are not installed"))
    }

    fn artifacts(&mut self, runner: &mut Runner) -> Result<Artifacts> {
        if self.artifacts.is_none() {
            self.artifacts = Some(artifacts::build(runner, host_arch()?)?);
        }
        self.artifacts.clone().ok_or_else(|| Failure::new("the functions are not built"))
    }
}

fn simple(runner: &mut Runner, name: Name, tool: &Tool) -> Result<Ending> {
    let name = name.text();
    runner.progress.begin(&name);
    let log = runner.run(tool, &format!("test-{name}"))?;
    let detail = match passed_tests(&log) {
        0 => String::new(),
        count => format!("{count} tests passed"),
    };
    runner.progress.end(&detail);
    Ok(Ending::Passed)
}

/// How many tests the summaries of cargo's and node's runners in a log count as passed.
fn passed_tests(log: &Path) -> u64 {
    let text = fs::read_to_string(log).unwrap_or_default();
    let counts = text.lines().filter_map(|line| {
        let cargo = line.strip_prefix("test result: ok. ").and_then(|rest| rest.split(' ').next());
        cargo.or_else(|| line.strip_prefix("# pass "))?.trim().parse::<u64>().ok()
    });
    counts.sum()
}

fn dependencies(runner: &mut Runner) -> Result<Ending> {
    runner.progress.begin("dependencies");
    let mut counted = Vec::new();
    for promise in &PROMISES {
        let tool = workspace_cargo(
            runner,
            &["tree", "--package", promise.package, "--edges", "normal", "--prefix", "none"],
        );
        let tool = tool.args(["--features", promise.features]);
        let log = runner.run(&tool, &format!("dependencies-{}", promise.name()))?;
        let tree = std::fs::read_to_string(&log)
            .map_err(|error| Failure::io("read cargo's tree", &error))?;
        counted.push(format!("{} {}", promise.name(), promise.check(&tree)?));
    }
    runner.progress.end(&counted.join(", "));
    Ok(Ending::Passed)
}

fn deny(runner: &mut Runner) -> Result<Ending> {
    let installed = std::process::Command::new(cargo()).args(["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return Ok(Ending::Skipped("cargo-deny is not installed".to_owned()));
    }
    simple(runner, Name::Deny, &workspace_cargo(runner, &["deny", "--all-features", "check"]))
}

fn workspace_cargo(runner: &Runner, arguments: &[&str]) -> Tool {
    Tool::new(cargo(), &runner.workspace.root)
        .args(arguments)
        .env("CARGO_TARGET_DIR", &runner.workspace.target)
        .env("CARGO_TERM_COLOR", "never")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ending, Name, Record, passed_tests, table, verdict, wanted};
    use crate::cli::Test;

    fn record(name: Name, ending: Ending) -> Record {
        Record { name, ending, took: Duration::from_secs(75) }
    }

    #[test]
    fn the_closing_line_names_what_failed() {
        let records = [
            record(Name::Format, Ending::Passed),
            record(Name::Clippy, Ending::Failed),
            record(Name::EndToEnd, Ending::Failed),
        ];
        let sentence = verdict(&records, Duration::from_secs(3)).unwrap_err();
        assert_eq!(sentence, "\nFAILED: clippy, end-to-end (after 3.0 s).");
        assert!(
            table(&records).contains("clippy        FAILED     1 min 15 s"),
            "{}",
            table(&records)
        );
    }

    #[test]
    fn the_closing_line_says_what_was_left_out() {
        let records = [
            record(Name::Format, Ending::Passed),
            record(Name::Deny, Ending::Skipped("cargo-deny is not installed".into())),
        ];
        let sentence = verdict(&records, Duration::from_secs(3)).unwrap();
        assert_eq!(sentence, "\n1 of 11 steps passed in 3.0 s; skipped: deny; not asked for: 9.");
        assert!(table(&records).contains("cargo-deny is not installed"));
    }

    #[test]
    fn passed_tests_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 1 ignored\n\
                    test result: ok. 12 passed; 0 failed\ntest result: FAILED. 9 passed; 1 failed\n\
                    # pass 62\n# fail 0\n";
        std::fs::write(&log, text).unwrap();
        assert_eq!(passed_tests(&log), 77);
        assert_eq!(passed_tests(&folder.path().join("none")), 0);
    }

    #[test]
    fn steps_are_chosen() {
        let options = |only, skip| Test { only, skip, list: false, keep_going: false };
        let chosen = |options: &Test| [Name::Format, Name::Tests].map(|name| wanted(name, options));
        assert_eq!(chosen(&options(vec![], vec![])), [true, true]);
        assert_eq!(chosen(&options(vec![Name::Tests], vec![])), [false, true]);
        assert_eq!(chosen(&options(vec![], vec![Name::Tests])), [true, false]);
    }
}
