//! Objects in S3.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;

use crate::application::ports::{ObjectStore, ReadError, StoredObject, Unavailable};
use crate::domain::object_event::ObjectRef;

/// Objects in S3.
#[derive(Clone, Debug)]
pub struct S3Objects {
    client: Client,
}

impl S3Objects {
    /// A client of its own.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let mut s3 = aws_sdk_s3::config::Builder::from(config);
        // A local backend has no host name for each bucket.
        if config.endpoint_url().is_some() {
            s3 = s3.force_path_style(true);
        }
        Self { client: Client::from_conf(s3.build()) }
    }
}

impl ObjectStore for S3Objects {
    async fn read(&self, object: &ObjectRef, limit: u64) -> Result<StoredObject, ReadError> {
        let what = || format!("read s3://{}/{}", object.bucket, object.key);
        let request = self.client.get_object().bucket(&object.bucket).key(&object.key);
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) if is_missing(&error) => return Err(ReadError::Missing),
            Err(error) => return Err(ReadError::Unavailable(Unavailable::new(what(), error))),
        };
        // The length comes with the head of the response: what is too large is never downloaded.
        let length = output.content_length().and_then(|length| u64::try_from(length).ok());
        if let Some(bytes) = length.filter(|bytes| *bytes > limit) {
            return Err(ReadError::TooLarge { bytes });
        }
        let etag = output.e_tag().map(|etag| etag.trim_matches('"').to_owned());
        let bytes = body(output, limit, what).await?;
        Ok(StoredObject { bytes, etag })
    }

    async fn write(
        &self,
        bucket: &str,
        key: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(), Unavailable> {
        self.client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(body))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Unavailable::new(format!("write s3://{bucket}/{key}"), error))
    }
}

/// Reads the body chunk by chunk, so that a length that was missing or wrong does no harm.
async fn body(
    mut output: GetObjectOutput,
    limit: u64,
    what: impl Fn() -> String,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = output.body.next().await {
        let chunk =
            chunk.map_err(|error| ReadError::Unavailable(Unavailable::new(what(), error)))?;
        let length = bytes.len() as u64 + chunk.len() as u64;
        if length > limit {
            return Err(ReadError::TooLarge { bytes: length });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NoSuchBucket" | "NotFound"))
}
