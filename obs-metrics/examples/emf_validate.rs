//! Checks EMF lines offline, as CloudWatch would.
//!
//! `cargo run -p obs-metrics --example emf_validate -- FILES`, or lines on standard input. Lines that are
//! no EMF documents (other log lines) are counted and left alone. Every violation is printed, as
//! `file:line: pointer: what is wrong [rule; source]`; the status is 1 if there was one, 2 if
//! something could not be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;

use obs_metrics::emf;

#[derive(Default)]
struct Summary {
    documents: usize,
    invalid: usize,
    metrics: usize,
    other: usize,
}

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut summary = Summary::default();
    let mut out = io::stdout().lock();
    let read = if files.is_empty() {
        check("stdin", io::stdin().lock(), &mut out, &mut summary)
    } else {
        files.iter().try_for_each(|name| {
            let file = File::open(name).map_err(|error| with_name(name, &error))?;
            check(name, BufReader::new(file), &mut out, &mut summary)
        })
    };
    let ended = read.and_then(|()| {
        let Summary { documents, invalid, metrics, other } = summary;
        writeln!(
            out,
            "{documents} documents, {invalid} of them invalid; {metrics} metrics; {other} other lines"
        )
    });
    match ended {
        Ok(()) if summary.invalid == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(io::stderr(), "emf_validate: {error}");
            ExitCode::from(2)
        }
    }
}

fn check(
    name: &str,
    mut input: impl BufRead,
    out: &mut impl Write,
    summary: &mut Summary,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    for number in 1_usize.. {
        bytes.clear();
        let read = input.read_until(b'\n', &mut bytes).map_err(|error| with_name(name, &error))?;
        if read == 0 {
            break;
        }
        // What is not UTF-8 is not JSON either: the marks in its place are reported as such.
        let line = String::from_utf8_lossy(&bytes);
        if !emf::is_emf(&line) {
            summary.other += usize::from(!line.trim().is_empty());
            continue;
        }
        summary.documents += 1;
        match emf::validate(&line) {
            Ok(document) => summary.metrics += document.metrics().count(),
            Err(violations) => {
                summary.invalid += 1;
                for violation in &violations {
                    writeln!(out, "{name}:{number}: {violation}")?;
                }
            }
        }
    }
    Ok(())
}

fn with_name(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}
