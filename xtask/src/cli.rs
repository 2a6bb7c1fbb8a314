//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::steps::Name;

/// The project's commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploys the reference stack to a local AWS backend, sends a file through it and shows what came out
    Demo(Demo),
    /// Runs every check that CI runs
    Test(Test),
    /// Deploys the reference stack to an AWS account
    Deploy(Deploy),
    /// Removes the reference stack from an AWS account
    Destroy(Destroy),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// A file of records in JSON, JSON Lines or CSV [default: movies.json of vega-datasets]
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Leaves the backend running after the report, until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Runs these steps only; --list names them
    #[arg(long, value_name = "STEP", value_delimiter = ',', hide_possible_values = true)]
    pub(crate) only: Vec<Name>,
    /// Leaves these steps out
    #[arg(
        long,
        value_name = "STEP",
        value_delimiter = ',',
        conflicts_with = "only",
        hide_possible_values = true
    )]
    pub(crate) skip: Vec<Name>,
    /// Lists the steps
    #[arg(long)]
    pub(crate) list: bool,
    /// Goes on after a failed step
    #[arg(long)]
    pub(crate) keep_going: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Which environment
    #[arg(long)]
    pub(crate) env: Environment,
    /// The functions' architecture; arm64 needs the toolchain's target for it
    #[arg(long, default_value = "x86_64")]
    pub(crate) arch: Arch,
    /// Does everything up to the deployment and shows what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// Which environment
    #[arg(long)]
    pub(crate) env: Environment,
    /// Does not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Environment {
    Dev,
    Staging,
    Prod,
}

impl Environment {
    pub(crate) const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }

    pub(crate) fn stack(self) -> String {
        format!("obs-reference-{}", self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "arm64")]
    Arm64,
}

impl Arch {
    /// The name in Lambda's own words, and in the infrastructure's settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The first part of the Rust target.
    pub(crate) fn rust_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    pub(crate) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.rust_name())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Arch, Cli, Command, Environment};

    fn parsed(words: &str) -> Result<Command, String> {
        let words = ["xtask"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_deployment_names_its_environment() {
        let Ok(Command::Deploy(deploy)) = parsed("deploy --env prod --arch arm64 --dry-run") else {
            panic!("must parse")
        };
        assert_eq!(
            (deploy.env, deploy.arch, deploy.dry_run),
            (Environment::Prod, Arch::Arm64, true)
        );
        assert!(parsed("deploy").unwrap_err().contains("--env"));
        assert!(parsed("deploy --env production").unwrap_err().contains("dev, staging, prod"));
        assert!(parsed("deploy --env dev --force").unwrap_err().contains("'--force'"));
        assert!(parsed("destroy").unwrap_err().contains("--env"));
    }

    #[test]
    fn steps_are_named() {
        let Ok(Command::Test(test)) = parsed("test --only clippy,end-to-end --keep-going") else {
            panic!("must parse")
        };
        assert_eq!(test.only.len(), 2);
        assert!(parsed("test --only lint").unwrap_err().contains("clippy"));
        assert!(parsed("test --only clippy --skip tests").is_err());
    }
}
