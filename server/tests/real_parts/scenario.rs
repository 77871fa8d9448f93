//! SIPp scenarios told as steps: what a carrier or an agent's phone does, message by message.

use std::fmt::Write;

/// One step of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The carrier invites, with an offer of PCMU and telephone events.
    Invite,
    /// The same with more header fields, each with its end.
    InviteWith(&'static str),
    /// The same with an offer of Opus before PCMU.
    InviteWithOpus,
    /// The same with an offer of that audio, and of no events.
    InviteOf(&'static str),
    /// Their offer in the dialog must come; we answer it with PCMU, and its ACK must come.
    TakeOffer,
    /// This answer must come next.
    Expect(u16),
    /// This answer may come before the next one.
    MayCome(u16),
    /// ACK to the 2xx.
    Ack,
    /// ACK to a refusal (same transaction).
    AckRefusal,
    /// Milliseconds pass.
    Pause(u32),
    /// The test says when to go on: `Sipp::hang_up`.
    Told,
    /// A key is pressed, told by INFO, and its 200.
    Press(char),
    /// An INFO of the carrier's, and its 200.
    Tell(Info),
    /// An INFO of the agent's phone, and its 200.
    AgentTell(Info),
    /// Our BYE, and its 200.
    Bye,
    /// Their BYE must come; we answer 200.
    ExpectBye,
    /// The agent's phone hangs up: its BYE, and the 200.
    AgentBye,
    /// The agent's phone is invited; the call starts here.
    ExpectInvite,
    /// Their CANCEL must come; we answer 200, and 487 to the INVITE.
    ExpectCancel,
    /// A provisional answer or a refusal to the INVITE.
    Answer(u16),
    /// 200 with an SDP answer of PCMU, and its ACK must come.
    Accept,
    /// The same with an answer of that audio, and of no events.
    AcceptOf(&'static str),
    /// SIPp's own words, for what no other step says.
    Raw(&'static str),
    /// The next message is lost on its way to us, this many times of a hundred.
    Lossy(u8),
}

/// What an INFO brings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    /// One more than that of its side's last request.
    pub(crate) cseq: u32,
    /// The type of what it brings.
    pub(crate) kind: &'static str,
    pub(crate) body: &'static str,
}

const OFFER: &str = "v=0
o=sipp 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
";

const FROM: &str =
    "From: <sip:+15559[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]";

/// A whole scenario file.
pub(crate) fn xml(name: &str, steps: &[Step]) -> String {
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"{name}\">\n");
    let mut lost = String::new();
    for step in steps {
        if let Step::Lossy(percent) = step {
            lost = format!(" lost=\"{percent}\"");
            continue;
        }
        text.push_str(&step_xml(*step, &std::mem::take(&mut lost)));
    }
    text.push_str("</scenario>\n");
    text
}

fn step_xml(step: Step, lost: &str) -> String {
    match step {
        Step::Invite => send(&invite(""), " retrans=\"500\"", lost),
        Step::InviteWith(fields) => send(&invite(fields), " retrans=\"500\"", lost),
        Step::InviteWithOpus => {
            let opus = ["RTP/AVP 96 0 101\na=rtpmap:96 opus/48000/2", "RTP/AVP 0 101"];
            let message = invite("").replace(opus[1], opus[0]);
            send(&message, " retrans=\"500\"", lost)
        }
        Step::InviteOf(audio) => {
            let message = invite("").replace(OFFER, &described(audio));
            send(&message, " retrans=\"500\"", lost)
        }
        Step::TakeOffer => {
            recv("request=\"INVITE\"", lost)
                + &send(&answer(200, "[last_To:]", Some(OFFER)), " retrans=\"500\"", "")
                + &recv("request=\"ACK\"", "")
        }
        Step::Expect(status) => recv(&format!("response=\"{status}\" rrs=\"true\""), lost),
        Step::MayCome(status) => recv(&format!("response=\"{status}\" optional=\"true\""), lost),
        Step::Ack => send(&in_dialog("ACK", 1, "[next_url]"), "", lost),
        Step::AckRefusal => send(&refusal_ack(), "", lost),
        Step::Pause(ms) => format!("<pause milliseconds=\"{ms}\"/>\n"),
        Step::Told => recv("request=\"INFO\"", ""),
        Step::Press(key) => ask(&press(key), lost),
        Step::Tell(info) => ask(&carriers_info(info), lost),
        Step::AgentTell(info) => ask(&agents_info(info), lost),
        Step::Bye => ask(&in_dialog("BYE", 9, "[next_url]"), lost),
        Step::ExpectBye => {
            recv("request=\"BYE\"", lost) + &send(&answer(200, "[last_To:]", None), "", "")
        }
        Step::AgentBye => ask(&agent_bye(), lost),
        // The INVITE's headers are kept for a later BYE of ours, and for the 487 after a CANCEL.
        Step::ExpectInvite => "<recv request=\"INVITE\" rrs=\"true\"><action>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"cseq\"/>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"via\"/>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"from\"/>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"to\"/>\
             </action></recv>\n<Reference variables=\"cseq,via,from,to\"/>\n"
            .to_owned(),
        Step::ExpectCancel => {
            recv("request=\"CANCEL\"", lost)
                + &send(&answer(200, TAGGED, None), "", "")
                + &send(&terminated(), " retrans=\"500\"", "")
                + &recv("request=\"ACK\"", "")
        }
        Step::Answer(status) if status < 200 => send(&answer(status, TAGGED, None), "", lost),
        Step::Answer(status) => {
            send(&answer(status, TAGGED, None), " retrans=\"500\"", lost)
                + &recv("request=\"ACK\"", "")
        }
        Step::Accept => {
            send(&answer(200, TAGGED, Some(OFFER)), " retrans=\"500\"", lost)
                + &recv("request=\"ACK\"", "")
        }
        Step::AcceptOf(audio) => {
            send(&answer(200, TAGGED, Some(&described(audio))), " retrans=\"500\"", lost)
                + &recv("request=\"ACK\"", "")
        }
        Step::Raw(text) => text.to_owned(),
        Step::Lossy(_) => String::new(),
    }
}

fn send(message: &str, attributes: &str, lost: &str) -> String {
    let mut text = String::new();
    let _ = write!(text, "<send{attributes}{lost}><![CDATA[\n\n{message}\n]]></send>\n");
    text
}

/// A request, and its 200.
fn ask(message: &str, lost: &str) -> String {
    send(message, " retrans=\"500\"", lost) + &recv("response=\"200\"", "")
}

fn recv(what: &str, lost: &str) -> String {
    format!("<recv {what}{lost}></recv>\n")
}

fn invite(fields: &str) -> String {
    format!(
        "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{FROM}
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:carrier@[local_ip]:[local_port]>
Max-Forwards: 70
{fields}Content-Type: application/sdp
Content-Length: [len]

{OFFER}"
    )
}

fn in_dialog(method: &str, cseq: u32, target: &str) -> String {
    format!(
        "{method} {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{FROM}
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: {cseq} {method}
Max-Forwards: 70
[routes]
Content-Length: 0

"
    )
}

fn press(key: char) -> String {
    let kind = "Content-Type: application/dtmf-relay\nContent-Length: [len]\n";
    let message = in_dialog("INFO", 2, "[next_url]");
    message.replace("Content-Length: 0\n", kind) + &format!("Signal={key}\nDuration=160\n")
}

fn refusal_ack() -> String {
    format!(
        "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-1]
{FROM}
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

"
    )
}

/// The To of an answer that makes or refuses the dialog.
const TAGGED: &str = "[last_To:];tag=[pid]a[call_number]";

fn answer(status: u16, to: &str, body: Option<&str>) -> String {
    let body = body.unwrap_or("");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "SIP/2.0 {status} Answer
[last_Via:]
[last_From:]
{to}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:agent@[local_ip]:[local_port]>
{kind}Content-Length: [len]

{body}"
    )
}

/// A description of that audio: an `m=` line and what follows.
fn described(audio: &str) -> String {
    let head = OFFER.split_once("m=").map_or("", |(head, _)| head);
    format!("{head}{audio}")
}

fn carriers_info(Info { cseq, kind, body }: Info) -> String {
    let head = format!("Content-Type: {kind}\nContent-Length: [len]\n");
    in_dialog("INFO", cseq, "[next_url]").replace("Content-Length: 0\n", &head) + body
}

fn agents_info(Info { cseq, kind, body }: Info) -> String {
    format!(
        "INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From:[$to];tag=[pid]a[call_number]
To:[$from]
[last_Call-ID:]
CSeq: {cseq} INFO
Max-Forwards: 70
Content-Type: {kind}
Content-Length: [len]

{body}"
    )
}

fn agent_bye() -> String {
    "BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From:[$to];tag=[pid]a[call_number]
To:[$from]
[last_Call-ID:]
CSeq: 1 BYE
Max-Forwards: 70
Content-Length: 0

"
    .to_owned()
}

fn terminated() -> String {
    "SIP/2.0 487 Request Terminated
Via:[$via]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
CSeq:[$cseq]
Content-Length: 0

"
    .to_owned()
}
