//! S3 and its likes as an object store, over `aws-sdk-s3`.
//!
//! The SDK sends each part with its checksum, so the store keeps no part that was changed on the
//! way. Its own retries are off: [`super::upload`] tries again for as long as the spool has the
//! file.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use serde::Deserialize;

use super::object::{Part, StoreError, UploadId};

/// A bucket and how to reach it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket; it must exist.
    pub bucket: String,
    /// `http://host:port` or `https://...` of a service other than AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    #[serde(default = "default_region")]
    pub region: String,
    /// Put before each key; may be empty.
    #[serde(default)]
    pub prefix: String,
    /// `endpoint/bucket/key` in place of `bucket.endpoint/key`; most services but AWS want it.
    #[serde(default)]
    pub path_style: bool,
    /// Access key id; else the environment's `AWS_ACCESS_KEY_ID`.
    #[serde(default)]
    pub access_key: Option<String>,
    /// Secret access key; else the environment's `AWS_SECRET_ACCESS_KEY`.
    #[serde(default)]
    pub secret_key: Option<String>,
    /// Session token of temporary credentials; else the environment's `AWS_SESSION_TOKEN`.
    #[serde(default)]
    pub session_token: Option<String>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_deref().unwrap_or("AWS");
        write!(f, "S3Config({}/{} at {endpoint})", self.bucket, self.prefix)
    }
}

impl S3Config {
    /// The configured credentials, or all of them from the environment.
    fn credentials(&self) -> Result<Credentials, StoreError> {
        let missing = |what: &str| {
            StoreError::Config(format!(
                "no S3 {what}: set access_key and secret_key, or AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY in the environment"
            ))
        };
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if self.access_key.is_some() || self.secret_key.is_some() {
            let access = self.access_key.clone().ok_or_else(|| missing("access_key"))?;
            let secret = self.secret_key.clone().ok_or_else(|| missing("secret_key"))?;
            let token = self.session_token.clone();
            return Ok(Credentials::new(access, secret, token, None, "configuration"));
        }
        let access = env("AWS_ACCESS_KEY_ID").ok_or_else(|| missing("access key"))?;
        let secret = env("AWS_SECRET_ACCESS_KEY").ok_or_else(|| missing("secret key"))?;
        Ok(Credentials::new(access, secret, env("AWS_SESSION_TOKEN"), None, "environment"))
    }
}

/// A bucket's client. Cheap to clone.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({}/{})", self.bucket, self.prefix)
    }
}

impl S3 {
    pub(crate) fn open(config: &S3Config) -> Result<Self, StoreError> {
        let plain = config.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        let http = if plain {
            HttpBuilder::new().build_http()
        } else {
            HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(120))
            .build();
        let mut builder = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .region(Region::new(config.region.clone()))
            .force_path_style(config.path_style)
            .credentials_provider(config.credentials()?);
        if let Some(url) = &config.endpoint {
            builder = builder.endpoint_url(url);
        }
        let client = Client::from_conf(builder.build());
        Ok(Self { client, bucket: config.bucket.clone(), prefix: config.prefix.clone() })
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the bucket is there and our credentials open it.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        request.send().await.map(drop).map_err(|e| explain(&self.bucket, &e))
    }

    pub(crate) async fn begin(&self, key: &str) -> Result<UploadId, StoreError> {
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let begun = request
            .content_type("application/octet-stream")
            .send()
            .await
            .map_err(|e| explain(key, &e))?;
        let id = begun.upload_id().unwrap_or_default();
        if id.is_empty() {
            return Err(StoreError::Unavailable(format!("{key}: no upload id in the answer")));
        }
        Ok(UploadId(id.to_owned()))
    }

    pub(crate) async fn send_part(
        &self,
        key: &str,
        upload: &UploadId,
        number: i32,
        bytes: Bytes,
    ) -> Result<Part, StoreError> {
        let length = bytes.len() as u64;
        let request = self.client.upload_part().bucket(&self.bucket).key(key);
        let sent = request
            .upload_id(&upload.0)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|e| explain(key, &e))?;
        let tag = sent.e_tag().unwrap_or_default().to_owned();
        Ok(Part { number, bytes: length, tag })
    }

    pub(crate) async fn complete(
        &self,
        key: &str,
        upload: &UploadId,
        parts: &[Part],
    ) -> Result<(), StoreError> {
        let parts = parts
            .iter()
            .map(|part| CompletedPart::builder().part_number(part.number).e_tag(&part.tag).build())
            .collect();
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(key);
        request
            .upload_id(&upload.0)
            .multipart_upload(whole)
            .send()
            .await
            .map(drop)
            .map_err(|e| explain(key, &e))
    }

    pub(crate) async fn abort(&self, key: &str, upload: &UploadId) -> Result<(), StoreError> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(key);
        match request.upload_id(&upload.0).send().await.map_err(|e| explain(key, &e)) {
            Err(StoreError::UploadGone) | Ok(_) => Ok(()),
            Err(other) => Err(other),
        }
    }

    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        request
            .content_type("application/json")
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map(drop)
            .map_err(|e| explain(key, &e))
    }

    /// Deleting what is not there is no failure: S3 does not tell the two apart.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(drop).map_err(|e| explain(key, &e))
    }

    pub(crate) async fn size(&self, key: &str) -> Result<u64, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let head = request.send().await.map_err(|e| explain(key, &e))?;
        head.content_length()
            .and_then(|bytes| u64::try_from(bytes).ok())
            .ok_or_else(|| StoreError::Unavailable(format!("{key}: no length in the answer")))
    }

    pub(crate) async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let wanted = range.end.saturating_sub(range.start);
        let last = range.end.saturating_sub(1);
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let got = request
            .range(format!("bytes={}-{last}", range.start))
            .send()
            .await
            .map_err(|e| explain(key, &e))?;
        let body = got
            .body
            .collect()
            .await
            .map_err(|e| StoreError::Unavailable(format!("{key}: {e}")))?
            .into_bytes();
        if body.len() as u64 == wanted {
            Ok(body)
        } else {
            let found = body.len();
            Err(StoreError::Unavailable(format!("{key}: {found} bytes of {wanted} came")))
        }
    }
}

/// An SDK error in our words: the S3 error code decides, else the HTTP status.
fn explain<E>(key: &str, error: &SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    match (code.as_str(), status) {
        ("NoSuchUpload", _) => StoreError::UploadGone,
        ("NoSuchKey" | "NotFound", _) | (_, Some(404)) => {
            StoreError::NotFound(format!("{key} ({code})"))
        }
        (_, Some(status @ (401 | 403))) => StoreError::Denied(format!(
            "{key}: status {status}, {code}; check the access key and its rights"
        )),
        _ => StoreError::Unavailable(format!("{key}: {}", in_short(error, &code, status))),
    }
}

/// One line: what kind of failure, the store's status and code, and where to look.
fn in_short<E>(error: &SdkError<E>, code: &str, status: Option<u16>) -> String
where
    E: std::error::Error + 'static,
{
    match (error, status) {
        (SdkError::DispatchFailure(_), _) => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            format!("not reached ({cause}); check the endpoint and the network")
        }
        (SdkError::TimeoutError(_), _) => {
            "no answer in time; check the endpoint and the network".to_owned()
        }
        (SdkError::ConstructionFailure(_), _) => {
            "the request cannot be made; check bucket and endpoint".to_owned()
        }
        (_, Some(status)) if code.is_empty() => format!("status {status}"),
        (_, Some(status)) => format!("status {status}, {code}"),
        (_, None) => "an answer that is not S3's; check the endpoint".to_owned(),
    }
}
