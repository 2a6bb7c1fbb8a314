//! Creates the stack on the backend: assets first, then the template with their parameters.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, Parameter, StackStatus};
use aws_sdk_s3::primitives::ByteStream;

use crate::assembly::Assembly;
use crate::clients::Clients;
use crate::error::{Error, Result};

/// Where the functions' zips go; the backend starts empty, so the name is free.
const ASSET_BUCKET: &str = "obs-local-assets";
/// It takes less than a second; a resource that hangs must not hang the caller.
const PATIENCE: Duration = Duration::from_secs(60);

/// The outputs of a created stack, by name.
#[derive(Debug, Clone)]
pub(crate) struct Outputs(BTreeMap<String, String>);

impl Outputs {
    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).ok_or_else(|| {
            Error::settings(format!("the stack has no output {name}, which the local driver needs"))
        })
    }
}

/// Puts the assets into a bucket of their own; how many there were, and their size in bytes.
pub(crate) async fn upload_assets(clients: &Clients, assembly: &Assembly) -> Result<(usize, u64)> {
    clients
        .s3
        .create_bucket()
        .bucket(ASSET_BUCKET)
        .send()
        .await
        .map_err(|error| Error::service("make the asset bucket", error))?;
    let mut bytes = 0;
    for asset in &assembly.assets {
        let body = ByteStream::from_path(&asset.path).await.map_err(|error| {
            Error::settings(format!("cannot read {}", asset.path.display())).because(error)
        })?;
        bytes += asset.path.metadata().map_or(0, |metadata| metadata.len());
        clients
            .s3
            .put_object()
            .bucket(ASSET_BUCKET)
            .key(asset.key())
            .body(body)
            .send()
            .await
            .map_err(|error| Error::service(format!("upload {}", asset.path.display()), error))?;
    }
    Ok((assembly.assets.len(), bytes))
}

/// Creates the stack and waits for it; its outputs and the number of its resources.
pub(crate) async fn create(clients: &Clients, assembly: &Assembly) -> Result<(Outputs, usize)> {
    let parameters = assembly
        .assets
        .iter()
        .flat_map(|asset| asset.parameters(ASSET_BUCKET))
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build())
        .collect();
    let name = &assembly.stack_name;
    clients
        .cloudformation
        .create_stack()
        .stack_name(name)
        .template_body(&assembly.template)
        .set_parameters(Some(parameters))
        .capabilities(Capability::CapabilityIam)
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await
        .map_err(|error| Error::service(format!("create the stack {name}"), error))?;

    let deadline = Instant::now() + PATIENCE;
    loop {
        let described = clients
            .cloudformation
            .describe_stacks()
            .stack_name(name)
            .send()
            .await
            .map_err(|error| Error::service(format!("describe the stack {name}"), error))?;
        let stack = described
            .stacks()
            .first()
            .ok_or_else(|| Error::backend(format!("the stack {name} vanished")))?;
        match stack.stack_status() {
            Some(StackStatus::CreateComplete) => {
                let outputs = stack
                    .outputs()
                    .iter()
                    .filter_map(|output| {
                        Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
                    })
                    .collect();
                return Ok((Outputs(outputs), count_resources(clients, name).await?));
            }
            Some(StackStatus::CreateInProgress) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Some(StackStatus::CreateInProgress) => {
                return Err(Error::timeout(format!(
                    "the stack {name} was not created after {} s{}",
                    PATIENCE.as_secs(),
                    failures(clients, name).await
                )));
            }
            status => {
                let status = status.map_or("no status", StackStatus::as_str);
                return Err(Error::backend(format!(
                    "the stack {name} ended as {status}{}",
                    failures(clients, name).await
                )));
            }
        }
    }
}

async fn count_resources(clients: &Clients, name: &str) -> Result<usize> {
    let resources = clients
        .cloudformation
        .describe_stack_resources()
        .stack_name(name)
        .send()
        .await
        .map_err(|error| Error::service(format!("list the resources of {name}"), error))?;
    Ok(resources.stack_resources().len())
}

/// The reasons of the failed resources, each on a line of its own.
async fn failures(clients: &Clients, name: &str) -> String {
    let events = clients.cloudformation.describe_stack_events().stack_name(name).send().await;
    let mut reasons = String::new();
    for event in events.iter().flat_map(|events| events.stack_events()) {
        let failed =
            event.resource_status().is_some_and(|status| status.as_str().ends_with("FAILED"));
        if let (true, Some(reason)) = (failed, event.resource_status_reason()) {
            let _ = write!(
                reasons,
                "\n  {} ({}): {reason}",
                event.logical_resource_id().unwrap_or("?"),
                event.resource_type().unwrap_or("?")
            );
        }
    }
    reasons
}
