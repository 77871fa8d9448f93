//! What is answered to anybody alike, because it tells nothing: OPTIONS (RFC 3261 §11.2), and
//! methods that nobody may use outside a dialog.

use sip::{Message, Method, Name, Response, StatusCode};

use crate::node::{ALLOW, ALLOW_EVENTS, bad_extension, with_capabilities};
use crate::switch::Switch;

impl Switch {
    /// The answer to a request outside a dialog that begins nothing.
    pub(super) fn plain_answer(&self, request: &Message) -> Response {
        if let Some(refusal) = unusable(request) {
            return refusal;
        }
        match request.method() {
            Method::Options => self.capabilities(),
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
                Response::new(StatusCode::CALL_DOES_NOT_EXIST)
            }
            // RFC 3903 §6 step 2: no event is published here.
            Method::Publish => {
                Response::new(StatusCode::BAD_EVENT).header(Name::ALLOW_EVENTS, ALLOW_EVENTS)
            }
            Method::Other(_) => {
                Response::new(StatusCode::NOT_IMPLEMENTED).header(Name::ALLOW, ALLOW)
            }
            _ => Response::new(StatusCode::METHOD_NOT_ALLOWED).header(Name::ALLOW, ALLOW),
        }
    }

    /// What we can do; while we drain, that somebody else should be asked.
    fn capabilities(&self) -> Response {
        if self.node.draining {
            return Response::new(StatusCode::SERVICE_UNAVAILABLE).header(Name::RETRY_AFTER, 30);
        }
        with_capabilities(Response::new(StatusCode::OK))
    }
}

/// A request that cannot be understood as it is meant (RFC 3261 §8.2.2.1, §8.2.2.3).
fn unusable(request: &Message) -> Option<Response> {
    let uri = request.uri().ok()?;
    if !uri.is_sip() && !uri.is_tel() {
        return Some(Response::new(StatusCode::UNSUPPORTED_URI_SCHEME));
    }
    bad_extension(request)
}
