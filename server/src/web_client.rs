//! A plain HTTP/1.1 client for the API: what `apply` and the demo need, and no more.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The URL is none we can use.
    #[error("{0:?} is no URL we can use; write http://host:port")]
    Url(String),
    /// Nobody answers there.
    #[error("no server answers at {0}: {1}")]
    Connect(String, std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// The request could not be written.
    #[error("the request is malformed: {0}")]
    Malformed(#[from] axum::http::Error),
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One server and the key shown to it.
#[derive(Debug, Clone)]
pub struct WebClient {
    authority: String,
    key: String,
}

impl WebClient {
    /// For `http://host:port`.
    ///
    /// # Errors
    /// When the URL is not of that form.
    pub fn new(url: &str, key: &str) -> Result<Self, WebError> {
        let wrong = || WebError::Url(url.to_owned());
        let authority = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        if authority.is_empty() || authority.contains('/') {
            return Err(wrong());
        }
        let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if port { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, key: key.to_owned() })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer, WebError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Answer, WebError> {
        self.send(Method::POST, path, Bytes::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, WebError> {
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| WebError::Connect(self.authority.clone(), error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer's last byte; its faults come back through `sender`.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("{:016x}", crate::random::number()))
            .header("connection", "close")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_without_a_path_are_taken() {
        assert!(WebClient::new("http://127.0.0.1:8080/", "k").is_ok());
        assert_eq!(WebClient::new("http://host", "k").unwrap().authority, "host:80");
        assert!(WebClient::new("https://127.0.0.1", "k").is_err());
        assert!(WebClient::new("http://host/api", "k").is_err());
    }
}
