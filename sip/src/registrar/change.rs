//! What one REGISTER asks for, and its application to the bindings of an address
//! (RFC 3261 §10.2, §10.3 steps 6 to 8).

use base::{Duration, Instant};

use super::binding::{Device, Order};
use super::way::{self, Way};
use super::{Binding, RegistrarConfig};
use crate::message::seconds;
use crate::{Address, Flow, Message, Name, StatusCode, UriBuf};

pub(super) type Refusal = (StatusCode, &'static str);

const BAD_CONTACT: Refusal = (StatusCode::BAD_REQUEST, "Bad Contact");
/// More Contacts than any phone sends in one request.
const MAX_CONTACTS: usize = 32;
/// A longer contact than any phone's, in bytes: each is kept.
const MAX_CONTACT: usize = 512;
/// As much of a User-Agent as names a phone, in bytes.
const MAX_USER_AGENT: usize = 96;

/// What a REGISTER asks for.
pub(super) enum Change {
    /// No Contact: only asks.
    Nothing,
    /// `*` with Expires 0.
    RemoveAll,
    /// Bind each contact for its time; zero removes it.
    Bind(Vec<Wish>, Way),
}

pub(super) struct Wish {
    contact: UriBuf,
    lasts: Duration,
    q: u16,
    device: Option<Device>,
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
    let mut wishes = wishes.collect::<Result<Vec<_>, _>>()?;
    let way = way::read(request)?;
    way.admit(request, &mut wishes.iter_mut().map(|wish| &mut wish.device))?;
    Ok(Change::Bind(wishes, way))
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
    let contact = address.uri();
    if contact.as_str().len() > MAX_CONTACT {
        return Err((StatusCode::BAD_REQUEST, "Contact Too Long"));
    }
    let (contact, device) = (contact.to_buf(), way::device(params)?);
    Ok(Wish { contact, lasts: asked.min(config.max_expires), q, device })
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
    /// The Path of the bindings it makes, and whether the phone's flow is kept.
    pub(super) fn path_and_flow(&self) -> (Option<Box<str>>, bool) {
        let Self::Bind(wishes, way) = self else { return (None, false) };
        let kept = |wish: &Wish| wish.device.as_ref().is_some_and(|one| one.reg_id.is_some());
        (way.path.clone(), wishes.iter().any(kept))
    }

    /// Applies it; `bindings` is a copy that is dropped on a refusal.
    pub(super) fn apply(
        self,
        now: Instant,
        flow: Flow,
        request: &Message,
        bindings: &mut Vec<Binding>,
    ) -> Result<(), Refusal> {
        let bad = |_| (StatusCode::BAD_REQUEST, "Bad CSeq");
        let order = Order::new(request.call_id(), request.cseq().map_err(bad)?);
        let check = |binding: &Binding| {
            if order.is_behind(binding.order) {
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
            Self::Bind(wishes, way) => {
                for wish in &wishes {
                    let bound = wish.position(bindings);
                    bound.map_or(Ok(()), |at| check(&bindings[at]))?;
                }
                for wish in wishes {
                    if let Some(at) = wish.position(bindings) {
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
                        user_agent: request.header(Name::USER_AGENT).map(user_agent),
                        path: way.path.clone(),
                        device: wish.device,
                        order,
                    });
                }
            }
        }
        Ok(())
    }
}

fn user_agent(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(MAX_USER_AGENT);
    text[..end].into()
}

impl Wish {
    /// The binding that this one takes the place of: of the same flow of the same device
    /// (RFC 5626 §6), else with an equivalent contact.
    fn position(&self, bindings: &[Binding]) -> Option<usize> {
        let is_flow = self.device.as_ref().is_some_and(|device| device.reg_id.is_some());
        let contact = self.contact.as_uri();
        bindings.iter().position(|binding| match is_flow {
            true if binding.is_outbound() => binding.device == self.device,
            _ => binding.contact.as_uri().is_equivalent(&contact),
        })
    }
}
