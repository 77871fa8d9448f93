//! Events as CloudEvents 1.0 in their JSON form.

use serde::Serialize;
use serde_json::value::RawValue;
use store::EventRow;
use utoipa::ToSchema;

/// One event (CloudEvents 1.0, JSON format).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CloudEvent {
    /// Always `1.0`.
    #[schema(example = "1.0")]
    specversion: &'static str,
    /// Unique within its source: the sequence as text.
    #[schema(example = "42")]
    id: String,
    /// The tenant.
    #[schema(example = "acme")]
    source: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "call.started")]
    kind: String,
    /// The call it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// When it happened, RFC 3339 in UTC.
    #[schema(example = "2026-11-20T09:30:00.000000Z")]
    time: String,
    /// Its number in the tenant's log: 1, 2, 3, ... without a gap.
    sequence: u64,
    /// Always `application/json`.
    datacontenttype: &'static str,
    /// What belongs to an event of this type.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

impl From<&EventRow> for CloudEvent {
    fn from(event: &EventRow) -> Self {
        // The store keeps the JSON as it was told; text that is none cannot be passed on.
        let data = RawValue::from_string(event.data.clone()).unwrap_or_else(|_| {
            tracing::error!(tenant = %event.tenant, event.sequence, "an event's data is damaged");
            RawValue::NULL.to_owned()
        });
        Self {
            specversion: "1.0",
            id: event.sequence.to_string(),
            source: event.tenant.to_string(),
            kind: event.kind.to_string(),
            subject: event.call.map(|call| call.to_string()),
            time: event.at.to_string(),
            sequence: event.sequence,
            datacontenttype: "application/json",
            data,
        }
    }
}

/// The event as JSON text on one line.
pub(crate) fn json(event: &EventRow) -> String {
    // Our own plain struct into memory: it cannot fail.
    serde_json::to_string(&CloudEvent::from(event)).unwrap_or_default()
}
