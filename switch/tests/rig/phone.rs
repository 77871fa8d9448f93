//! Phones and trunks that speak hand-written SIP, and the steps that most tests begin with.

use std::fmt::Write as _;
use std::net::SocketAddr;

use base::CallId;
use sip::{Message, Name};

use super::{ALICE, BOB, Rig, SWITCH, TRUNK};

pub const SDP_PCMU: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\n\
    c=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
pub const SDP_PCMA: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\n\
    c=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8\r\na=sendrecv\r\n";
pub const SDP_VIDEO: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\n\
    c=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=video 40000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";

/// A description with that direction and version.
pub fn sdp(direction: &str, version: u32) -> String {
    SDP_PCMU
        .replace("a=sendrecv", &format!("a={direction}"))
        .replace("o=- 1 1", &format!("o=- 1 {version}"))
}

/// A call as its caller sees it.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: SocketAddr,
    pub to: String,
    pub call_id: String,
    pub from_tag: String,
    pub branch: String,
    pub to_tag: String,
    pub cseq: u32,
    pub sdp: Option<String>,
    /// Further header lines of the INVITE.
    pub extra: String,
}

impl Call {
    pub fn new(rig: &mut Rig, at: SocketAddr, to: &str) -> Self {
        let number = rig.next_number();
        Self {
            at,
            to: to.to_owned(),
            call_id: format!("call-{number}@carrier"),
            from_tag: format!("from-{number}"),
            branch: format!("z9hG4bK-invite-{number}"),
            to_tag: String::new(),
            cseq: 1,
            sdp: Some(SDP_PCMU.to_owned()),
            extra: String::new(),
        }
    }

    pub fn without_sdp(mut self) -> Self {
        self.sdp = None;
        self
    }

    pub fn with_sdp(mut self, sdp: &str) -> Self {
        self.sdp = Some(sdp.to_owned());
        self
    }

    /// A request from the caller.
    pub fn request(&self, method: &str, cseq: u32, branch: &str, sdp: Option<&str>) -> String {
        let (at, to) = (self.at, &self.to);
        let mut text = format!(
            "{method} sip:{to}@{SWITCH} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch={branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Carla \\\"C\\\" Caller\" <sip:+4930123456@{at}>;tag={}\r\n\
             To: <sip:{to}@{SWITCH}>{}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:carrier@{at}>\r\n",
            self.from_tag,
            if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) },
            self.call_id,
        );
        if method == "INVITE" {
            text.push_str(&self.extra);
        }
        body(text, sdp)
    }

    pub fn invite(&self) -> String {
        self.request("INVITE", self.cseq, &self.branch, self.sdp.as_deref())
    }

    /// The ACK to a refusal belongs to the INVITE's transaction.
    pub fn ack_refusal(&self, response: &Message) -> String {
        let mut call = self.clone();
        call.to_tag = response.to_tag().unwrap().to_owned();
        call.request("ACK", self.cseq, &self.branch, None)
    }

    pub fn cancel(&self) -> String {
        self.request("CANCEL", self.cseq, &self.branch, None)
    }

    pub fn ack(&mut self, ok: &Message, sdp: Option<&str>) -> String {
        self.to_tag = ok.to_tag().unwrap().to_owned();
        let branch = format!("z9hG4bK-ack-{}-{}", self.call_id, self.cseq);
        self.request("ACK", self.cseq, &branch, sdp)
    }

    /// The next request in the dialog.
    pub fn next(&mut self, method: &str, sdp: Option<&str>) -> String {
        self.cseq += 1;
        let branch = format!("z9hG4bK-{method}-{}-{}", self.call_id, self.cseq);
        self.request(method, self.cseq, &branch, sdp)
    }
}

/// The dialog of an agent's phone that a switch's INVITE made.
#[derive(Clone, Debug)]
pub struct Phone {
    pub at: SocketAddr,
    pub invite: Message,
    pub tag: String,
    pub cseq: u32,
}

impl Phone {
    pub fn new(at: SocketAddr, invite: Message) -> Self {
        Self { at, invite, tag: format!("phone-{}", at.ip()), cseq: 100 }
    }

