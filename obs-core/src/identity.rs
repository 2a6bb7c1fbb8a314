//! Who this process is: the service's name and the environment it is deployed in.

use crate::env;

/// The service's name and environment, which every signal carries.
///
/// ```
/// use obs_core::Identity;
///
/// let identity = Identity::from_vars(|name| (name == "OBS_SERVICE_NAME").then(|| "orders".into()));
/// assert_eq!(identity.service, "orders");
/// assert_eq!(identity.environment, "dev");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The service: see [`env::SERVICE`]; without any, the program's file name, else `unknown`.
    pub service: String,
    /// The environment: see [`env::ENVIRONMENT`]; `dev` without any.
    pub environment: String,
}

impl Identity {
    /// An identity given by code.
    pub fn new(service: impl Into<String>, environment: impl Into<String>) -> Self {
        Self { service: service.into(), environment: environment.into() }
    }

    /// Reads the process's environment variables.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// As [`Identity::from_env`], reading from `lookup`.
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            service: env::first_of(env::SERVICE, &lookup).unwrap_or_else(program_name),
            environment: env::first_of(env::ENVIRONMENT, &lookup)
                .unwrap_or_else(|| "dev".to_owned()),
        }
    }
}

fn program_name() -> String {
    std::env::args_os()
        .next()
        .map(std::path::PathBuf::from)
        .and_then(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], service: Option<&str>, environment: &str) {
        let identity = Identity::from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        match service {
            Some(service) => assert_eq!(identity.service, service),
            None => assert!(identity.service.starts_with("obs_core"), "{}", identity.service),
        }
        assert_eq!(identity.environment, environment);
    }

    #[test]
    fn variables_are_read_in_the_order_of_the_design() {
        check(&[], None, "dev");
        check(&[("AWS_LAMBDA_FUNCTION_NAME", "fn")], Some("fn"), "dev");
        check(
            &[
                ("AWS_LAMBDA_FUNCTION_NAME", "fn"),
                ("POWERTOOLS_SERVICE_NAME", "powertools"),
                ("OTEL_SERVICE_NAME", "otel"),
            ],
            Some("otel"),
            "dev",
        );
        check(
            &[
                ("OTEL_SERVICE_NAME", "otel"),
                ("OBS_SERVICE_NAME", "obs"),
                ("DEPLOYMENT_ENVIRONMENT", "staging"),
                ("OBS_ENVIRONMENT", "prod"),
            ],
            Some("obs"),
            "prod",
        );
    }
}
