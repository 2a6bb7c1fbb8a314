//! Reads the cloud assembly: which template, which assets, under which parameter names.
//!
//! The local stack is synthesized with CDK's legacy synthesizer, because it needs no bootstrap: its
//! assets are template parameters (bucket, key, hash), named in the assembly's metadata.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// Something that the local deployment leaves out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Omission {
    /// The CloudFormation resource type, or what else is left out.
    #[serde(rename = "type")]
    pub what: String,
    /// Why it cannot be there.
    pub reason: String,
}

/// One stack of a cloud assembly.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) stack_name: String,
    pub(crate) template: String,
    pub(crate) assets: Vec<Asset>,
    pub(crate) omissions: Vec<Omission>,
}

/// A file that the template refers to through parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asset {
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
    pub(crate) bucket_parameter: String,
    pub(crate) key_parameter: String,
    pub(crate) hash_parameter: String,
}

impl Asset {
    /// The object's key in the asset bucket.
    pub(crate) fn key(&self) -> String {
        let extension =
            self.path.extension().and_then(|extension| extension.to_str()).unwrap_or("bin");
        format!("assets/{}.{extension}", self.hash)
    }

    /// Values of the three parameters: the template splits the key parameter at `||` into a prefix
    /// and a file name, and joins them again.
    pub(crate) fn parameters(&self, bucket: &str) -> [(String, String); 3] {
        let key = self.key();
        let key = key.strip_prefix("assets/").unwrap_or(&key);
        [
            (self.bucket_parameter.clone(), bucket.to_owned()),
            (self.key_parameter.clone(), format!("assets/||{key}")),
            (self.hash_parameter.clone(), self.hash.clone()),
        ]
    }
}

impl Assembly {
    /// What a function's variable is set to in the template; none where it is not set, or not to a text.
    pub(crate) fn variable(&self, function: &str, variable: &str) -> Option<String> {
        let template: Value = serde_json::from_str(&self.template).ok()?;
        let function = template.get("Resources")?.as_object()?.values().find(|resource| {
            resource.pointer("/Properties/FunctionName").and_then(Value::as_str) == Some(function)
        })?;
        let value = function.pointer("/Properties/Environment/Variables")?.get(variable)?;
        value.as_str().map(str::to_owned)
    }

    /// Reads the assembly in `folder`, which must hold exactly one stack.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let manifest: Manifest = read_json(&folder.join("manifest.json"))?;
        let mut stacks = manifest
            .artifacts
            .into_iter()
            .filter(|(_, artifact)| artifact.kind == "aws:cloudformation:stack");
        let (Some((name, stack)), None) = (stacks.next(), stacks.next()) else {
            return Err(Error::settings(format!(
                "the cloud assembly in {} must hold exactly one stack",
                folder.display()
            )));
        };
        let template_file = stack.properties.template_file.ok_or_else(|| {
            Error::settings(format!("the stack {name} in {} has no template", folder.display()))
        })?;
        let template = read_text(&folder.join(template_file))?;

        let mut metadata = stack.metadata;
        if let Some(file) = stack.additional_metadata_file {
            let more: Metadata = read_json(&folder.join(file))?;
            for (path, entries) in more {
                metadata.entry(path).or_default().extend(entries);
            }
        }
        let assets = metadata
            .into_values()
            .flatten()
            .filter(|entry| entry.kind == "aws:cdk:asset")
            .map(|entry| asset(folder, entry.data))
            .collect::<Result<_>>()?;

        let omissions = folder.join("local-omissions.json");
        let omissions = if omissions.is_file() { read_json(&omissions)? } else { Vec::new() };
        Ok(Self {
            stack_name: stack.properties.stack_name.unwrap_or(name),
            template,
            assets,
            omissions,
        })
    }
}

type Metadata = BTreeMap<String, Vec<MetadataEntry>>;

