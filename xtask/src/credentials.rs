//! Whether there are AWS credentials, before anything is built.
//!
//! It looks where the standard chain looks, at what is visible without a network: variables, the
//! profile's files, a web identity, a container's endpoint. The instance metadata service is left to
//! the tool that deploys; on an EC2 instance, a profile with `credential_source` names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the variables and the files come from: the process, or a test.
pub(crate) trait Surroundings {
    fn variable(&self, name: &str) -> Option<String>;
    fn read(&self, path: &Path) -> Option<String>;
}

/// The process's own environment and files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where the credentials come from, for the person who deploys.
    pub(crate) source: String,
    pub(crate) region: String,
}

/// The credentials' source and the region, or a sentence that says what is missing and how to set it.
pub(crate) fn find(surroundings: &impl Surroundings) -> Result<Found, String> {
    let chain = Chain { surroundings };
    let source = chain.source()?;
    let region = chain.region().ok_or_else(|| {
        "AWS region missing: set AWS_REGION, for example AWS_REGION=eu-central-1, \
         or `region` in the profile"
            .to_owned()
    })?;
    Ok(Found { source, region })
}

struct Chain<'a, S> {
    surroundings: &'a S,
}

type Profile = BTreeMap<String, String>;

impl<S: Surroundings> Chain<'_, S> {
    fn source(&self) -> Result<String, String> {
        let key = self.variable("AWS_ACCESS_KEY_ID");
        let secret = self.variable("AWS_SECRET_ACCESS_KEY");
        let named = self.variable("AWS_PROFILE");
        match (key, secret) {
            // As the AWS command-line tools have it: a profile that is named goes before the variables.
            (Some(_), Some(_)) if named.is_none() => {
                return Ok("keys from variables".to_owned());
            }
            (Some(_), None) => {
                return Err("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both"
                    .to_owned());
            }
            (None, Some(_)) => {
                return Err("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not: set both"
                    .to_owned());
            }
            _ => {}
        }
        if let Some(name) = named {
            return match self.profile(&name) {
                None => Err(format!(
                    "AWS_PROFILE names the profile {name}, and neither {} nor {} has it",
                    self.config_file().display(),
                    self.credentials_file().display()
                )),
                Some(profile) => match kind(&profile) {
                    Some(kind) => Ok(format!("the profile {name} ({kind})")),
                    None => Err(format!(
                        "the profile {name} holds no credentials: run `aws configure sso --profile {name}`, \
                         or set aws_access_key_id and aws_secret_access_key in it"
                    )),
                },
            };
        }
        if let Some(file) = self.variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return match (self.variable("AWS_ROLE_ARN"), self.surroundings.read(Path::new(&file))) {
                (None, _) => {
                    Err("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: set both"
                        .to_owned())
                }
                (Some(_), None) => {
                    Err(format!("AWS_WEB_IDENTITY_TOKEN_FILE names {file}, which cannot be read"))
                }
                (Some(_), Some(_)) => Ok("a web identity token".to_owned()),
            };
        }
        if let Some(profile) = self.profile("default")
            && let Some(kind) = kind(&profile)
        {
            return Ok(format!("the default profile ({kind})"));
        }
        let container =
            ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        if container.iter().any(|name| self.variable(name).is_some()) {
            return Ok("the container's credentials endpoint".to_owned());
        }
        Err("AWS credentials missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
             or AWS_PROFILE to a profile of ~/.aws/config (`aws configure` makes one with keys, \
             `aws configure sso` one for single sign-on)"
            .to_owned())
    }

    fn region(&self) -> Option<String> {
        let profile = self.variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        self.variable("AWS_REGION")
            .or_else(|| self.variable("AWS_DEFAULT_REGION"))
            .or_else(|| self.profile(&profile)?.get("region").cloned())
    }

    /// What both files say about a profile; none if neither has it.
    fn profile(&self, name: &str) -> Option<Profile> {
        let config = self.surroundings.read(&self.config_file()).unwrap_or_default();
        let credentials = self.surroundings.read(&self.credentials_file()).unwrap_or_default();
        let in_config = if name == "default" {
            section(&config, "default").or_else(|| section(&config, "profile default"))
        } else {
            section(&config, &format!("profile {name}"))
        };
        match (in_config, section(&credentials, name)) {
            (None, None) => None,
            (config, credentials) => {
                let mut profile = config.unwrap_or_default();
                profile.extend(credentials.unwrap_or_default());
                Some(profile)
            }
        }
    }

    fn config_file(&self) -> PathBuf {
        self.file("AWS_CONFIG_FILE", "config")
    }

    fn credentials_file(&self) -> PathBuf {
        self.file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    }

    fn file(&self, variable: &str, name: &str) -> PathBuf {
        self.variable(variable).map_or_else(
            || {
                let home = self.variable("HOME").or_else(|| self.variable("USERPROFILE"));
                PathBuf::from(home.unwrap_or_default()).join(".aws").join(name)
            },
            PathBuf::from,
        )
    }

    /// A variable that is set to something: empty counts as not set, as in the SDKs.
    fn variable(&self, name: &str) -> Option<String> {
        self.surroundings
            .variable(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }
}

