//! Trunks that we register with and probe: SIPp as a registrar that checks our digest, and as a
//! carrier that answers OPTIONS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::net::free_port;
use crate::parts::{LIMIT, many_agents};
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{Folder, PLATFORM, Setup, Strowger};

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

/// The demo, with one more trunk.
fn provisioned(folder: &Folder, trunk: &str) -> PathBuf {
    let path = many_agents(folder.path(), 0);
    let demo = std::fs::read_to_string(&path).expect("the demo");
    std::fs::write(&path, format!("{trunk}\n{demo}")).expect("the provisioning");
    path
}

fn sipp(folder: &Folder, name: &str, local: SocketAddr, steps: &[Step]) -> Sipp {
    let part =
        Part { name, steps, local, server: None, number: "1", calls: 1, rate: 10, more: &[] };
    Sipp::start(folder.path(), &part)
}

fn trunk_is(server: &Strowger, state: &str) -> serde_json::Value {
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
    let trunk = format!(
        "[[trunks]]\nid = \"outside\"\nsources = [\"127.0.0.62\"]\n\
         authenticate = {{ user = \"4930123\", password = \"trunk-secret\" }}\n\
         register = {{ registrar = \"sip:{registrar}\", aor = \"sip:4930123@carrier.example\", \
         contact_user = \"strowger-1\", expires_s = 600 }}\n"
    );
    let provisioning = Some(provisioned(&folder, &trunk));
    let server = Strowger::start_with(folder.path(), &Setup { provisioning, ..Setup::default() });
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
    let trunk = format!(
        "[[trunks]]\nid = \"outside\"\nsources = [\"127.0.0.62\"]\nprobe_s = 10\n\
         targets = [{{ uri = \"sip:{dead}\" }}, {{ uri = \"sip:{alive}\", priority = 1 }}]\n"
    );
    let provisioning = Some(provisioned(&folder, &trunk));
    let server = Strowger::start_with(folder.path(), &Setup { provisioning, ..Setup::default() });
    let up = trunk_is(&server, "up");
    sipp.succeed(LIMIT);
    assert_eq!(up["targets"][1]["state"], "up");
    server.eventually("the first target down", "/api/v1/trunks", PLATFORM, LIMIT, |trunks| {
        let outside = trunks.as_array()?.iter().find(|row| row["id"] == "outside")?;
        (outside["targets"][0]["state"] == "down").then_some(())
    });
}