#[derive(Deserialize)]
struct Manifest {
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    properties: ArtifactProperties,
    #[serde(default)]
    metadata: Metadata,
    additional_metadata_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactProperties {
    template_file: Option<String>,
    stack_name: Option<String>,
}

#[derive(Deserialize)]
struct MetadataEntry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssetData {
    path: String,
    source_hash: String,
    packaging: String,
    s3_bucket_parameter: String,
    s3_key_parameter: String,
    artifact_hash_parameter: String,
}

fn asset(folder: &Path, data: Value) -> Result<Asset> {
    let data: AssetData = serde_json::from_value(data).map_err(|error| {
        Error::settings(
            "an asset of the cloud assembly has no template parameters: \
             synthesize it with OBS_LOCAL=true",
        )
        .because(error)
    })?;
    if data.packaging != "file" {
        return Err(Error::settings(format!(
            "the asset {} is packaged as {}, and only files are known",
            data.path, data.packaging
        )));
    }
    Ok(Asset {
        path: folder.join(data.path),
        hash: data.source_hash,
        bucket_parameter: data.s3_bucket_parameter,
        key_parameter: data.s3_key_parameter,
        hash_parameter: data.artifact_hash_parameter,
    })
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Error::settings(format!("cannot read {}", path.display())).because(error))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read_text(path)?).map_err(|error| {
        Error::settings(format!("{} is not what CDK writes", path.display())).because(error)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Assembly, Omission};

    const MANIFEST: &str = r#"{"version":"55.0.0","artifacts":{
        "obs-reference-dev":{"type":"aws:cloudformation:stack","environment":"aws://unknown-account/unknown-region",
          "properties":{"templateFile":"t.json"},"additionalMetadataFile":"m.json"},
        "Tree":{"type":"cdk:tree","properties":{"file":"tree.json"}}}}"#;
    const METADATA: &str = r#"{"/obs-reference-dev":[
        {"type":"aws:cdk:creationStack","data":["somewhere"]},
        {"type":"aws:cdk:asset","data":{"path":"asset.0cc5.zip","id":"0cc5","packaging":"file","sourceHash":"0cc5",
          "s3BucketParameter":"B","s3KeyParameter":"K","artifactHashParameter":"H"}}]}"#;

    fn written(manifest: &str, metadata: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifest.json"), manifest).unwrap();
        fs::write(folder.path().join("m.json"), metadata).unwrap();
        fs::write(folder.path().join("t.json"), "{}").unwrap();
        folder
    }

    #[test]
    fn assets_come_from_the_additional_metadata_file() {
        let folder = written(MANIFEST, METADATA);
        let assembly = Assembly::read(folder.path()).unwrap();
        assert_eq!(assembly.stack_name, "obs-reference-dev");
        assert_eq!(assembly.template, "{}");
        assert_eq!(assembly.omissions, []);
        let [asset] = &assembly.assets[..] else { panic!("one asset: {:?}", assembly.assets) };
        assert_eq!(asset.path, folder.path().join("asset.0cc5.zip"));
        assert_eq!(asset.key(), "assets/0cc5.zip");
        let parameters = asset.parameters("bucket");
        assert_eq!(
            parameters.each_ref().map(|(name, value)| (name.as_str(), value.as_str())),
            [("B", "bucket"), ("K", "assets/||0cc5.zip"), ("H", "0cc5")]
        );
    }

    #[test]
    fn variables_are_read_from_the_template() {
        let folder = written(MANIFEST, METADATA);
        let template = r#"{"Resources":{"R":{"Type":"AWS::IAM::Role"},"F":{"Properties":{"FunctionName":"f",
            "Environment":{"Variables":{"A":"95","B":{"Ref":"R"}}}}}}}"#;
        fs::write(folder.path().join("t.json"), template).unwrap();
        let assembly = Assembly::read(folder.path()).unwrap();
        assert_eq!(assembly.variable("f", "A").as_deref(), Some("95"));
        assert_eq!(assembly.variable("f", "B"), None);
        assert_eq!(assembly.variable("g", "A"), None);
    }

    #[test]
    fn what_is_left_out_is_read_from_its_file() {
        let folder = written(MANIFEST, METADATA);
        fs::write(
            folder.path().join("local-omissions.json"),
            r#"[{"type":"AWS::XRay::Group","reason":"unknown to the backend"}]"#,
        )
        .unwrap();
        let omissions = Assembly::read(folder.path()).unwrap().omissions;
        let expected =
            Omission { what: "AWS::XRay::Group".into(), reason: "unknown to the backend".into() };
        assert_eq!(omissions, [expected]);
    }

    #[test]
    fn an_assembly_of_the_default_synthesizer_is_refused() {
        let metadata = r#"{"/s":[{"type":"aws:cdk:asset","data":{"path":"a.zip"}}]}"#;
        let error = Assembly::read(written(MANIFEST, metadata).path()).unwrap_err();
        assert!(error.is_settings());
        assert!(error.to_string().contains("OBS_LOCAL=true"), "{error}");
    }

    #[test]
    fn two_stacks_are_refused() {
        let manifest = MANIFEST.replace("cdk:tree", "aws:cloudformation:stack");
        let error = Assembly::read(written(&manifest, METADATA).path()).unwrap_err();
        assert!(error.to_string().contains("exactly one stack"), "{error}");
    }
}
