//! The way a REGISTER came: the proxies on it (Path, RFC 3327) and, for phones that keep flows of
//! their own, whether the first of those proxies can keep them (RFC 5626 §6).
//!
//! GRUUs (RFC 5627) are not offered: phones that get one use it as their Contact everywhere.

use super::binding::Device;
use super::change::Refusal;
use crate::message::unquote;
use crate::{Address, Message, Name, Params, StatusCode};

const BAD_PATH: Refusal = (StatusCode::BAD_REQUEST, "Bad Path");
const LACKS_OUTBOUND: Refusal =
    (StatusCode::FIRST_HOP_LACKS_OUTBOUND_SUPPORT, "First Hop Lacks Outbound Support");
/// More proxies than stand between any phone and its registrar.
const MAX_PATH: usize = 8;
/// The longest Path kept, in bytes.
const MAX_PATH_LENGTH: usize = 1_024;
/// The longest name of a device, in bytes: each is kept.
const MAX_INSTANCE: usize = 128;

/// What stands between us and the phone.
#[derive(Default)]
pub(super) struct Way {
    /// The Route of requests back, if there are proxies that want to see them.
    pub(super) path: Option<Box<str>>,
    /// Whether the first hop keeps the phone's flow, or the phone is connected to us directly.
    keeps_flow: bool,
}

/// Reads Path and counts the hops.
pub(super) fn read(request: &Message) -> Result<Way, Refusal> {
    let path: Vec<&str> = request.list(Name::PATH).take(MAX_PATH + 1).collect();
    let length: usize = path.iter().map(|one| one.len() + 2).sum();
    if path.len() > MAX_PATH || length > MAX_PATH_LENGTH {
        return Err(BAD_PATH);
    }
    let mut first_hop_keeps = false;
    for one in &path {
        if one.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(BAD_PATH); // it is to stand in our own requests
        }
        let address = Address::parse(one).map_err(|_| BAD_PATH)?;
        let uri = address.uri();
        if !uri.is_sip() || uri.params().get("lr").is_none() {
            return Err(BAD_PATH); // a strict router would rewrite our requests
        }
        // Each proxy puts itself in front: the last one is the phone's.
        first_hop_keeps = uri.params().get("ob").is_some();
    }
    let is_direct = path.is_empty() && request.vias().take(2).count() == 1;
    let path = (!path.is_empty()).then(|| path.join(", ").into());
    Ok(Way { path, keeps_flow: is_direct || first_hop_keeps })
}

/// `+sip.instance` and `reg-id` of a Contact. A number without a device is none (RFC 5626 §6).
pub(super) fn device(params: Params<'_>) -> Result<Option<Device>, Refusal> {
    let bad = (StatusCode::BAD_REQUEST, "Bad +sip.instance or reg-id");
    let Some(instance) = params.value("+sip.instance") else { return Ok(None) };
    let quoted = unquote(instance);
    let instance = quoted.strip_prefix('<').and_then(|text| text.strip_suffix('>')).ok_or(bad)?;
    let printable = instance.bytes().all(|byte| byte.is_ascii_graphic());
    if instance.is_empty() || instance.len() > MAX_INSTANCE || !printable || instance.contains('"')
    {
        return Err(bad);
    }
    let number = |text: &str| text.parse().ok().filter(|n| (1..1 << 31).contains(n)).ok_or(bad);
    let reg_id = params.value("reg-id").map(number).transpose()?;
    Ok(Some(Device { instance: instance.into(), reg_id }))
}

impl Way {
    /// Decides whether flows are kept (RFC 5626 §6): numbers of flows count only of phones that
    /// say they support it, only one in a request, and only if the first hop keeps the flow.
    pub(super) fn admit(
        &self,
        request: &Message,
        devices: &mut dyn Iterator<Item = &mut Option<Device>>,
    ) -> Result<(), Refusal> {
        let supports = supports(request, "outbound");
        let mut flows = 0;
        for device in devices.flatten() {
            if !supports {
                device.reg_id = None;
            }
            flows += usize::from(device.reg_id.is_some());
        }
        match flows {
            0 => Ok(()),
            1 if self.keeps_flow => Ok(()),
            1 => Err(LACKS_OUTBOUND),
            _ => Err((StatusCode::BAD_REQUEST, "More Than One reg-id")),
        }
    }
}

/// Whether the phone has that extension.
pub(super) fn supports(request: &Message, option: &str) -> bool {
    let mut tags = request.list(Name::SUPPORTED).chain(request.list(Name::REQUIRE));
    tags.any(|tag| tag.eq_ignore_ascii_case(option))
}
