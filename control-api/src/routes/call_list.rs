//! `/api/v1/calls`: the list by pages; `/search`, newest first from one place on; and `/export`.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base::CallId;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use store::{CallFilter, CallRow, CallState, Found, Listed, StoreError};
use utoipa::{IntoParams, ToSchema};

use super::call_csv::{HEAD, line};
use super::call_views::CallView;
use super::leg_views::Discretion;
use super::wrap_up::wrap_ups;
use crate::answer::{PageOf, page};
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::{Params, filter_id, filter_time};
use crate::state::Api;

/// Calls that one export holds at most; it takes them in parts.
const MOST_EXPORTED: usize = 100_000;
const PART: u32 = 500;
const MOST_FOUND: u32 = 1000;
const LONGEST_PART_OF_A_NUMBER: usize = 64;

/// A query with the filters of calls, and what a route takes besides.
macro_rules! query_of_calls {
    ($name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// Only calls in this state.
            state: Option<String>,
            /// Only calls of this queue.
            queue: Option<String>,
            /// Only calls of this agent.
            agent: Option<String>,
            /// Only calls that started at this time (RFC 3339) or later.
            from: Option<String>,
            /// Only calls that started before this time (RFC 3339).
            to: Option<String>,
            /// Only calls with this in the caller's or the dialled number; spaces, `-`, `/`, `(`
            /// and `)` are passed over.
            number: Option<String>,
            /// Only calls that went this way: `inbound`, `outbound` or `internal`.
            direction: Option<String>,
            /// Only calls that ended with this cause.
            cause: Option<String>,
            /// Only calls with a recording (`true`), or without (`false`).
            recorded: Option<bool>,
            /// Only calls that are over and took so many seconds or more.
            min_duration_s: Option<u32>,
            /// Only calls that are over and took so many seconds or less.
            max_duration_s: Option<u32>,
            /// Only calls that are over and in which a leg spoke this codec.
            codec: Option<String>,
            /// Only calls that are over and in which a leg's MOS was below this, such as `3.6`.
            mos_below: Option<f64>,
            /// Whose, with a platform key.
            #[serde(rename = "tenant")]
            _tenant: Option<String>,
            $($(#[$doc])* $field: $type,)*
        }

        impl $name {
            fn filter(&self, scoped: &Scoped) -> Result<CallFilter, Fault> {
                let state = self.state.as_deref().map(|word| {
                    let states = "must be setup, flow, queued, ringing, connected or ended";
                    CallState::parse(word).ok_or_else(|| Fault::invalid("state", states))
                });
                let agent = filter_id("agent", self.agent.as_deref())?;
                if agent.is_some() && !scoped.may_see(agent.as_ref()) {
                    return Err(Fault::forbidden());
                }
                let millis = |seconds: Option<u32>| seconds.map(|s| u64::from(s) * 1000);
                Ok(CallFilter {
                    state: state.transpose()?,
                    queue: filter_id("queue", self.queue.as_deref())?,
                    agent: agent.or_else(|| scoped.only_agent().cloned()),
                    started_from: filter_time("from", self.from.as_deref())?,
                    started_until: filter_time("to", self.to.as_deref())?,
                    number: self.number.as_deref().map(part_of_number).transpose()?,
                    direction: self.direction.as_deref().map(direction).transpose()?,
                    cause: self.cause.clone(),
                    is_recorded: self.recorded,
                    shortest_ms: millis(self.min_duration_s),
                    longest_ms: millis(self.max_duration_s),
                    codec: self.codec.clone(),
                    mos_below: self.mos_below.map(hundredths).transpose()?,
                })
            }
        }
    };
}

query_of_calls! { CallsQuery {
    /// The page, from 1.
    page: Option<u32>,
    /// Rows on a page, 1 to 1000.
    per_page: Option<u32>,
} }

query_of_calls! { SearchQuery {
    /// Only calls before this one, which a search has given as `next`.
    before: Option<String>,
    /// How many, 1 to 1000; 100 unless told.
    limit: Option<u32>,
} }

query_of_calls! { ExportQuery {
    /// `csv` (the default) or `json`.
    format: Option<String>,
} }

fn part_of_number(text: &str) -> Result<String, Fault> {
    let separators = [' ', '-', '/', '(', ')', '\u{a0}'];
    let part: String = text.chars().filter(|letter| !separators.contains(letter)).collect();
    let length = part.chars().count();
    if (1..=LONGEST_PART_OF_A_NUMBER).contains(&length) {
        return Ok(part);
    }
    let problem = format!("must have 1 to {LONGEST_PART_OF_A_NUMBER} characters");
    Err(Fault::invalid("number", problem))
}

fn direction(word: &str) -> Result<String, Fault> {
    if ["inbound", "outbound", "internal"].contains(&word) {
        return Ok(word.to_owned());
    }
    Err(Fault::invalid("direction", "must be inbound, outbound or internal"))
}

fn hundredths(mos: f64) -> Result<u16, Fault> {
    if (1.0..=5.0).contains(&mos) {
        return Ok((mos * 100.0).round() as u16);
    }
    Err(Fault::invalid("mos_below", "must be 1 to 5"))
}

/// Lists calls, newest first.
///
/// Live calls are among them. A key with the role `agent` sees its own calls.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", params(CallsQuery),
    responses((status = 200, description = "A page of calls", body = PageOf<CallView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<CallsQuery>,
    uri: Uri,
) -> Result<PageOf<CallView>, Fault> {
    let filter = query.filter(&scoped)?;
    let page = page(query.page, query.per_page)?;
    let Listed { rows, total } = api.store.calls(&scoped.tenant, &filter, page).await?;
    let discretion = Discretion::of(&api, &scoped);
    let rows = with_wrap_ups(&api, &scoped, rows, discretion).await?;
    Ok(PageOf::new(Listed { rows, total }, page, &uri))
}

async fn with_wrap_ups(
    api: &Api,
    scoped: &Scoped,
    rows: Vec<CallRow>,
    discretion: Discretion,
) -> Result<Vec<CallView>, Fault> {
    let ids: Vec<CallId> = rows.iter().map(|row| row.id).collect();
    let mut said = wrap_ups(api, &scoped.tenant, &ids).await?;
    let mut views: Vec<CallView> = rows.into_iter().map(|row| shown(row, discretion)).collect();
    for (view, id) in views.iter_mut().zip(ids) {
        view.wrap_ups = said.remove(&id).unwrap_or_default();
    }
    Ok(views)
}

fn shown(row: CallRow, discretion: Discretion) -> CallView {
    let view = CallView::from(row);
    CallView { legs: discretion.legs(view.legs), ..view }
}

/// What a search found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundCalls {
    /// The calls, newest first.
    data: Vec<CallView>,
    /// What `before` is to be for older ones; null if there are none.
    next: Option<String>,
    /// How many fit in all, told with the first of them; past 10,000 they are not counted.
    total: Option<u64>,
    /// Whether `total` is all.
    total_is_exact: bool,
}

/// Searches calls, newest first, from one call on.
///
/// As fast for the millionth call as for the first: there are no page numbers.
#[utoipa::path(get, path = "/api/v1/calls/search", tag = "calls", params(SearchQuery),
    responses((status = 200, description = "What was found", body = FoundCalls)))]
