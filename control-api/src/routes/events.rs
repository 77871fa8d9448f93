//! `/api/v1/events`: a tenant's events as they happen, over server-sent events or a WebSocket, from
//! any point of the log.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, timeout};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::cloud_event::{CloudEvent, json};
use crate::fault::Fault;
use crate::feed::Feed;
use crate::own_events::OwnEvents;
use crate::params::Params;
use crate::state::Api;
use crate::tickets::LIFETIME;

/// Between two signs of life on a silent stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A WebSocket that takes nothing for this long is closed; it can resume.
const STUCK: Duration = Duration::from_secs(60);
/// A subscriber says nothing but close and pong.
const LARGEST_FRAME: usize = 4 << 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// The sequence of the last event seen; 0 is before the first. Without it, the stream begins
    /// now.
    after: Option<u64>,
    /// A ticket instead of a key.
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// Whose events are asked for, by key or by ticket.
pub(crate) struct Subscriber(Scoped);

impl FromRequestParts<Api> for Subscriber {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let query = parts.uri.query().unwrap_or_default();
        if let Some(ticket) = query.split('&').find_map(|pair| pair.strip_prefix("ticket=")) {
            let scoped = api.tickets.redeem(ticket).ok_or_else(Fault::unauthenticated)?;
            return Ok(Self(scoped));
        }
        Ok(Self(Scoped::from_request_parts(parts, api).await?))
    }
}

/// The events of a subscriber: all of the tenant's, or with the role `agent` its agent's own.
async fn feed(api: &Api, scoped: Scoped, after: Option<u64>) -> Result<Feed, Fault> {
    let only = OwnEvents::of(api, &scoped).await?;
    Feed::open(api, scoped.tenant, after, only).await
}

/// Streams a tenant's events as server-sent events.
///
/// A key with the role `agent` is told of its own agent, and of the calls that its agent is in.
/// Each has its sequence as `id` and a CloudEvent as `data`. A client that comes again with
/// `Last-Event-ID` (browsers do) or `after` gets every event after that one, once and in order.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header,
        description = "The sequence of the last event seen; stands above `after`")),
    responses((status = 200, description = "The stream, without an end", body = CloudEvent,
        content_type = "text/event-stream")))]
pub(crate) async fn stream(
    State(api): State<Api>,
    Subscriber(scoped): Subscriber,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let after = last_event_id(&headers)?.or(query.after);
    let feed = feed(&api, scoped, after).await?;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    Ok(Sse::new(sse(feed)).keep_alive(keep_alive).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let problem = "must be the sequence of an event";
    text.parse().map(Some).map_err(|_| Fault::invalid("Last-Event-ID", problem))
}

fn sse(feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> {
    // The comment goes out at once, so that a client knows it is subscribed before it acts.
    let hello = stream::iter([Ok(Event::default().comment("subscribed"))]);
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        let told = Event::default().id(event.sequence.to_string()).data(json(&event));
        Some((Ok(told), feed))
    });
    futures_util::StreamExt::chain(hello, events)
}

/// Streams a tenant's events over a WebSocket.
///
/// Each text message is one CloudEvent. A client that comes again with `after` gets every event
/// after that one, once and in order. Where no header can be sent, use a ticket.
#[utoipa::path(get, path = "/api/v1/events/ws", tag = "events", params(EventsQuery),
    responses((status = 101, description = "The stream, without an end", body = CloudEvent),
        (status = 426, description = "Not a WebSocket", body = crate::fault::ErrorBody)))]
pub(crate) async fn socket(
    State(api): State<Api>,
    Subscriber(scoped): Subscriber,
    Params(query): Params<EventsQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Fault> {
    let upgrade = upgrade.map_err(|rejection| {
        let status = StatusCode::UPGRADE_REQUIRED;
        Fault::new(status, "NOT_A_WEBSOCKET", rejection.body_text())
    })?;
    let feed = feed(&api, scoped, query.after).await?;
    let upgrade = upgrade.max_message_size(LARGEST_FRAME).max_frame_size(LARGEST_FRAME);
    Ok(upgrade.on_upgrade(move |socket| pump(socket, feed)))
}

/// Until the client closes, sticks, or the engine ends.
async fn pump(mut socket: WebSocket, mut feed: Feed) {
    let mut beat = interval(KEEP_ALIVE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            event = feed.next() => match event {
                Some(event) => Message::text(json(&event)),
                None => break,
            },
            _ = beat.tick() => Message::Ping(axum::body::Bytes::new()),
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        match timeout(STUCK, socket.send(message)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
    // It is gone anyway if it cannot take this.
    let _ = timeout(STUCK, socket.send(Message::Close(None))).await;
}

/// A ticket for one stream of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketView {
    /// To be given as `?ticket=`.
    ticket: String,
    /// Seconds in which it must be used.
    expires_in_s: u64,
}

/// Makes a ticket that opens one stream of events, once, within a minute.
///
/// For a browser's `WebSocket` and `EventSource`, which cannot send a key.
#[utoipa::path(post, path = "/api/v1/events/ticket", tag = "events",
    responses((status = 201, description = "The ticket", body = Answer<TicketView>)))]
pub(crate) async fn ticket(
    State(api): State<Api>,
    scoped: Scoped,
) -> Result<(StatusCode, Answer<TicketView>), Fault> {
    let ticket = api.random_hex::<32>()?;
    api.tickets.issue(ticket.clone(), scoped);
    let view = TicketView { ticket, expires_in_s: LIFETIME.as_secs() };
    Ok((StatusCode::CREATED, Answer::new(view, "use it within its time, once")))
}
