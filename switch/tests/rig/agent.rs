//! Requests of agents' phones outside a dialog, with the passwords they take.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sip::{Message, Method, Name};

use super::{Rig, SWITCH};

/// One request, as it is to be written.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: SocketAddr,
    pub method: Method,
    pub uri: String,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub tag: String,
    pub to_tag: String,
    pub cseq: u32,
    pub extra: String,
    pub body: Option<(String, String)>,
}

impl Asked {
    /// A request of alice's, from there.
    pub fn new(rig: &mut Rig, at: SocketAddr, method: Method, to: &str) -> Self {
        let number = rig.next_number();
        Self {
            at,
            method,
            uri: format!("sip:{to}@acme.example"),
            from: "<sip:alice@acme.example>".to_owned(),
            to: format!("<sip:{to}@acme.example>"),
            call_id: format!("asked-{number}"),
            tag: format!("tag-{number}"),
            to_tag: String::new(),
            cseq: 1,
            extra: String::new(),
            body: None,
        }
    }

    pub fn text(&self, authorization: Option<&str>) -> String {
        let Self { at, method, uri, from, to, call_id, tag, cseq, extra, .. } = self;
        let method = method.as_str();
        let to_tag =
            if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) };
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{call_id}-{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: {from};tag={tag}\r\nTo: {to}{to_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:phone@{at}>\r\n{extra}"
        );
        if let Some(authorization) = authorization {
            write!(text, "Proxy-Authorization: {authorization}\r\n").unwrap();
        }
        match &self.body {
            Some((kind, body)) => {
                write!(text, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                    .unwrap()
            }
            None => text.push_str("Content-Length: 0\r\n\r\n"),
        }
        text
    }

    /// What answers a challenge.
    pub fn authorization(&self, challenge: &str, user: &str, password: &str) -> String {
        let (method, uri) = (&self.method, &*self.uri);
        let terms = sip::digest::Answer { method, uri, user, password, cnonce: "0a4f113b", nc: 1 };
        sip::digest::answer(challenge, &terms).expect("an answerable challenge")
    }

    /// The ACK to a refused INVITE.
    pub fn ack(&self, refusal: &Message) -> String {
        let mut ack = self.clone();
        ack.method = Method::Ack;
        ack.to_tag = refusal.to_tag().unwrap().to_owned();
        ack.text(None)
    }
}

impl Rig {
    /// Sends it, answers the challenge, and gives the answer to that.
    #[track_caller]
    pub fn ask_as(&mut self, asked: &mut Asked, user: &str, password: &str) -> Message {
        let text = asked.text(None);
        self.send(asked.at, &text);
        let challenged = self.expect(asked.at, "SIP/2.0 407");
        if asked.method == Method::Invite {
            let ack = asked.ack(&challenged);
            self.send(asked.at, &ack);
        }
        let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
        let authorization = asked.authorization(challenge, user, password);
        asked.cseq += 1;
        let text = asked.text(Some(&authorization));
        self.send(asked.at, &text);
        self.expect_final(asked.at)
    }

    /// The final answer to whatever was asked last.
    #[track_caller]
    pub fn expect_final(&mut self, at: SocketAddr) -> Message {
        loop {
            let answer = self.expect(at, "SIP/2.0 ");
            if answer.status().unwrap().is_final() {
                return answer;
            }
        }
    }

    /// Sends it as it is, and gives the answer.
    #[track_caller]
    pub fn ask(&mut self, asked: &Asked) -> Message {
        let text = asked.text(None);
        self.send(asked.at, &text);
        self.expect_final(asked.at)
    }
}

/// Where requests within dialogs go.
pub fn own_uri() -> String {
    format!("sip:strowger@{SWITCH}")
}

/// Calls that agents make from their phones.
impl Rig {
    /// An agent's phone dials, with the password. Nothing is waited for.
    pub fn agent_dials(&mut self, at: SocketAddr, user: &str, to: &str, extra: &str) -> Asked {
        self.agent_offers(at, user, to, (extra, super::SDP_PCMU))
    }

    /// The same with header lines of its own, and that offer.
    pub fn agent_offers(
        &mut self,
        at: SocketAddr,
        user: &str,
        to: &str,
        (extra, sdp): (&str, &str),
    ) -> Asked {
        let mut asked = Asked::new(self, at, Method::Invite, to);
        asked.from = format!("<sip:{user}@acme.example>");
        asked.body = Some(("application/sdp".to_owned(), sdp.to_owned()));
        asked.extra = extra.to_owned();
        let text = asked.text(None);
        self.send(at, &text);
        let challenged = self.expect(at, "SIP/2.0 407");
        let ack = asked.ack(&challenged);
        self.send(at, &ack);
        let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
        let password = format!("{user}-secret");
        let authorization = asked.authorization(challenge, user, &password);
        asked.cseq += 1;
        let text = asked.text(Some(&authorization));
        self.send(at, &text);
        asked
    }

    /// The agent hears that the call was answered, and confirms it.
    #[track_caller]
    pub fn agent_is_answered(&mut self, asked: &mut Asked) {
        let ok = self.expect(asked.at, "SIP/2.0 200");
        self.agent_acks(asked, &ok);
    }

    /// The agent's phone confirms the 200.
    pub fn agent_acks(&mut self, asked: &mut Asked, ok: &Message) {
        asked.to_tag = ok.to_tag().unwrap().to_owned();
        let mut ack = asked.clone();
        (ack.method, ack.body) = (Method::Ack, None);
        let text = ack.text(None).replace("branch=z9hG4bK-", "branch=z9hG4bK-ack-");
        self.send(asked.at, &text);
    }

    /// The agent's phone hangs up.
    pub fn agent_hangs_up(&mut self, asked: &mut Asked, extra: &str) {
        asked.cseq += 1;
        let mut bye = asked.clone();
        (bye.method, bye.body, bye.extra) = (Method::Bye, None, extra.to_owned());
        self.send(asked.at, &bye.text(None));
        self.expect(asked.at, "SIP/2.0 200");
    }
}
