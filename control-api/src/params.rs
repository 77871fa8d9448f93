//! Parameters and bodies as the routes take them: a mistake in one is a JSON error that names it.

use std::str::FromStr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use base::UnixTime;
use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::state::Api;

/// The query's parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Fault> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let problem = rejection.body_text();
                let problem = problem.split_once(": ").map_or(problem.as_str(), |(_, rest)| rest);
                Err(Fault::invalid("query", problem))
            }
        }
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Fault> {
        match axum::Json::<T>::from_request(request, api).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(body_fault(&rejection)),
        }
    }
}

fn body_fault(rejection: &JsonRejection) -> Fault {
    let status = rejection.status();
    match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            Fault::new(status, "NOT_JSON", "send the body as Content-Type: application/json")
        }
        JsonRejection::JsonDataError(_) => {
            Fault::new(status, "INVALID_BODY", rejection.body_text())
        }
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
            Fault::new(status, "BODY_TOO_LARGE", "the body is too large")
        }
        _ => Fault::new(StatusCode::BAD_REQUEST, "BAD_JSON", rejection.body_text()),
    }
}

/// A name or number in the path; one that cannot be is nobody's.
pub(crate) fn path_id<T: FromStr>(what: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::not_found(what))
}

/// A filter that must be a name.
pub(crate) fn filter_id<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Fault>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse().map_err(|error: T::Err| Fault::invalid(name, error.to_string())))
        .transpose()
}

/// A filter that must be a time.
pub(crate) fn filter_time(name: &str, text: Option<&str>) -> Result<Option<UnixTime>, Fault> {
    let problem = "must be RFC 3339 in UTC, such as 2026-11-20T09:30:00Z";
    text.map(|text| UnixTime::parse_rfc3339(text).ok_or_else(|| Fault::invalid(name, problem)))
        .transpose()
}
