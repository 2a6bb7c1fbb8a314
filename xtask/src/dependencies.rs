//! What a user of a library crate pulls in: held to what the design promises.

use std::collections::BTreeSet;

use crate::failure::{Failure, Result};

/// What one crate may bring with its default features.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) package: &'static str,
    /// The most packages in its normal tree, itself included; none where nothing is promised.
    most: Option<usize>,
}

/// A function that only wants metrics and logs builds no AWS SDK and no opentelemetry.
pub(crate) const PROMISES: [Promise; 5] = [
    Promise { package: "obs-core", most: None },
    Promise { package: "obs-metrics", most: Some(40) },
    Promise { package: "obs-logging", most: Some(45) },
    Promise { package: "obs-tracing", most: None },
    Promise { package: "obs", most: None },
];

impl Promise {
    /// Holds the promise against what `cargo tree --edges normal --prefix none` prints.
    pub(crate) fn check(&self, tree: &str) -> Result<usize> {
        let packages: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let Self { package, most } = self;
        if let Some(aws) = packages.iter().find(|name| name.starts_with("aws-")) {
            return Err(Failure::new(format!(
                "{package} pulls in {aws}: no AWS SDK crate may be reachable from it by default"
            )));
        }
        let telemetry = packages.iter().find(|name| name.starts_with("opentelemetry"));
        if let (Some(telemetry), Some(_)) = (telemetry, most) {
            return Err(Failure::new(format!("{package} pulls in {telemetry}")));
        }
        match most {
            Some(most) if packages.len() > *most => Err(Failure::new(format!(
                "{package} has {} packages in its tree; {most} are promised",
                packages.len()
            ))),
            _ => Ok(packages.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Promise;

    #[test]
    fn a_tree_is_held_to_its_promise() {
        let promise = Promise { package: "obs-metrics", most: Some(2) };
        let check = |tree: &str| promise.check(tree).map_err(|failure| failure.to_string());
        assert_eq!(check("obs-metrics v0.1.0 (path)\nitoa v1.0.0\nitoa v1.0.0 (*)\n"), Ok(2));
        assert!(check("obs-metrics v0.1.0\na v1\nb v1\n").unwrap_err().contains("3 packages"));
        assert!(check("obs-metrics v0.1.0\naws-config v1\n").unwrap_err().contains("aws-config"));
        assert!(check("obs-metrics v0.1.0\nopentelemetry v0.33\n").is_err());
    }
}