/// What kind of credentials a profile leads to.
fn kind(profile: &Profile) -> Option<&'static str> {
    let has = |key: &str| profile.get(key).is_some_and(|value| !value.is_empty());
    let source =
        has("source_profile") || has("credential_source") || has("web_identity_token_file");
    if has("role_arn") && source {
        Some("a role")
    } else if has("sso_session") || has("sso_start_url") {
        Some("single sign-on")
    } else if has("aws_access_key_id") && has("aws_secret_access_key") {
        Some("keys")
    } else if has("credential_process") {
        Some("a credential process")
    } else if has("login_session") {
        Some("a login session")
    } else {
        None
    }
}

/// The settings of a section of an AWS configuration file. Nested settings (indented) are left out: no
/// credential is one.
fn section(text: &str, wanted: &str) -> Option<Profile> {
    let mut settings = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = trimmed.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            inside = header.split_whitespace().eq(wanted.split_whitespace());
            if inside {
                settings.get_or_insert_with(Profile::new);
            }
        } else if inside
            && !line.starts_with([' ', '\t'])
            && let Some((key, value)) = trimmed.split_once('=')
        {
            let settings = settings.get_or_insert_with(Profile::new);
            settings.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Found, Surroundings, find, section};

    #[derive(Default)]
    struct Given {
        variables: Vec<(&'static str, &'static str)>,
        files: Vec<(&'static str, &'static str)>,
    }

    impl Surroundings for Given {
        fn variable(&self, name: &str) -> Option<String> {
            let given = self.variables.iter().find(|(given, _)| *given == name);
            given.map(|(_, value)| (*value).to_owned())
        }

        fn read(&self, path: &Path) -> Option<String> {
            let given = self.files.iter().find(|(given, _)| Path::new(given) == path);
            given.map(|(_, text)| (*text).to_owned())
        }
    }

    const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");
    const HOME: (&str, &str) = ("HOME", "/h");

    #[track_caller]
    fn found(
        variables: &[(&'static str, &'static str)],
        files: &[(&'static str, &'static str)],
        source: &str,
    ) {
        let variables = [&[REGION, HOME], variables].concat();
        let given = Given { variables, files: files.to_vec() };
        let expected = Found { source: source.to_owned(), region: "eu-central-1".to_owned() };
        assert_eq!(find(&given), Ok(expected));
    }

    #[track_caller]
    fn missing(
        variables: &[(&'static str, &'static str)],
        files: &[(&'static str, &'static str)],
        expected: &str,
    ) {
        let variables = [&[REGION, HOME], variables].concat();
        let sentence = find(&Given { variables, files: files.to_vec() }).unwrap_err();
        assert!(sentence.contains(expected), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "one sentence: {sentence}");
    }

    #[test]
    fn keys_in_variables() {
        let key = ("AWS_ACCESS_KEY_ID", "AKIA");
        let secret = ("AWS_SECRET_ACCESS_KEY", "s");
        found(&[key, secret], &[], "keys from variables");
        missing(&[key], &[], "AWS_SECRET_ACCESS_KEY is not");
        missing(&[secret], &[], "AWS_ACCESS_KEY_ID is not");
        missing(&[key, ("AWS_SECRET_ACCESS_KEY", " ")], &[], "AWS_SECRET_ACCESS_KEY is not");
    }

    #[test]
    fn profiles_in_files() {
        let dev = ("AWS_PROFILE", "dev");
        let check = |config: &'static str, kind: &str| {
            found(&[dev], &[("/h/.aws/config", config)], &format!("the profile dev ({kind})"));
        };
        check("[profile dev]\nsso_session = corp\n", "single sign-on");
        check("[profile dev]\nsso_start_url=https://x\n", "single sign-on");
        check("[ profile  dev ]\nrole_arn = a\nsource_profile = base\n", "a role");
        check("[profile dev]\nrole_arn = a\ncredential_source = Ec2InstanceMetadata\n", "a role");
        check("[profile dev]\ncredential_process = /bin/x\n", "a credential process");
        let keys = "[dev]\naws_access_key_id = A\naws_secret_access_key = B\n";
        found(&[dev], &[("/h/.aws/credentials", keys)], "the profile dev (keys)");
        let elsewhere = ("AWS_SHARED_CREDENTIALS_FILE", "/c");
        found(&[dev, elsewhere], &[("/c", keys)], "the profile dev (keys)");
        let default = "[default]\naws_access_key_id=A\naws_secret_access_key=B\n";
        found(&[], &[("/h/.aws/credentials", default)], "the default profile (keys)");
    }

    #[test]
    fn profiles_that_lead_nowhere() {
        let dev = ("AWS_PROFILE", "dev");
        missing(&[dev], &[], "names the profile dev");
        missing(&[dev], &[("/h/.aws/config", "[dev]\nsso_session = x\n")], "names the profile dev");
        missing(
            &[dev],
            &[("/h/.aws/config", "[profile dev]\nregion = x\n")],
            "holds no credentials",
        );
        missing(
            &[dev],
            &[("/h/.aws/config", "[profile dev]\nrole_arn = a\n")],
            "holds no credentials",
        );
        let half = "[default]\naws_access_key_id=A\n";
        missing(&[], &[("/h/.aws/credentials", half)], "AWS credentials missing");
    }

    #[test]
    fn a_profile_goes_before_keys_in_variables() {
        let keys =
            [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "dev")];
        missing(&keys, &[], "names the profile dev");
    }

    #[test]
    fn other_sources() {
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
        let role = ("AWS_ROLE_ARN", "a");
        found(&[token, role], &[("/t", "x")], "a web identity token");
        missing(&[token], &[("/t", "x")], "AWS_ROLE_ARN is not");
        missing(&[token, role], &[], "cannot be read");
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1338/x");
        found(&[uri], &[], "the container's credentials endpoint");
        missing(&[], &[], "AWS credentials missing");
    }

    #[test]
    fn the_region_is_needed_too() {
        let keys = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s"), HOME];
        let given = |more: &[(&'static str, &'static str)],
                     files: &[(&'static str, &'static str)]| Given {
            variables: [&keys[..], more].concat(),
            files: files.to_vec(),
        };
        let sentence = find(&given(&[], &[])).unwrap_err();
        assert!(sentence.contains("AWS_REGION"), "{sentence}");
        let from = |given: &Given| find(given).unwrap().region;
        assert_eq!(from(&given(&[("AWS_DEFAULT_REGION", "us-west-2")], &[])), "us-west-2");
        let config = ("/h/.aws/config", "[default]\nregion = eu-west-1\n");
        assert_eq!(from(&given(&[], &[config])), "eu-west-1");
    }

    #[test]
    fn sections_are_read_as_aws_writes_them() {
        let text = "# c\n[a]\nx = 1\n; c\ns3 =\n  y = 2\n[b]\nX=3\n[a]\nz = 4 = 5\n";
        let a = section(text, "a").unwrap();
        assert_eq!(a.get("x").map(String::as_str), Some("1"));
        assert_eq!(a.get("y"), None, "nested");
        assert_eq!(a.get("z").map(String::as_str), Some("4 = 5"));
        assert_eq!(section(text, "b").unwrap().get("x").map(String::as_str), Some("3"));
        assert_eq!(section(text, "c"), None);
    }
}