    /// A response to the INVITE.
    pub fn respond(&self, status: &str, sdp: Option<&str>) -> String {
        answer(&self.invite, self.at, status, &self.tag, sdp)
    }

    /// Its REFER to there.
    pub fn refer(&mut self, target: &str) -> String {
        let to = format!("Refer-To: {target}\r\nContent-Length: 0");
        self.next("REFER", None).replace("Content-Length: 0", &to)
    }

    /// A request of the phone within the dialog.
    pub fn next(&mut self, method: &str, sdp: Option<&str>) -> String {
        self.cseq += 1;
        let invite = &self.invite;
        let text = format!(
            "{method} sip:strowger@{SWITCH} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{tag}-{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: {to};tag={tag}\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@{at}>\r\n",
            at = self.at,
            tag = self.tag,
            cseq = self.cseq,
            to = invite.header(Name::TO).unwrap(),
            from = invite.header(Name::FROM).unwrap(),
            call_id = invite.call_id(),
        );
        body(text, sdp)
    }
}

/// A response of a peer to a request of the switch.
pub fn answer(
    request: &Message,
    at: SocketAddr,
    status: &str,
    tag: &str,
    sdp: Option<&str>,
) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for via in request.headers(Name::VIA) {
        write!(text, "Via: {via}\r\n").unwrap();
    }
    let to = request.header(Name::TO).unwrap();
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
    write!(
        text,
        "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:phone@{at}>\r\n",
        request.header(Name::FROM).unwrap(),
        request.call_id(),
        request.header(Name::CSEQ).unwrap(),
    )
    .unwrap();
    body(text, sdp)
}

fn body(mut head: String, sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => {
            write!(
                head,
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
                sdp.len()
            )
            .unwrap();
        }
        None => head.push_str("Content-Length: 0\r\n\r\n"),
    }
    head
}

/// The steps that most tests begin with.
impl Rig {
    /// A REGISTER, with credentials if a challenge is given.
    pub fn register_text(
        &mut self,
        at: SocketAddr,
        (user, password, domain): (&str, &str, &str),
        challenge: Option<&str>,
        contact: &str,
    ) -> String {
        let number = self.next_number();
        let uri = format!("sip:{domain}");
        // A token's name has its time before the agent.
        let agent = user.rsplit(':').next().unwrap();
        let mut text = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-reg-{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{agent}@{domain}>;tag=reg-{number}\r\n\
             To: <sip:{agent}@{domain}>\r\nCall-ID: reg-{agent}-{at}\r\nCSeq: {number} REGISTER\r\n\
             {contact}"
        );
        if let Some(challenge) = challenge {
            let terms = sip::digest::Answer {
                method: &sip::Method::Register,
                uri: &uri,
                user,
                password,
                cnonce: "0a4f113b",
                nc: 1,
            };
            let value = sip::digest::answer(challenge, &terms).expect("an answerable challenge");
            write!(text, "Authorization: {value}\r\n").unwrap();
        }
        body(text, None)
    }

    /// An agent's phone registers. Gives the final status line.
    pub fn register_as(
        &mut self,
        at: SocketAddr,
        who: (&str, &str, &str),
        contact: &str,
    ) -> Message {
        let text = self.register_text(at, who, None, contact);
        self.send(at, &text);
        let challenge = self.expect(at, "SIP/2.0 401");
        let challenge = challenge.header(Name::WWW_AUTHENTICATE).unwrap().to_owned();
        let text = self.register_text(at, who, Some(&challenge), contact);
        self.send(at, &text);
        self.expect(at, "SIP/2.0 ")
    }

    pub fn register(&mut self, at: SocketAddr, user: &str) {
        let (password, domain) = (format!("{user}-secret"), domain_of(user));
        let contact = format!("Contact: <sip:{user}@{at}>;expires=3600\r\n");
        let ok = self.register_as(at, (user, &password, domain), &contact);
        assert_eq!(ok.status().unwrap().as_u16(), 200);
    }

    /// Alice registers, then Bob: Alice has been idle longer.
    pub fn register_both(&mut self) {
        self.register(ALICE, "alice");
        self.advance_ms(1000);
        self.register(BOB, "bob");
        self.advance_ms(1000);
    }

