//! Dialogs: identifiers, sequence numbers, route set and remote target (RFC 3261 §12).

use crate::header::bare;
use crate::message::unquote;
use crate::{Address, HeaderError, Message, Method, Name, Request, StatusCode, Uri, UriBuf};

/// What names a dialog at our end.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty for RFC 2543 peers that have none.
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog that a received request belongs to: our tag is in To. None if it belongs to none.
    #[must_use]
    pub fn of_request(request: &Message) -> Option<Self> {
        Some(Self {
            call_id: request.call_id().to_owned(),
            local_tag: request.to_tag()?.to_owned(),
            remote_tag: request.from_tag().unwrap_or("").to_owned(),
        })
    }

    /// The dialog that a received response makes or belongs to: our tag is in From.
    #[must_use]
    pub fn of_response(response: &Message) -> Option<Self> {
        Some(Self {
            call_id: response.call_id().to_owned(),
            local_tag: response.from_tag()?.to_owned(),
            remote_tag: response.to_tag().unwrap_or("").to_owned(),
        })
    }
}

/// Why a message makes no dialog, or does not fit one: the peer's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DialogError {
    /// A header field that a dialog is made of is missing or broken.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Call-ID or tags are another dialog's.
    #[error("not of this dialog")]
    NotInDialog,
    /// CSeq is lower than one already seen.
    #[error("out of order: CSeq {got} after {seen}")]
    OutOfOrder {
        /// The highest seen.
        seen: u32,
        /// What came.
        got: u32,
    },
}

impl DialogError {
    /// The status that answers the request.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Header(_) => StatusCode::BAD_REQUEST,
            Self::NotInDialog => StatusCode::CALL_DOES_NOT_EXIST,
            Self::OutOfOrder { .. } => StatusCode::SERVER_INTERNAL_ERROR,
        }
    }
}

/// One dialog, as our end keeps it.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// From of our requests, without its tag.
    local: String,
    /// To of our requests, without its tag.
    remote: String,
    local_contact: Option<UriBuf>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: UriBuf,
    /// In the order our requests follow it.
    routes: Vec<String>,
}

/// A longer route set than this is an attack, not a network.
const MAX_ROUTES: usize = 32;

const fn missing(header: &'static str) -> DialogError {
    DialogError::Header(HeaderError::new(header, "not there"))
}

fn target(message: &Message) -> Result<UriBuf, DialogError> {
    let contact = message.contact()?.ok_or(missing("Contact"))?;
    Ok(contact.uri().to_buf())
}

fn record_routes(message: &Message) -> Result<Vec<String>, DialogError> {
    let mut routes = Vec::new();
    for route in message.list(Name::RECORD_ROUTE) {
        Address::parse(route).map_err(|error| error.of("Record-Route"))?;
        if routes.len() == MAX_ROUTES {
            return Err(HeaderError::new("Record-Route", "too many").into());
        }
        routes.push(route.to_owned());
    }
    Ok(routes)
}

/// The Call-ID, which we write into each request of the dialog. What the parser let pass as text
/// need not be fit for that.
fn call_id(message: &Message) -> Result<String, DialogError> {
    fit("Call-ID", message.call_id().to_owned())
}

/// The text, if no control character is in it.
fn fit(name: &'static str, text: String) -> Result<String, DialogError> {
    if text.chars().any(char::is_control) {
        return Err(HeaderError::new(name, "a control character in it").into());
    }
    Ok(text)
}

/// Without what no Request-URI may have: a Contact may carry header fields and a method.
fn request_uri(uri: Uri<'_>) -> UriBuf {
    bare(uri).unwrap_or_else(|_| uri.to_buf())
}

