//! What one REGISTER asks for, and its application to the bindings of an address
//! (RFC 3261 §10.2, §10.3 steps 6 to 8).

use base::{Duration, Instant};

use super::{Binding, RegistrarConfig};
use crate::message::seconds;
use crate::{Address, Flow, Message, Name, StatusCode, UriBuf};

type Refusal = (StatusCode, &'static str);

const BAD_CONTACT: Refusal = (StatusCode::BAD_REQUEST, "Bad Contact");
/// More Contacts than any phone sends in one request.
const MAX_CONTACTS: usize = 32;

/// What a REGISTER asks for.
pub(super) enum Change {
    /// No Contact: only asks.
    Nothing,
    /// `*` with Expires 0.
    RemoveAll,
    /// Bind each contact for its time; zero removes it.
    Bind(Vec<Wish>),
}

pub(super) struct Wish {
    contact: UriBuf,
    lasts: Duration,
    q: u16,
}

/// Reads the Contacts of a REGISTER.
pub(super) fn read(config: &RegistrarConfig, request: &Message) -> Result<Change, Refusal> {
    let contacts: Vec<&str> = request.list(Name::CONTACT).take(MAX_CONTACTS + 1).collect();
    if contacts.len() > MAX_CONTACTS {
        return Err((StatusCode::FORBIDDEN, "Too Many Contacts"));
    }
    if contacts.contains(&"*") {
        return if contacts.len() == 1 && request.expires() == Some(0) {
            Ok(Change::RemoveAll)
        } else {
            Err((StatusCode::BAD_REQUEST, "Contact * needs Expires 0 and no other Contact"))
        };
    }
    if contacts.is_empty() {
        return Ok(Change::Nothing);
    }
    let wishes = contacts.into_iter().map(|text| wish(config, request, text));
    wishes.collect::<Result<_, _>>().map(Change::Bind)
}

fn wish(config: &RegistrarConfig, request: &Message, text: &str) -> Result<Wish, Refusal> {
    let address = Address::parse(text).map_err(|_| BAD_CONTACT)?;
    let params = address.params();
    // A malformed time to live is the default (§10.2.1.1).
    let asked = params.value("expires").map(seconds).unwrap_or_else(|| request.expires());
    let asked = asked.map_or(config.default_expires, |s| Duration::from_secs(s.into()));
    if !asked.is_zero() && asked < config.min_expires {
        return Err((StatusCode::INTERVAL_TOO_BRIEF, "Interval Too Brief"));
    }
    let q = match params.value("q") {
        None => 1000,
        Some(text) => parse_q(text).ok_or(BAD_CONTACT)?,
    };
    let contact = address.uri().to_buf();
    Ok(Wish { contact, lasts: asked.min(config.max_expires), q })
}

/// `0.7` in thousandths.
fn parse_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

impl Change {
    /// Applies it; `bindings` is a copy that is dropped on a refusal.
    pub(super) fn apply(
        self,
        now: Instant,
        flow: Flow,
        request: &Message,
        bindings: &mut Vec<Binding>,
    ) -> Result<(), Refusal> {
        let bad = |_| (StatusCode::BAD_REQUEST, "Bad CSeq");
        let (call_id, cseq) = (request.call_id(), request.cseq().map_err(bad)?);
        let check = |binding: &Binding| {
            if binding.call_id == call_id && cseq <= binding.cseq {
                Err((StatusCode::SERVER_INTERNAL_ERROR, "Out of Order"))
            } else {
                Ok(())
            }
        };
        match self {
            Self::Nothing => {}
            Self::RemoveAll => {
                bindings.iter().try_for_each(check)?;
                bindings.clear();
            }
            Self::Bind(wishes) => {
                for wish in &wishes {
                    let bound = position(bindings, &wish.contact);
                    bound.map_or(Ok(()), |at| check(&bindings[at]))?;
                }
                for wish in wishes {
                    if let Some(at) = position(bindings, &wish.contact) {
                        bindings.remove(at);
                    }
                    if wish.lasts.is_zero() {
                        continue;
                    }
                    bindings.push(Binding {
                        contact: wish.contact,
                        flow,
                        expires: now + wish.lasts,
                        q: wish.q,
                        user_agent: request.header(Name::USER_AGENT).map(str::to_owned),
                        call_id: call_id.to_owned(),
                        cseq,
                    });
                }
            }
        }
        Ok(())
    }
}

fn position(bindings: &[Binding], contact: &UriBuf) -> Option<usize> {
    let uri = contact.as_uri();
    bindings.iter().position(|binding| binding.contact.as_uri().is_equivalent(&uri))
}
