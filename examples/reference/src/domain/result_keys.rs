//! Where a file's results go in the bucket.
//!
//! The name keeps the folders below `incoming/` and the extension, so that `movies.json` and
//! `movies.csv` do not overwrite each other's results.

use super::hash;
use super::object_event::{INCOMING_PREFIX, MAX_KEY_BYTES};

/// The summary of a processed file: `processed/<name>.summary.json`.
#[must_use]
pub fn summary(key: &str) -> String {
    result_key("processed/", key, ".summary.json")
}

/// The records that were refused, one a line: `rejected/<name>.jsonl`.
#[must_use]
pub fn rejected(key: &str) -> String {
    result_key("rejected/", key, ".jsonl")
}

/// Why a file could not be used: `failed/<name>.error.json`.
#[must_use]
pub fn failed(key: &str) -> String {
    result_key("failed/", key, ".error.json")
}

fn result_key(prefix: &str, key: &str, suffix: &str) -> String {
    let name = key.strip_prefix(INCOMING_PREFIX).unwrap_or(key);
    let room = MAX_KEY_BYTES - prefix.len() - suffix.len();
    if name.len() <= room {
        return format!("{prefix}{name}{suffix}");
    }
    // A key may be as long as S3 allows; what is cut off is replaced by a hash, so that two long
    // names do not meet.
    let hash = format!("~{}", hash::hex(name.as_bytes()));
    let cut = name.floor_char_boundary(room - hash.len());
    format!("{prefix}{}{hash}{suffix}", &name[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_folders_and_extension() {
        assert_eq!(summary("incoming/movies.json"), "processed/movies.json.summary.json");
        assert_eq!(rejected("incoming/2026/01/a b.csv"), "rejected/2026/01/a b.csv.jsonl");
        assert_eq!(failed("incoming/x"), "failed/x.error.json");
        assert_eq!(failed("elsewhere/x"), "failed/elsewhere/x.error.json");
    }

    #[test]
    fn a_long_key_stays_within_what_s3_allows_and_distinct() {
        let long = |last: &str| format!("incoming/{}{last}", "é".repeat(506));
        let (one, two) = (summary(&long("aa")), summary(&long("ab")));
        assert!(one.len() <= MAX_KEY_BYTES && two.len() <= MAX_KEY_BYTES);
        assert!(one.starts_with("processed/éé") && one.ends_with(".summary.json"));
        assert_ne!(one, two);
    }
}
