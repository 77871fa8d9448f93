//! Names, moments and events, as the tests of the store and of the API write them.

use base::{CallId, RecordingId, TenantId, UnixTime};
use serde_json::Value;
use store::{Append, EventRow};

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn call(number: u128) -> CallId {
    CallId::from_u128(number)
}

pub(crate) fn recording(number: u128) -> RecordingId {
    RecordingId::from_u128(number)
}

/// So many seconds after all begins.
pub(crate) fn at(seconds: i64) -> UnixTime {
    UnixTime::from_micros(1_795_168_800_000_000 + seconds * 1_000_000)
}

/// One event, a second after the one before it.
pub(crate) fn event(
    owner: &str,
    sequence: u64,
    of: CallId,
    kind: &'static str,
    data: Value,
) -> Append {
    Append::Event(EventRow {
        tenant: tenant(owner),
        sequence,
        call: Some(of),
        at: at(i64::try_from(sequence).unwrap()),
        kind: kind.into(),
        data: data.to_string(),
    })
}
