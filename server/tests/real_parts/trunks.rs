//! Trunks that we register with and probe: SIPp as a registrar that checks our digest, and as a
//! carrier that answers OPTIONS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::net::free_port;
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, carrier};
use crate::provisioning::{demo, outside, sends_on};
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{ACME, Folder, PLATFORM, Strowger};

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));

/// A registrar that challenges, checks the answer, and is told at the end that we are gone.
const REGISTRAR: [Step; 1] = [Step::Raw(
    r#"
<recv request="REGISTER"></recv>
<send><![CDATA[

SIP/2.0 401 Unauthorized
[last_Via:]
[last_From:]
[last_To:];tag=registrar
[last_Call-ID:]
[last_CSeq:]
WWW-Authenticate: Digest realm="carrier.example", nonce="8f3a1c", algorithm=MD5, qop="auth"
Content-Length: 0

]]></send>
<recv request="REGISTER"><action>
  <verifyauth assign_to="proven" username="4930123" password="trunk-secret"/>
  <ereg regexp="strowger-1@.*expires=600" search_in="hdr" header="Contact:" check_it="true"
    assign_to="contact"/>
</action></recv>
<Reference variables="contact"/>
<nop condexec="proven" condexec_inverse="true"><action>
  <error message="the digest is wrong"/>
</action></nop>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=registrar
[last_Call-ID:]
[last_CSeq:]
[last_Contact:]
Content-Length: 0

]]></send>
<recv request="REGISTER"><action>
  <verifyauth assign_to="still" username="4930123" password="trunk-secret"/>
  <ereg regexp="strowger-1@.*expires=0" search_in="hdr" header="Contact:" check_it="true"
    assign_to="gone"/>
</action></recv>
<Reference variables="gone,still"/>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=registrar
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#,
)];

const ALIVE: [Step; 1] = [Step::Raw(
    r#"
<recv request="OPTIONS"></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=carrier
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#,
)];

fn sipp(folder: &Folder, name: &str, local: SocketAddr, steps: &[Step]) -> Sipp {
    let part =
        Part { name, steps, local, server: None, number: "1", calls: 1, rate: 10, more: &[] };
    Sipp::start(folder.path(), &part)
}

/// Waits until the trunk `outside` is up, or down; as it is then.
pub(crate) fn trunk_is(server: &Strowger, state: &str) -> serde_json::Value {
    let what = format!("the trunk {state}");
    server.eventually(&what, "/api/v1/trunks", PLATFORM, LIMIT, |trunks| {
        let outside = trunks.as_array()?.iter().find(|row| row["id"] == "outside")?;
        (outside["state"] == state).then(|| outside.clone())
    })
}

#[test]
fn we_register_with_a_carrier_by_digest_and_leave_when_we_stop() {
    let folder = Folder::new("trunk-register");
    let registrar = SocketAddr::new(CARRIER, free_port(CARRIER));
    let sipp = sipp(&folder, "registrar", registrar, &REGISTRAR);
    let keys = format!(
        "authenticate = {{ user = \"4930123\", password = \"trunk-secret\" }}\n\
         register = {{ registrar = \"sip:{registrar}\", aor = \"sip:4930123@carrier.example\", \
         contact_user = \"strowger-1\", expires_s = 600 }}\n"
    );
    let provisioning = demo(folder.path(), &outside(&keys), &[]);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let up = trunk_is(&server, "up");
    assert_eq!(up["registration"]["state"], "registered");
    assert_eq!(up["registration"]["hop"], format!("UDP {registrar}"));
    let metrics = server.get("/metrics", "").body;
    assert!(String::from_utf8_lossy(&metrics).contains("strowger_trunk_up{trunk=\"outside\"} 1"));
    assert_eq!(server.stop(), 0);
    sipp.succeed(LIMIT);
}

#[test]
fn a_carriers_silent_first_server_leaves_it_up_by_its_second() {
    let folder = Folder::new("trunk-probe");
    let dead = SocketAddr::new(CARRIER, free_port(CARRIER));
    let alive = SocketAddr::new(CARRIER, free_port(CARRIER));
    let sipp = sipp(&folder, "carrier", alive, &ALIVE);
    let keys = format!(
        "probe_s = 10\ntargets = [{{ uri = \"sip:{dead}\" }}, \
         {{ uri = \"sip:{alive}\", priority = 1 }}]"
    );
    let provisioning = demo(folder.path(), &outside(&keys), &[]);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let up = trunk_is(&server, "up");
    sipp.succeed(LIMIT);
    assert_eq!(up["targets"][1]["state"], "up");
    server.eventually("the first target down", "/api/v1/trunks", PLATFORM, LIMIT, |trunks| {
        let outside = trunks.as_array()?.iter().find(|row| row["id"] == "outside")?;
        (outside["targets"][0]["state"] == "down").then_some(())
    });
}

/// A server of the carrier that is overloaded.
const OVERLOADED: [Step; 2] = [Step::ExpectInvite, Step::Answer(503)];

/// A caller from `carrier-a` to acme's sales, whose flow calls a number outside; the trunk there has
/// two servers, and only the second takes the call.
fn lands_on_the_second(name: &str, first: Option<&[Step]>) {
    let folder = Folder::new(name);
    let one = SocketAddr::new(CARRIER, free_port(CARRIER));
    let two = SocketAddr::new(CARRIER, free_port(CARRIER));
    let refuses = first.map(|steps| sipp(&folder, "first", one, steps));
    let takes = sipp(&folder, "second", two, &TALK);
    let keys = format!(
        "probe_s = 0\ntargets = [{{ uri = \"sip:{one}\" }}, \
         {{ uri = \"sip:{two}\", priority = 1 }}]"
    );
    let provisioning = sends_on(folder.path(), &keys, "+12125550123");
    let server = Strowger::provisioned(folder.path(), provisioning);
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.calls_are(ACME, 1, "connected");
    caller.hang_up();
    caller.succeed(LIMIT);
    takes.succeed(LIMIT);
    if let Some(refuses) = refuses {
        refuses.succeed(LIMIT);
    }
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let ladder = format!("/api/v1/calls/{}/ladder", call["id"].as_str().expect("its id"));
    let invited = |ladder: &serde_json::Value, at: SocketAddr| {
        let to = |row: &&serde_json::Value| {
            row.to_string().contains(&at.to_string())
                && row.to_string().contains("INVITE sip:+1212")
        };
        let rows = ladder.as_array().expect("messages");
        let row = rows.iter().find(to).unwrap_or_else(|| panic!("no INVITE to {at}: {ladder:#}"));
        base::UnixTime::parse_rfc3339(row["at"].as_str().expect("a time")).expect("a time")
    };
    let ladder = server.data(&ladder, ACME);
    let (first, second) = (invited(&ladder, one), invited(&ladder, two));
    // How soon is shown on a virtual clock (`switch/tests/trunks.rs`): this machine may be busy.
    assert!(second > first, "the second server is asked after the first");
}

#[test]
fn a_call_out_is_on_the_second_server_when_the_first_is_dead() {
    lands_on_the_second("trunk-dead", None);
}

#[test]
fn a_call_out_is_on_the_second_server_when_the_first_refuses_with_503() {
    lands_on_the_second("trunk-503", Some(&OVERLOADED));
}
