//! `cargo xtask deploy` and `cargo xtask destroy`: the same artefact and the same app as the demo, with
//! CDK's default synthesizer, against an AWS account.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::artifacts;
use crate::cli::{Deploy, Destroy, Environment};
use crate::credentials;
use crate::failure::{Failure, Result};
use crate::node::{self, Node};
use crate::process::{Runner, Tool, tail};
use crate::progress::say;
use crate::synth::{self, Assembly, Variant};

pub(crate) fn deploy(runner: &mut Runner, options: &Deploy) -> Result<()> {
    // First: nobody should wait for a release build to learn that there is no account.
    find_credentials(runner)?;
    let (assembly, node) = in_steps(runner, |runner| {
        node::find()?;
        let artifacts = artifacts::build(runner, options.arch)?;
        let node = node::prepare(runner)?;
        let variant = Variant::Account(options.env);
        runner.progress.begin("infrastructure");
        let assembly = synth::synthesize(runner, &node, &artifacts, variant, options.env.as_str())?;
        runner
            .progress
            .end(&format!("synthesized in {}", runner.workspace.shown(&assembly.folder)));
        Ok((assembly, node))
    })?;
    if options.dry_run {
        return show_changes(runner, &node, &assembly);
    }
    say("");
    let mut tool = cdk(&node, "deploy", &assembly);
    if !io::stdin().is_terminal() {
        // Nobody can approve; whoever lets a machine deploy has approved.
        tool = tool.arg("--require-approval=never");
    }
    runner.run_interactively(&tool)
}

pub(crate) fn destroy(runner: &mut Runner, options: &Destroy) -> Result<()> {
    let stack = options.env.stack();
    if !options.yes && !io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "destroying {stack} asks first, and there is no terminal to ask on: \
             add --yes if that is what you want"
        )));
    }
    find_credentials(runner)?;
    if !options.yes && !confirmed(options.env, &mut io::stdin().lock())? {
        return Err(Failure::new(format!("{stack} was left as it is")));
    }
    let (assembly, node) = in_steps(runner, |runner| {
        let node = node::prepare(runner)?;
        runner.progress.begin("infrastructure");
        // The stack is found by its name; no code of it is read.
        let artifacts = artifacts::placeholders(runner)?;
        let variant = Variant::Account(options.env);
        let folder = format!("destroy-{}", options.env.as_str());
        let assembly = synth::synthesize(runner, &node, &artifacts, variant, &folder)?;
        runner.progress.end("synthesized");
        Ok((assembly, node))
    })?;
    say("");
    runner.run_interactively(&cdk(&node, "destroy", &assembly).arg("--force"))
}

fn find_credentials(runner: &mut Runner) -> Result<()> {
    let found = credentials::find(&credentials::Process).map_err(Failure::new)?;
    runner.progress.begin("credentials");
    runner.progress.end(&format!("{}, {}", found.source, found.region));
    Ok(())
}

/// Ends the step that is under way when one of them fails.
fn in_steps<T>(runner: &mut Runner, steps: impl FnOnce(&mut Runner) -> Result<T>) -> Result<T> {
    let result = steps(runner);
    if result.is_err() {
        runner.progress.fail();
    }
    result
}

fn cdk(node: &Node, command: &str, assembly: &Assembly) -> Tool {
    node.cdk().arg(command).arg("--app").arg(&assembly.folder).arg(&assembly.stack)
}

/// Whether the stack's name was typed: `y` is typed too quickly for this.
fn confirmed(environment: Environment, answers: &mut impl io::BufRead) -> Result<bool> {
    let stack = environment.stack();
    let mut stdout = io::stdout();
    let _ = write!(stdout, "This removes {stack} with everything in it. Type {stack} to go on: ");
    let _ = stdout.flush();
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(|error| Failure::io("read the answer", &error))?;
    Ok(answer.trim() == stack)
}

/// Compares with what is deployed; where that cannot be asked, says so and shows what would be there.
fn show_changes(runner: &mut Runner, node: &Node, assembly: &Assembly) -> Result<()> {
    runner.progress.begin("compare");
    // Without a change set: a dry run must leave nothing in the account, not even that.
    let tool = cdk(node, "diff", assembly).args(["--method=template", "--no-color"]);
    match runner.run(&tool, "cdk-diff") {
        Ok(log) => {
            runner.progress.end("with what is deployed");
            let difference = fs::read_to_string(&log)
                .map_err(|error| Failure::io(format!("read {}", log.display()), &error))?;
            say(&format!("\n{}", difference.trim_end()));
            say("\nNothing was deployed: this was a dry run.");
            Ok(())
        }
        Err(failure) if failure.is_interrupted() => Err(failure),
        Err(_) => {
            runner.progress.end("not possible");
            let log = runner.workspace.logs().join("cdk-diff.log");
            say("\nWhat is deployed could not be read, so what would change is not known:");
            let said = tail(&log);
            let mut reasons: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            reasons.dedup();
            for reason in reasons.iter().take(6) {
                say(&format!("  {}", reason.trim()));
            }
            let template = assembly.template();
            let text = fs::read_to_string(&template)
                .map_err(|error| Failure::io(format!("read {}", template.display()), &error))?;
            let template: Value = serde_json::from_str(&text)
                .map_err(|error| Failure::new(format!("the template is not JSON: {error}")))?;
            say(&format!("\nA deployment of {} would consist of:", assembly.stack));
            for line in resources(&template) {
                say(&line);
            }
            say("\nNothing was deployed: this was a dry run.");
            Ok(())
        }
    }
}

/// A line for each type of resource, with the logical ids.
fn resources(template: &Value) -> Vec<String> {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten()
    {
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or("?");
        by_type.entry(kind).or_default().push(id);
    }
    by_type
        .into_iter()
        .map(|(kind, ids)| format!("  {:>3}  {kind:<30} {}", ids.len(), ids.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Environment, confirmed, resources};

    #[test]
    fn only_the_name_confirms() {
        let check = |answer: &str, expected| {
            let confirmed = confirmed(Environment::Staging, &mut answer.as_bytes()).unwrap();
            assert_eq!(confirmed, expected, "{answer:?}");
        };
        check("obs-reference-staging\n", true);
        check("obs-reference-prod\n", false);
        check("y\n", false);
        check("\n", false);
        check("", false);
    }

    #[test]
    fn resources_are_listed_by_type() {
        let template = json!({"Resources": {
            "A": {"Type": "AWS::SNS::Topic"}, "B": {"Type": "AWS::S3::Bucket"}, "C": {"Type": "AWS::SNS::Topic"},
        }});
        let lines = resources(&template);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("1  AWS::S3::Bucket"), "{lines:?}");
        assert!(lines[1].contains("2  AWS::SNS::Topic") && lines[1].ends_with("A, C"), "{lines:?}");
        assert!(resources(&json!({})).is_empty());
    }
}
