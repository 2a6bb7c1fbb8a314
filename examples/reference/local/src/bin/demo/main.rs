//! The demo's driver: deploys, sends a file through, and reports what was read back.
//!
//! `cargo xtask demo` prepares everything and starts it with `OBS_LOCAL_PYTHON`, `OBS_LOCAL_ASSEMBLY`,
//! `OBS_LOCAL_WORK`, the input file, and `--keep` if the backend is to go on after the report.

mod figures;
mod report;
mod run;
mod show;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::show::{complain, say};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse(env::args_os().skip(1)) else {
        complain("usage: demo FILE [--keep]");
        return ExitCode::from(2);
    };
    match run::run(&arguments.input, arguments.keep).await {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            say("\nProblems");
            for problem in problems {
                say(&format!("  {problem}"));
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    input: PathBuf,
    keep: bool,
}

impl Arguments {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let (keep, mut files): (Vec<_>, Vec<_>) = arguments.partition(|word| word == "--keep");
        let input = PathBuf::from(files.pop()?);
        files.is_empty().then_some(Self { input, keep: !keep.is_empty() })
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    #[test]
    fn one_file_and_perhaps_keep() {
        let parse = |words: &str| Arguments::parse(words.split_whitespace().map(Into::into));
        let given = |keep| Some(Arguments { input: "a.json".into(), keep });
        assert_eq!(parse("a.json"), given(false));
        assert_eq!(parse("--keep a.json"), given(true));
        assert_eq!(parse("a.json --keep"), given(true));
        assert_eq!(parse("--keep"), None);
        assert_eq!(parse("a.json b.json"), None);
    }
}
