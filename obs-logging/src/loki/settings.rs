//! What is checked when a logger is built.

use obs_core::Identity;
use obs_core::http::{Endpoint, Headers, InvalidHeader};

use super::{
    Auth, Loki, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS, MAX_METADATA_FIELDS,
    METADATA_FIELDS,
};
use crate::error::Error;

const PATH: &str = "/loki/api/v1/push";
const AGENT: &str = concat!("obs-logging/", env!("CARGO_PKG_VERSION"));

/// Headers that have a setting of their own, or belong to the body.
const OURS: [&str; 7] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-scope-orgid",
];

/// The label that each line brings itself.
const LEVEL: &str = "level";

impl Loki {
    pub(super) fn endpoint(&self) -> Result<Endpoint, Error> {
        // Of what is wrong the error shows the host only.
        Endpoint::below(self.address.expose(), PATH).map_err(|error| Error::loki(error.to_string()))
    }

    pub(super) fn checked_headers(&self) -> Result<Headers, Error> {
        let refused = |error: InvalidHeader| Error::loki(error.to_string());
        let mut headers = Headers::new();
        headers.insert("user-agent", AGENT).map_err(refused)?;
        for (name, value) in &self.headers {
            let lower = name.trim().to_ascii_lowercase();
            if OURS.contains(&lower.as_str()) {
                return Err(Error::loki(format!(
                    "the header {lower} is not set by header(): it is the request's own, or there is \
                     tenant(), basic_auth() or bearer() for it"
                )));
            }
            headers.insert(name, value.expose()).map_err(refused)?;
        }
        match &self.auth {
            Some(Auth::Basic(user, password)) => headers.basic_auth(user, password.expose()),
            Some(Auth::Bearer(token)) => headers.bearer(token.expose()),
            None => Ok(()),
        }
        .map_err(refused)?;
        if let Some(tenant) = &self.tenant {
            headers.insert("x-scope-orgid", tenant).map_err(refused)?;
        }
        headers.insert("content-type", "application/json").map_err(refused)?;
        if self.gzip {
            headers.insert("content-encoding", "gzip").map_err(refused)?;
        }
        Ok(headers)
    }
}

/// All labels but the level.
pub(super) fn labels(
    given: &[(String, String)],
    identity: &Identity,
) -> Result<Vec<(String, String)>, Error> {
    let mut labels = vec![
        ("service".to_owned(), identity.service.clone()),
        ("environment".to_owned(), identity.environment.clone()),
    ];
    // Loki has no labels without a value.
    labels.retain(|(_, value)| !value.is_empty());
    for (name, value) in given {
        check_name(name)?;
        if value.is_empty() {
            return Err(Error::loki(format!("the label {name} has no value; leave it out")));
        }
        match labels.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => labels.push((name.clone(), value.clone())),
        }
    }
    if let Some((name, value)) = labels.iter().find(|(_, it)| it.len() > MAX_LABEL_VALUE_BYTES) {
        return Err(Error::loki(format!(
            "the label {name} has a value of {} bytes; Loki takes {MAX_LABEL_VALUE_BYTES}",
            value.len()
        )));
    }
    if labels.len() + 1 > MAX_LABELS {
        return Err(Error::loki(format!(
            "{} labels, {LEVEL} included; Loki takes {MAX_LABELS}: make structured metadata of what \
             is not the same on every line",
            labels.len() + 1
        )));
    }
    Ok(labels)
}