    /// A caller dials, is answered, and confirms.
    pub fn dial(&mut self, number: &str) -> Call {
        self.dial_from(TRUNK, number)
    }

    pub fn dial_from(&mut self, trunk: SocketAddr, number: &str) -> Call {
        let mut call = Call::new(self, trunk, number);
        self.send(trunk, &call.invite());
        self.caller_is_answered(&mut call);
        call
    }

    /// The caller hears that the call was answered, and confirms it.
    #[track_caller]
    pub fn caller_is_answered(&mut self, call: &mut Call) -> Message {
        let ok = self.expect(call.at, "SIP/2.0 200");
        let ack = call.ack(&ok, None);
        self.send(call.at, &ack);
        ok
    }

    /// The same, and the greeting is over: the caller waits in `sales`.
    pub fn dial_into_queue(&mut self) -> Call {
        let call = self.dial("+15550100");
        self.finish_prompt();
        call
    }

    /// The caller waits, and Alice has two phones, which get an INVITE each.
    pub fn ring_both_of_alice(&mut self, second: SocketAddr) -> (Call, Phone, Phone) {
        self.register(ALICE, "alice");
        let contact = format!("Contact: <sip:alice@{second}>;expires=3600\r\n");
        self.register_as(second, ("alice", "alice-secret", "acme.example"), &contact);
        let call = self.dial_into_queue();
        let [first, second] = [ALICE, second].map(|at| Phone::new(at, self.expect(at, "INVITE")));
        (call, first, second)
    }

    /// The caller waits and Alice's phone rings.
    pub fn ring_alice(&mut self) -> (Call, Phone) {
        let call = self.dial_into_queue();
        let phone = Phone::new(ALICE, self.expect(ALICE, "INVITE"));
        let ringing = phone.respond("180 Ringing", None);
        self.send(ALICE, &ringing);
        (call, phone)
    }

    /// Alice answers.
    pub fn connect_alice(&mut self) -> (Call, Phone) {
        let (call, phone) = self.ring_alice();
        self.phone_answers(&phone);
        (call, phone)
    }

    /// A phone, or a carrier, takes the call that rings.
    #[track_caller]
    pub fn phone_answers(&mut self, phone: &Phone) {
        self.send(phone.at, &phone.respond("200 OK", Some(SDP_PCMU)));
        self.expect(phone.at, "ACK");
    }

    /// An INVITE of that call's, which is refused with that status and acknowledged.
    #[track_caller]
    pub fn refuses(&mut self, call: &Call, invite: &str, status: &str) -> Message {
        self.send(call.at, invite);
        let response = self.expect(call.at, status);
        self.send(call.at, &call.ack_refusal(&response));
        response
    }

    /// The caller hangs up.
    pub fn caller_hangs_up(&mut self, call: &mut Call) {
        let bye = call.next("BYE", None);
        self.send(call.at, &bye);
        self.expect(call.at, "SIP/2.0 200");
    }

    /// A peer confirms the switch's BYE.
    #[track_caller]
    pub fn confirm_bye(&mut self, at: SocketAddr) -> Message {
        self.confirm(at, "BYE")
    }

    /// A peer says 200 to a request of the switch's that begins so.
    #[track_caller]
    pub fn confirm(&mut self, at: SocketAddr, begins: &str) -> Message {
        let request = self.expect(at, begins);
        self.send(at, &answer(&request, at, "200 OK", "", None));
        request
    }

    /// A phone confirms the switch's CANCEL, and refuses the INVITE.
    #[track_caller]
    pub fn confirm_cancel(&mut self, phone: &Phone) {
        let cancel = self.expect(phone.at, "CANCEL");
        self.send(phone.at, &answer(&cancel, phone.at, "200 OK", &phone.tag, None));
        let terminated = phone.respond("487 Request Terminated", None);
        self.send(phone.at, &terminated);
        self.expect(phone.at, "ACK");
    }

    /// The call that started last.
    pub fn last_call(&self) -> CallId {
        let started = self.events.iter().rfind(|event| event.kind.type_name() == "call.started");
        started.and_then(|event| event.call).expect("a call")
    }
}

fn domain_of(user: &str) -> &'static str {
    if user == "gina" { "globex.example" } else { "acme.example" }
}