pub(crate) async fn search(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<SearchQuery>,
) -> Result<axum::Json<FoundCalls>, Fault> {
    let filter = query.filter(&scoped)?;
    let before = query.before.as_deref().map(|text| {
        text.parse::<CallId>().map_err(|error| Fault::invalid("before", error.to_string()))
    });
    let limit = query.limit.unwrap_or(100);
    if !(1..=MOST_FOUND).contains(&limit) {
        return Err(Fault::invalid("limit", format!("must be 1 to {MOST_FOUND}")));
    }
    let found = api.store.search_calls(&scoped.tenant, &filter, before.transpose()?, limit).await?;
    let discretion = Discretion::of(&api, &scoped);
    let Found { rows, has_more, total, total_is_exact } = found;
    let last = rows.last().map(|row| row.id.to_string());
    let data = with_wrap_ups(&api, &scoped, rows, discretion).await?;
    Ok(axum::Json(FoundCalls { data, next: last.filter(|_| has_more), total, total_is_exact }))
}

/// Exports what a search finds, as CSV or JSON: 100,000 calls at most.
#[utoipa::path(get, path = "/api/v1/calls/export", tag = "calls", params(ExportQuery),
    responses((status = 200, description = "The calls, newest first",
        content((String = "text/csv"), (Vec<CallView> = "application/json")))))]
pub(crate) async fn export(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Fault> {
    let filter = query.filter(&scoped)?;
    let form = match query.format.as_deref() {
        None | Some("csv") => Form::Csv,
        Some("json") => Form::Json,
        Some(_) => return Err(Fault::invalid("format", "must be csv or json")),
    };
    let discretion = Discretion::of(&api, &scoped);
    let export = Export { api, scoped, filter, form, discretion, at: At::Start, told: 0 };
    let parts = stream::try_unfold(export, Export::next);
    let (kind, name) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"calls.csv\""),
        Form::Json => ("application/json", "attachment; filename=\"calls.json\""),
    };
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((fields, Body::from_stream(parts)).into_response())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
}

enum At {
    Start,
    After(CallId),
    End,
}

/// An export that is under way: no more of it is in memory than a part.
struct Export {
    api: Api,
    scoped: Scoped,
    filter: CallFilter,
    form: Form,
    discretion: Discretion,
    at: At,
    told: usize,
}

impl Export {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let before = match self.at {
            At::End => return Ok(None),
            At::Start => None,
            At::After(call) => Some(call),
        };
        let (tenant, filter) = (&self.scoped.tenant, &self.filter);
        let found = self.api.store.search_calls(tenant, filter, before, PART).await?;
        let mut text = String::new();
        if before.is_none() {
            text.push_str(if self.form == Form::Csv { HEAD } else { "[" });
        }
        let last = found.rows.last().map(|row| row.id);
        let room = MOST_EXPORTED - self.told;
        for row in found.rows.into_iter().take(room) {
            let view = shown(row, self.discretion);
            match self.form {
                Form::Csv => text.push_str(&line(&view)),
                Form::Json => {
                    text.push_str(if self.told == 0 { "\n" } else { ",\n" });
                    // Our own plain types into memory: it cannot fail.
                    text.push_str(&serde_json::to_string(&view).unwrap_or_default());
                }
            }
            self.told += 1;
        }
        self.at = match last.filter(|_| found.has_more && self.told < MOST_EXPORTED) {
            Some(last) => At::After(last),
            None => {
                if self.form == Form::Json {
                    text.push_str("\n]\n");
                }
                At::End
            }
        };
        Ok(Some((Bytes::from(text), self)))
    }
}