fn check_name(name: &str) -> Result<(), Error> {
    if !is_name(name) || name.starts_with("__") {
        return Err(Error::loki(format!(
            "the label name {name:?} is not of the form [a-zA-Z_][a-zA-Z0-9_]*, or begins with __, which \
             Loki keeps for itself"
        )));
    }
    if name.len() > MAX_LABEL_NAME_BYTES {
        return Err(Error::loki(format!(
            "a label name of {} bytes; Loki takes {MAX_LABEL_NAME_BYTES}",
            name.len()
        )));
    }
    if name == LEVEL {
        return Err(Error::loki("the label level is each line's own; leave it out"));
    }
    if METADATA_FIELDS.contains(&name) {
        return Err(Error::loki(format!(
            "{name} is no label: each of its values would be a stream of its own; it is structured \
             metadata already"
        )));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Each field and what it is called as structured metadata.
pub(super) fn metadata(fields: Vec<String>) -> Result<Vec<(String, String)>, Error> {
    let mut named: Vec<(String, String)> = Vec::with_capacity(fields.len());
    for field in fields {
        let name = field.replace('.', "_");
        if !is_name(&name) || name.len() > MAX_LABEL_NAME_BYTES {
            return Err(Error::loki(format!(
                "the metadata field {field:?} is not of the form [a-zA-Z_][a-zA-Z0-9_.]*"
            )));
        }
        match named.iter().find(|(_, known)| *known == name) {
            Some((known, _)) if *known == field => {}
            Some((known, _)) => {
                return Err(Error::loki(format!(
                    "the metadata fields {known:?} and {field:?} would both be called {name}"
                )));
            }
            None => named.push((field, name)),
        }
    }
    if named.len() > MAX_METADATA_FIELDS {
        return Err(Error::loki(format!(
            "{} metadata fields; {MAX_METADATA_FIELDS} are taken",
            named.len()
        )));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::new("orders", "test")
    }

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
        let error = result.unwrap_err();
        assert!(error.is_loki() && error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn labels_are_the_services_and_the_users() {
        let found = labels(&given(&[("region", "eu"), ("environment", "live")]), &identity());
        let expected = [("service", "orders"), ("environment", "live"), ("region", "eu")];
        assert_eq!(found.unwrap(), given(&expected));
        let found = labels(&[], &Identity::new("orders", "")).unwrap();
        assert_eq!(found, given(&[("service", "orders")]));
    }

    #[test]
    fn scenario_30_names_that_loki_would_refuse_are_an_error_of_build() {
        for name in ["", "a-b", "9a", "a b", "größe", "Vec<T>", "__name__"] {
            check_refused(labels(&given(&[(name, "x")]), &identity()), "[a-zA-Z_]");
        }
        check_refused(labels(&given(&[("a", "")]), &identity()), "no value");
        check_refused(labels(&given(&[("level", "x")]), &identity()), "own");
        check_refused(labels(&given(&[("trace_id", "x")]), &identity()), "structured");
        check_refused(labels(&given(&[("a", &"x".repeat(2049))]), &identity()), "2048");
        check_refused(labels(&given(&[(&"a".repeat(1025), "x")]), &identity()), "1024");
        check_refused(labels(&[], &Identity::new("x".repeat(2049), "test")), "2048");
    }

    #[test]
    fn scenario_24_more_than_15_labels_are_an_error_of_build() {
        let many = |n: usize| (0..n).map(|n| (format!("l{n}"), "x".to_owned())).collect::<Vec<_>>();
        assert_eq!(labels(&many(12), &identity()).unwrap().len() + 1, MAX_LABELS);
        check_refused(labels(&many(13), &identity()), "16 labels");
    }

    #[test]
    fn metadata_is_named_as_labels_are() {
        let fields = |names: &[&str]| metadata(names.iter().map(|it| (*it).to_owned()).collect());
        let found = fields(&["order_id", "http.status", "order_id"]).unwrap();
        assert_eq!(found, given(&[("order_id", "order_id"), ("http.status", "http_status")]));
        check_refused(fields(&["a b"]), "[a-zA-Z_]");
        check_refused(fields(&["a.b", "a_b"]), "both");
        let many = (0..33).map(|n| format!("f{n}")).collect();
        check_refused(metadata(many), "32");
    }

    #[test]
    fn scenario_42_what_is_wrong_with_an_address_or_a_header_shows_no_secret() {
        let check = |loki: Loki, expected: &str| {
            let error = loki.endpoint().err().or_else(|| loki.checked_headers().err()).unwrap();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(
                !format!("{error} {error:?} {loki:?}").contains("hunter2"),
                "{error:?} {loki:?}"
            );
        };
        let local = || Loki::new("http://127.0.0.1:3100");
        check(Loki::new("127.0.0.1:3100/hunter2"), "begin with http://");
        check(Loki::new("https://user:hunter2@logs.example.com"), "…@logs.example.com");
        check(local().bearer("hunter2\n"), "authorization");
        check(local().basic_auth("a:b", "hunter2"), "colon");
        check(local().header("x-key", "hunter2\r\n"), "x-key");
        check(local().header("Authorization", "hunter2"), "bearer()");
        check(local().tenant("a\nb"), "x-scope-orgid");
    }
}
