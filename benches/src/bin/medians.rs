//! Runs all benchmarks several times and prints the table of the medians:
//! `cargo run -p obs-benches --bin medians -- 5`.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use std::{env, fs};

use obs_benches::{RECORD_TO, Row, medians, parse, render};

const DEFAULT_RUNS: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = writeln!(io::stderr(), "medians: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let runs = match env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("{text:?} is not a number of runs"))?,
        None => DEFAULT_RUNS,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let record = env::current_exe()?.with_extension("rows");
    if record.exists() {
        fs::remove_file(&record)?;
    }
    for _ in 0..runs {
        let status = Command::new(&cargo)
            .args(["bench", "-p", "obs-benches", "--benches"])
            .env(RECORD_TO, &record)
            .status()?;
        if !status.success() {
            return Err(format!("cargo bench ended with {status}").into());
        }
    }
    let rows: Vec<Row> = fs::read_to_string(&record)?.lines().filter_map(parse).collect();
    let table = render(&medians(&rows));
    writeln!(io::stdout(), "\nMedians of {runs} runs, each in processes of its own:\n\n{table}")?;
    Ok(())
}
