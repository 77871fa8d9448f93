//! Every error the API answers: `{"error", "code", "details"}` with its status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What went wrong, in a sentence for a person.
    #[schema(example = "no such call")]
    pub(crate) error: String,
    /// The same for a program; stable.
    #[schema(example = "CALL_NOT_FOUND")]
    pub(crate) code: String,
    /// More about it; an empty object if there is no more.
    #[schema(value_type = Object)]
    pub(crate) details: Value,
}

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: String,
    error: String,
    details: Value,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, code: &str, error: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), error: error.into(), details: json!({}) }
    }

    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// No key, or none that opens this door: which of the two is not told.
    pub(crate) fn unauthenticated() -> Self {
        let error = "a valid API key is required as Authorization: Bearer <key>";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", error)
    }

    pub(crate) fn too_many_attempts() -> Self {
        let error = "too many wrong keys from this address; try again in a minute";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", error)
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", "the key's role does not allow this")
    }

    /// Not there, or another tenant's: the same answer for both.
    pub(crate) fn not_found(what: &str) -> Self {
        let code = format!("{}_NOT_FOUND", what.to_uppercase());
        Self::new(StatusCode::NOT_FOUND, &code, format!("no such {what}"))
    }

    /// A parameter that does not say what it should.
    pub(crate) fn invalid(parameter: &str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER", format!("{parameter}: {problem}"))
            .with_details(json!({"parameter": parameter, "problem": problem}))
    }

    pub(crate) fn conflict(code: &str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, error)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let error = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", error)
            .with_details(json!({"limit_bytes": limit}))
    }

    pub(crate) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "STOPPING", "the engine is stopping")
    }

    pub(crate) fn busy() -> Self {
        let error = "the engine did not answer in time; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ENGINE_BUSY", error)
    }

    /// A fault of our own: the log has it, the client gets none of it.
    pub(crate) fn internal(doing: &str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(doing, %cause, "an API request failed");
        let error = "something is wrong on our side; the log has more under the request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", error)
    }

    pub(crate) fn is_unavailable(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

impl From<store::StoreError> for Fault {
    fn from(error: store::StoreError) -> Self {
        match error {
            cause @ (store::StoreError::Database(_) | store::StoreError::Sqlite(_)) => {
                tracing::error!(%cause, "the database does not answer the API");
                let error = "the database does not answer; try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", error)
            }
            other => Self::internal("reading the store", &other),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: self.error, code: self.code, details: self.details };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            _ => {}
        }
        response
    }
}
