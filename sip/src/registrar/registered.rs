//! What a REGISTER came to, and the 200 that says so (RFC 3261 §10.3 step 8, RFC 3327 §5.3,
//! RFC 5626 §6).

use base::Duration;

use super::{BindingInfo, way};
use crate::{Message, Name, Response, StatusCode, Transport};

/// What a REGISTER came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// All bindings of the address now.
    pub bindings: Vec<BindingInfo>,
    /// Path as it came, for phones that want to see it again.
    pub path: Option<Box<str>>,
    /// The phone's flow is kept: within how much time it must show that it is alive.
    pub flow_timer: Option<Duration>,
}

impl Registered {
    pub(super) fn new(
        bindings: Vec<BindingInfo>,
        request: &Message,
        path: Option<Box<str>>,
        kept: Option<Transport>,
    ) -> Self {
        let path = path.filter(|_| way::supports(request, "path"));
        let flow_timer = kept.map(Transport::flow_timer);
        Self { bindings, path, flow_timer }
    }

    /// The 200.
    #[must_use]
    pub fn response(&self) -> Response {
        let ok = Response::new(StatusCode::OK).header(Name::SUPPORTED, "path, outbound");
        let mut ok = self.bindings.iter().fold(ok, |ok, one| ok.header(Name::CONTACT, one));
        if let Some(path) = &self.path {
            ok = ok.header(Name::PATH, path);
        }
        if let Some(timer) = self.flow_timer {
            ok = ok.header(Name::REQUIRE, "outbound").header(Name::FLOW_TIMER, timer.as_secs());
        }
        ok
    }
}
