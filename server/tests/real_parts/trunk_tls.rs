//! Trunks over TLS: found by DNS and shown our certificate, or known by theirs.

use std::net::{IpAddr, TcpListener};
use std::sync::mpsc;

use crate::certificates::{Authority, Files};
use crate::name_server::{NameServer, Record};
use crate::parts::{ACME_SALES, LIMIT};
use crate::provisioning::demo;
use crate::sip_client::{Framed, Wire, reply, tls, tls_server};
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::trunks::trunk_is;

#[test]
fn a_trunk_is_found_by_its_name_reached_over_tls_and_shown_our_certificate() {
    let folder = Folder::new("trunk-tls");
    let authority = Authority::new(folder.path(), "authority");
    let ours = authority.certify(folder.path(), "ours", &["pbx.example"]);
    let theirs = authority.certify(folder.path(), "theirs", &["carrier.example"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let names = NameServer::start(vec![
        ("_sips._tcp.carrier.example", Record::Srv(0, 0, port, "sbc.carrier.example")),
        ("sbc.carrier.example", Record::Address(IpAddr::from([127, 0, 0, 1]))),
    ]);
    let (probes, probed) = mpsc::channel();
    let file = authority.file.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(stream) = tls_server(stream, &authority, &theirs) else { continue };
            let mut wire = Framed::new(stream);
            while let Ok(request) = wire.receive() {
                let _ = wire.send(&reply(&request, "200 OK", "sip:carrier.example", ""));
                let _ = probes.send(request);
            }
        }
    });
    let trunk = "[[trunks]]\nid = \"outside\"\nname = \"Outside\"\nsources = [\"127.0.0.9\"]\n\
                 targets = [{ uri = \"sip:carrier.example;transport=tls\" }]\nprobe_s = 5\n";
    let config = format!(
        "[dns]\nservers = [\"{}\"]\n[tls]\nserver_ca = \"{}\"\n{}",
        names.at,
        file.display(),
        ours.table()
    );
    let provisioning = Some(demo(folder.path(), trunk, &[]));
    let setup = Setup { config, provisioning, tls: true, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    trunk_is(&server, "up");
    let probe = probed.recv_timeout(LIMIT).expect("a probe");
    let here = server.sip_tls.expect("a TLS listener");
    assert!(probe.starts_with("OPTIONS sip:carrier.example"), "{probe}");
    assert!(probe.contains(&format!("SIP/2.0/TLS {here};")), "where it can reach us: {probe}");
    assert!(names.asked() > 0);
}

/// An INVITE to acme's sales over TLS; gives the final status, and the dialog's end if it is 200.
fn invite(server: &Strowger, authority: &Authority, own: Option<&Files>, id: &str) -> u16 {
    let at = server.sip_tls.expect("a TLS listener");
    let stream = tls(at, "pbx.example", authority, own).expect("TLS");
    let mut wire = Framed::new(stream);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 39996 RTP/AVP 8\r\n";
    let request = |method: &str, to_tag: &str, cseq: u8, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:{ACME_SALES}@pbx.example SIP/2.0\r\n\
             Via: SIP/2.0/TLS carrier.example;branch=z9hG4bK-{id}-{cseq}-{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+15559000@carrier.example>;tag=caller\r\n\
             To: <sip:{ACME_SALES}@pbx.example>{to_tag}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:carrier.example;transport=tls>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut last = |message: String| -> (u16, String) {
        wire.send(&message).expect("to send");
        loop {
            let answer = wire.receive().expect("an answer");
            let status = answer.get(8..11).and_then(|status| status.parse().ok()).unwrap_or(0);
            if status >= 200 {
                return (status, answer);
            }
        }
    };
    let (status, answer) = last(request("INVITE", "", 1, sdp));
    let to = answer.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
    let tag = to.split(";tag=").nth(1).map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let ack = request("ACK", &tag, 1, "");
    if status == 200 {
        // The BYE follows the ACK on the same connection.
        let (status, _) = last(ack + &request("BYE", &tag, 2, ""));
        assert_eq!(status, 200, "the BYE");
    }
    status
}

#[test]
fn a_carrier_is_known_by_its_certificate_and_by_that_alone() {
    let folder = Folder::new("trunk-certificate");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let carrier = authority.certify(folder.path(), "carrier", &["carrier.example"]);
    let other = authority.certify(folder.path(), "other", &["other.example"]);
    let trunk = "[[trunks]]\nid = \"outside\"\nname = \"Outside\"\n\
                 certificates = [\"carrier.example\"]\n";
    let bundle = format!("[tls]\nclient_ca = \"{}\"\n", authority.file.display());
    let setup = Setup {
        config: bundle + &own.table(),
        provisioning: Some(demo(folder.path(), trunk, &[])),
        tls: true,
        ..Setup::default()
    };
    let server = Strowger::start_with(folder.path(), &setup);
    assert_eq!(invite(&server, &authority, Some(&carrier), "known"), 200);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["trunk"], "outside", "{call}");
    // Whoever is nobody's trunk may still be somebody with a password.
    for (own, id) in [(Some(&other), "other"), (None, "nobody")] {
        let status = invite(&server, &authority, own, id);
        assert!([403, 407].contains(&status), "{id}: {status}");
    }
}
