//! What a user of a library crate pulls in: held to what the design promises.

use std::collections::BTreeSet;

use crate::failure::{Failure, Result};

/// What one crate may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) package: &'static str,
    /// With these features beside the default ones; empty for none.
    pub(crate) features: &'static str,
    /// The most packages in its normal tree, itself included; none where nothing is promised.
    most: Option<usize>,
}

/// A function that only wants metrics and logs builds no AWS SDK and no opentelemetry; nor does one that
/// sends its logs to Loki. Traces bring opentelemetry, and the SDK only by the feature `otlp`.
pub(crate) const PROMISES: [Promise; 8] = [
    Promise { package: "obs-core", features: "", most: None },
    Promise { package: "obs-core", features: "http", most: Some(65) },
    Promise { package: "obs-metrics", features: "", most: Some(40) },
    Promise { package: "obs-logging", features: "", most: Some(45) },
    Promise { package: "obs-logging", features: "loki", most: Some(75) },
    Promise { package: "obs-tracing", features: "", most: None },
    Promise { package: "obs-tracing", features: "otel,detectors", most: None },
    Promise { package: "obs", features: "", most: None },
];

impl Promise {
    /// The package with its features.
    pub(crate) fn name(&self) -> String {
        let Self { package, features, .. } = self;
        if features.is_empty() { (*package).to_owned() } else { format!("{package}+{features}") }
    }

    /// Holds the promise against what `cargo tree --edges normal --prefix none` prints.
    pub(crate) fn check(&self, tree: &str) -> Result<usize> {
        let packages: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let (package, most) = (self.name(), self.most);
        // rustls' cryptography is called so, and is no part of the SDK.
        let is_sdk = |name: &str| name.starts_with("aws-") && !name.starts_with("aws-lc-");
        if let Some(aws) = packages.iter().find(|name| is_sdk(name)) {
            return Err(Failure::new(format!(
                "{package} pulls in {aws}: no AWS SDK crate may be reachable from it"
            )));
        }
        let telemetry = packages.iter().find(|name| name.starts_with("opentelemetry"));
        if let (Some(telemetry), Some(_)) = (telemetry, most) {
            return Err(Failure::new(format!("{package} pulls in {telemetry}")));
        }
        match most {
            Some(most) if packages.len() > most => Err(Failure::new(format!(
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
        let promise = Promise { package: "obs-metrics", features: "x", most: Some(2) };
        let check = |tree: &str| promise.check(tree).map_err(|failure| failure.to_string());
        assert_eq!(check("obs-metrics v0.1.0 (path)\nitoa v1.0.0\nitoa v1.0.0 (*)\n"), Ok(2));
        assert_eq!(check("obs-metrics v0.1.0\naws-lc-rs v1\n"), Ok(2));
        assert!(check("obs-metrics v0.1.0\na v1\nb v1\n").unwrap_err().contains("3 packages"));
        assert!(check("obs-metrics v0.1.0\naws-config v1\n").unwrap_err().contains("aws-config"));
        assert!(check("obs-metrics v0.1.0\nopentelemetry v0.33\n").is_err());
    }
}
