//! The project's commands: `cargo xtask demo | test | deploy | destroy`.
//!
//! ```text
//!  cli ─► demo ────┬─► python   virtual environment, pinned   ┐
//!        steps ────┤   node     npm ci, pinned                │
//!        deploy ───┘   artifacts  build, glibc check, zip     ├─► process: every child under supervise.py
//!                      synth    the CDK app                   │
//!                                                             ┘
//! ```
//!
//! Every child process runs under `supervise.py`, which holds the other end of a pipe: however this
//! program ends, what it started ends too. Everything is written under `.demo/`, the cargo target
//! folder and the infrastructure's `node_modules/`.

mod artifacts;
mod cli;
mod credentials;
mod demo;
mod dependencies;
mod deploy;
mod failure;
mod glibc;
mod interrupt;
mod node;
mod process;
mod progress;
mod python;
mod steps;
mod synth;
mod version;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::process::Runner;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::complain(&failure.to_string());
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    // `--list` needs no tool, so it answers before any is looked for.
    if let Command::Test(options) = &command
        && options.list
    {
        steps::list();
        return Ok(());
    }
    let mut runner = Runner::new()?;
    match command {
        Command::Demo(options) => demo::run(&mut runner, &options),
        Command::Test(options) => steps::run(&mut runner, &options),
        Command::Deploy(options) => deploy::deploy(&mut runner, &options),
        Command::Destroy(options) => deploy::destroy(&mut runner, &options),
    }
}
