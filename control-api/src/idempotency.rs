//! `Idempotency-Key` on POST: the same request again gets the same answer, and is not done again.
//!
//! Answers are kept for 24 hours in memory, the most recent ones of each process; a restart
//! forgets them. A key is its bearer's own: two API keys may use the same one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};

use crate::auth::authenticate;
use crate::fault::Fault;
use crate::routes::body_limit;
use crate::state::Api;

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Answers kept; past that the oldest is forgotten.
const MOST: usize = 10_000;
/// A larger answer is not kept; no POST has one.
const LARGEST_ANSWER: usize = 64 << 10;
const LONGEST_KEY: usize = 255;

/// Whose key, for which address, and the key.
type Name = ([u8; 32], String, String);

enum Kept {
    /// The first request of that name is still being answered.
    UnderWay,
    Answered {
        body: [u8; 32],
        status: StatusCode,
        content_type: Option<HeaderValue>,
        answer: Bytes,
    },
}

/// The answers kept.
#[derive(Default)]
pub(crate) struct Replays(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_name: BTreeMap<Name, Kept>,
    by_age: VecDeque<(Instant, Name)>,
}

/// What to do with a request of a name.
enum Turn {
    First,
    Again(Response),
    Refused(Fault),
}

impl Replays {
    fn turn(&self, name: &Name, body: [u8; 32]) -> Turn {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget_old(Instant::now());
        match table.by_name.get(name) {
            None => {
                table.by_name.insert(name.clone(), Kept::UnderWay);
                table.by_age.push_back((Instant::now(), name.clone()));
                Turn::First
            }
            Some(Kept::UnderWay) => Turn::Refused(Fault::conflict(
                "IDEMPOTENCY_KEY_IN_USE",
                "the first request with this Idempotency-Key is still being answered",
            )),
            Some(Kept::Answered { body: first, .. }) if *first != body => {
                Turn::Refused(Fault::conflict(
                    "IDEMPOTENCY_KEY_REUSED",
                    "this Idempotency-Key came with another body before",
                ))
            }
            Some(Kept::Answered { status, content_type, answer, .. }) => {
                let mut response = (*status, answer.clone()).into_response();
                let headers = response.headers_mut();
                if let Some(content_type) = content_type {
                    headers.insert(header::CONTENT_TYPE, content_type.clone());
                }
                headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
                Turn::Again(response)
            }
        }
    }

    fn keep(&self, name: Name, kept: Kept) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = table.by_name.get_mut(&name) {
            *place = kept;
        }
    }

    fn forget(&self, name: &Name) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.by_name.remove(name);
        table.by_age.retain(|(_, kept)| kept != name);
    }
}

impl Table {
    fn forget_old(&mut self, now: Instant) {
        while let Some((since, _)) = self.by_age.front() {
            if self.by_age.len() < MOST && now.duration_since(*since) < LIFETIME {
                return;
            }
            if let Some((_, name)) = self.by_age.pop_front() {
                self.by_name.remove(&name);
            }
        }
    }
}

/// Forgets a name whose request ended without an answer worth keeping: dropped by its client, or
/// failed by us. Then the same request may be tried again.
struct UnderWay<'a> {
    replays: &'a Replays,
    name: Option<Name>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.replays.forget(&name);
        }
    }
}

/// The layer.
pub(crate) async fn replay(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key("idempotency-key") {
        return next.run(request).await;
    }
    answer_once(&api, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer_once(api: &Api, request: Request, next: Next) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    // An answer is replayed only to whoever could have asked for it.
    let caller = authenticate(api, &parts.headers, &parts.extensions).await?;
    let key = idempotency_key(&parts.headers)?;
    let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
    let tenant = parts.headers.get("x-tenant").and_then(|value| value.to_str().ok());
    let address = format!("{} {address}", tenant.unwrap_or_default());
    let limit = body_limit(parts.uri.path());
    let body = to_bytes(body, limit).await.map_err(|_| Fault::too_large(limit))?;
    let name = (caller.digest, address, key);
    let fingerprint = sha256(&body);
    match api.replays.turn(&name, fingerprint) {
        Turn::Again(response) => return Ok(response),
        Turn::Refused(fault) => return Err(fault),
        Turn::First => {}
    }
    let mut under_way = UnderWay { replays: &api.replays, name: Some(name) };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.status().is_server_error() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let answer = to_bytes(body, LARGEST_ANSWER)
        .await
        .map_err(|error| Fault::internal("keeping an answer", &error))?;
    if let Some(name) = under_way.name.take() {
        let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
        let (status, answer) = (parts.status, answer.clone());
        let kept = Kept::Answered { body: fingerprint, status, content_type, answer };
        api.replays.keep(name, kept);
    }
    Ok(Response::from_parts(parts, Body::from(answer)))
}

fn idempotency_key(headers: &axum::http::HeaderMap) -> Result<String, Fault> {
    let problem = format!("must be 1 to {LONGEST_KEY} visible ASCII characters, once");
    let mut values = headers.get_all("idempotency-key").iter();
    let key = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.len() > LONGEST_KEY || values.next().is_some() {
        return Err(Fault::invalid("Idempotency-Key", problem));
    }
    Ok(key.to_owned())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Name {
        ([0; 32], "/x".to_owned(), number.to_string())
    }

    #[test]
    fn the_memory_of_answers_is_bounded_and_the_oldest_goes_first() {
        let replays = Replays::default();
        for number in 0..MOST + 100 {
            assert!(matches!(replays.turn(&name(number), [0; 32]), Turn::First));
        }
        let table = replays.0.lock().unwrap();
        assert!(table.by_name.len() <= MOST && table.by_age.len() == table.by_name.len());
        assert!(!table.by_name.contains_key(&name(0)));
        assert!(table.by_name.contains_key(&name(MOST + 99)));
    }

    #[test]
    fn a_request_that_got_no_answer_may_come_again() {
        let replays = Replays::default();
        assert!(matches!(replays.turn(&name(1), [0; 32]), Turn::First));
        let second = replays.turn(&name(1), [0; 32]);
        let Turn::Refused(fault) = second else { panic!("two at once") };
        assert_eq!(fault.code(), "IDEMPOTENCY_KEY_IN_USE");
        drop(UnderWay { replays: &replays, name: Some(name(1)) });
        assert!(matches!(replays.turn(&name(1), [0; 32]), Turn::First));
    }
}
