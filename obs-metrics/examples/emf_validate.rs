//! Checks EMF lines offline, as CloudWatch would: `emf_validate [OPTIONS] [FILE]...`.
//!
//! ```sh
//! cargo run -p obs-metrics --example emf_validate -- function.log other.log
//! some-program | cargo run -p obs-metrics --example emf_validate
//! ```
//!
//! Every violation is printed, as `file:line: pointer: what is wrong [rule; source]`. Lines that are
//! no EMF documents (other log lines) are counted and left alone. A line is held in memory; what is
//! over 16 MiB of it is not looked at beyond its size.
//!
//! The status is 0 if all documents are valid, 1 after the first file with a violation, 2 if the
//! arguments are wrong or something could not be read or written.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_metrics::emf;

const HELP: &str = "\
Checks EMF lines offline, as CloudWatch would.

Usage: emf_validate [OPTIONS] [FILE]...

Reads standard input where there is no FILE, or where it is -. Lines that are no EMF documents are
counted and left alone. Each violation is printed as

    file:line: pointer: what is wrong [rule; source]

Options:
  -a, --all           Check the other files too after one with a violation
      --now <MILLIS>  Judge timestamps as at this time, in milliseconds since the epoch: a document
                      may be 14 days old, and archived lines are older (default: the time now)
  -h, --help          Print this help

Status: 0 all documents are valid, 1 there was a violation, 2 the arguments are wrong or something
could not be read or written.
";

struct Options {
    all: bool,
    now: SystemTime,
    files: Vec<OsString>,
}

#[derive(Default)]
struct Summary {
    documents: usize,
    invalid: usize,
    metrics: usize,
    other: usize,
    unreadable: usize,
}

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let options = match options(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            return status(out.write_all(HELP.as_bytes()).and_then(|()| out.flush()), 0);
        }
        Err(message) => {
            complain(&format!("{message}; --help says how it is used"));
            return ExitCode::from(2);
        }
    };
    let mut summary = Summary::default();
    let written = run(&options, &mut out, &mut summary).and_then(|()| out.flush());
    let code = match summary {
        Summary { unreadable: 1.., .. } => 2,
        Summary { invalid: 1.., .. } => 1,
        _ => 0,
    };
    status(written, code)
}

/// `None` where help is asked for.
fn options(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut options = Options { all: false, now: SystemTime::now(), files: Vec::new() };
    let mut only_files = false;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") if !only_files => only_files = true,
            Some("-h" | "--help") if !only_files => return Ok(None),
            Some("-a" | "--all") if !only_files => options.all = true,
            Some("--now") if !only_files => {
                let millis = arguments.next().unwrap_or_default();
                let millis = millis.to_str().and_then(|millis| millis.parse().ok());
                options.now = millis
                    .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis)))
                    .ok_or("--now takes milliseconds since the epoch, for example 1700000000000")?;
            }
            Some(flag) if !only_files && flag.starts_with('-') && flag != "-" => {
                return Err(format!("there is no option {flag}"));
            }
            _ => options.files.push(argument),
        }
    }
    if options.files.is_empty() {
        options.files.push("-".into());
    }
    Ok(Some(options))
}

/// Errors are those of writing; what cannot be read is reported and counted.
fn run(options: &Options, out: &mut impl Write, summary: &mut Summary) -> io::Result<()> {
    for file in &options.files {
        let name = file.to_string_lossy();
        let read = if file == "-" {
            let input = io::stdin().lock();
            if input.is_terminal() {
                complain("reads standard input; end it with Ctrl-D");
            }
            check("stdin", input, options.now, out, summary)?
        } else {
            match File::open(file) {
                Ok(file) => check(&name, BufReader::new(file), options.now, out, summary)?,
                Err(error) => Err(error),
            }
        };
        if let Err(error) = read {
            complain(&format!("{name}: {error}"));
            summary.unreadable += 1;
        }
        if summary.invalid > 0 && !options.all {
            break;
        }
    }
    let Summary { documents, invalid, metrics, other, .. } = summary;
    writeln!(
        out,
        "documents: {documents}, invalid: {invalid}, metrics: {metrics}, other lines: {other}"
    )
}

/// The outer error is one of writing, the inner one of reading.
fn check(
    name: &str,
    mut input: impl BufRead,
    now: SystemTime,
    out: &mut impl Write,
    summary: &mut Summary,
) -> io::Result<io::Result<()>> {
    let mut bytes = Vec::new();
    for number in 1_usize.. {
        bytes.clear();
        match input.read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        let line = String::from_utf8_lossy(&bytes);
        // What Windows programs put before the first line is not part of it.
        let line = line.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(&line);
        if !emf::is_emf(line) {
            summary.other += usize::from(!line.trim().is_empty());
            continue;
        }
        summary.documents += 1;
        let (utf8, checked) = (std::str::from_utf8(&bytes), emf::validate_at(line, now));
        if let (Ok(_), Ok(document)) = (utf8, &checked) {
            summary.metrics += document.metrics().count();
            continue;
        }
        // Before it is written: where that fails, the status is to be right.
        summary.invalid += 1;
        if let Err(error) = utf8 {
            let at = error.valid_up_to() + 1;
            writeln!(
                out,
                "{name}:{number}: (document): is not UTF-8 at byte {at} [json; RFC 8259]"
            )?;
        }
        if let Err(violations) = checked {
            for violation in &violations {
                writeln!(out, "{name}:{number}: {violation}")?;
            }
            if violations.omitted() > 0 {
                writeln!(out, "{name}:{number}: … and {} more", violations.omitted())?;
            }
        }
    }
    Ok(Ok(()))
}

/// The reader of a pipe may end before the output does (`| head`): that is no error of ours.
fn status(written: io::Result<()>, code: u8) -> ExitCode {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("standard output: {error}"));
            ExitCode::from(2)
        }
        _ => ExitCode::from(code),
    }
}

fn complain(message: &str) {
    // Where standard error is closed too there is nobody to tell.
    let _ = writeln!(io::stderr(), "emf_validate: {message}");
}