impl Dialog {
    /// Our end of a dialog that a peer's request makes (§12.1.1). Put `local_tag` on the responses
    /// ([`crate::Response::to_tag`]) and `local_contact` into their Contact.
    ///
    /// # Errors
    /// When Contact, From, To, CSeq or a Record-Route is missing or broken.
    pub fn uas(
        request: &Message,
        local_tag: &str,
        local_contact: UriBuf,
    ) -> Result<Self, DialogError> {
        let (from, to) = (request.from()?, request.to()?);
        Ok(Self {
            id: DialogId {
                call_id: call_id(request)?,
                local_tag: local_tag.to_owned(),
                remote_tag: from.tag().unwrap_or("").to_owned(),
            },
            local: fit("To", to.without_tag())?,
            remote: fit("From", from.without_tag())?,
            local_contact: Some(local_contact),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?),
            remote_target: target(request)?,
            routes: record_routes(request)?,
        })
    }

    /// Our end of a dialog that the response to our `request` makes (§12.1.2): an early one from
    /// 101 to 199 with a To tag, a confirmed one from 2xx.
    ///
    /// # Errors
    /// When Contact, From, To, CSeq or a Record-Route is missing or broken.
    pub fn uac(request: &Request, response: &Message) -> Result<Self, DialogError> {
        let (from, to) = (response.from()?, response.to()?);
        let mut routes = record_routes(response)?;
        routes.reverse();
        let contact = request.get(Name::CONTACT).and_then(|text| Address::parse(text).ok());
        Ok(Self {
            id: DialogId {
                call_id: call_id(response)?,
                local_tag: from.tag().ok_or(missing("From tag"))?.to_owned(),
                remote_tag: to.tag().unwrap_or("").to_owned(),
            },
            local: fit("From", from.without_tag())?,
            remote: fit("To", to.without_tag())?,
            local_contact: contact.map(|contact| contact.uri().to_buf()),
            local_cseq: response.cseq()?,
            remote_cseq: None,
            remote_target: target(response)?,
            routes,
        })
    }

    /// An early dialog becomes a confirmed one: the 2xx says anew which way our requests go
    /// (§13.2.2.4). CSeq goes on, for there may have been PRACKs.
    ///
    /// # Errors
    /// When Contact or a Record-Route is broken; the dialog is unchanged.
    pub fn confirm(&mut self, success: &Message) -> Result<(), DialogError> {
        let mut routes = record_routes(success)?;
        routes.reverse();
        self.refresh(success)?;
        self.routes = routes;
        Ok(())
    }

    /// The dialog's name.
    #[must_use]
    pub fn id(&self) -> DialogId {
        self.id.clone()
    }

    /// The last CSeq number of ours.
    #[must_use]
    pub const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// The peer's Contact, where our requests go.
    #[must_use]
    pub const fn remote_target(&self) -> &UriBuf {
        &self.remote_target
    }

    /// The next request in the dialog: its CSeq is one higher than the last one's. For an ACK see
    /// [`Dialog::ack`].
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.saturating_add(1);
        let refreshes = method.refreshes_target();
        let request = self.build(method, self.local_cseq);
        match &self.local_contact {
            Some(contact) if refreshes => {
                request.header(Name::CONTACT, format_args!("<{contact}>"))
            }
            _ => request,
        }
    }

    /// Gives a request of this dialog the next CSeq, for sending it again with credentials.
    pub fn again(&mut self, request: &mut Request) {
        self.local_cseq = self.local_cseq.saturating_add(1);
        request.set_cseq(self.local_cseq);
    }

    /// The ACK of the 2xx to the INVITE with that CSeq (§13.2.2.4).
    #[must_use]
    pub fn ack(&self, invite_cseq: u32) -> Request {
        self.build(Method::Ack, invite_cseq)
    }

    fn build(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.path();
        let mut request = Request::new(method.clone(), uri);
        for route in routes {
            request = request.header(Name::ROUTE, route);
        }
        let to = match self.id.remote_tag.as_str() {
            "" => self.remote.clone(),
            tag => format!("{};tag={tag}", self.remote),
        };
        request
            .header(Name::FROM, format_args!("{};tag={}", self.local, self.id.local_tag))
            .header(Name::TO, to)
            .header(Name::CALL_ID, &self.id.call_id)
            .header(Name::CSEQ, format_args!("{cseq} {method}"))
    }

    /// Request-URI and Route of our requests (§12.2.1.1): a first hop without `lr` is a strict
    /// router, which wants itself in the Request-URI and the target last in Route.
    fn path(&self) -> (UriBuf, Vec<String>) {
        let first = self.routes.first().and_then(|route| Address::parse(route).ok());
        match first {
            Some(first) if first.uri().params().get("lr").is_none() => {
                let mut routes = self.routes[1..].to_vec();
                routes.push(format!("<{}>", self.remote_target));
                (request_uri(first.uri()), routes)
            }
            _ => (request_uri(self.remote_target.as_uri()), self.routes.clone()),
        }
    }

    /// Where our requests are sent: the first Route, or the remote target.
    #[must_use]
    pub fn next_hop(&self) -> UriBuf {
        let first = self.routes.first().and_then(|route| Address::parse(route).ok());
        first.map_or_else(|| self.remote_target.clone(), |first| first.uri().to_buf())
    }

    /// Takes a request of the peer in the dialog: checks that it belongs here and comes in order,
    /// and refreshes the remote target if its method does that (§12.2.2).
    ///
    /// # Errors
    /// Answer the request with the error's status; the dialog is unchanged.
    pub fn accept(&mut self, request: &Message) -> Result<(), DialogError> {
        if DialogId::of_request(request).as_ref() != Some(&self.id) {
            return Err(DialogError::NotInDialog);
        }
        let got = request.cseq()?;
        let own_number = !matches!(request.method_ref(), Method::Ack | Method::Cancel);
        if own_number
            && let Some(seen) = self.remote_cseq
            && got < seen
        {
            return Err(DialogError::OutOfOrder { seen, got });
        }
        if request.method_ref().refreshes_target() {
            self.refresh(request)?;
        }
        if own_number {
            self.remote_cseq = Some(got);
        }
        Ok(())
    }

    /// Takes the Contact of a 2xx to our own re-INVITE or UPDATE as the new remote target.
    ///
    /// # Errors
    /// When there is a Contact that does not parse; the target stays.
    pub fn refresh(&mut self, message: &Message) -> Result<(), DialogError> {
        if let Some(contact) = message.contact()? {
            self.remote_target = contact.uri().to_buf();
        }
        Ok(())
    }

    /// The peer's URI and name, as From or To had them, without the tag.
    #[must_use]
    pub fn remote_address(&self) -> &str {
        &self.remote
    }

    /// The peer's display name, if it gave one.
    #[must_use]
    pub fn remote_name(&self) -> Option<String> {
        let address = Address::parse(&self.remote).ok()?;
        address.display_name().map(|name| unquote(&name).into_owned())
    }

    /// Whether the peer is to be reached by TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        Uri::parse(self.remote_target.as_str()).is_ok_and(|uri| uri.is_secure())
    }
}
