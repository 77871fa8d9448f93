//! Signatures of caller numbers on the wire (RFC 8224, RFC 8588): a carrier's INVITEs, signed with
//! OpenSSL, whose certificates lie on an HTTPS server; and our own, verified with OpenSSL.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificates::{Authority, Files};
use crate::name_server::{NameServer, Record};
use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, CARRIER_B, LIMIT, carrier};
use crate::provisioning::{acme, demo, trunk};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Setup, Strowger, repository};
use crate::ua::{Ua, field, fields};

/// The number of SIPp's first call.
const CALLER: &str = "155591";
const CALLED: &str = "15550100";
const HOST: &str = "certs.example";
const PASSED: &str = "TN-Validation-Passed";
const FAILED: &str = "TN-Validation-Failed";

fn fixture(name: &str) -> PathBuf {
    repository().join("fixtures/stir").join(name)
}

/// What `openssl` says, given that input.
fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl: run scripts/install test");
    child.stdin.take().expect("its input").write_all(input).expect("to tell it");
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {errors}");
    output.stdout
}

/// Base64 for URLs, without padding (RFC 7515 §2).
fn encoded(bytes: &[u8]) -> String {
    let text = String::from_utf8(openssl(&["base64", "-A"], bytes)).expect("text");
    text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn decoded(text: &str) -> Vec<u8> {
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    let text = text.replace('-', "+").replace('_', "/") + &padding;
    openssl(&["base64", "-d", "-A"], text.as_bytes())
}

/// An ECDSA signature as two numbers of 32 bytes, from what OpenSSL writes: a SEQUENCE of two
/// INTEGERs.
fn raw(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut raw = Vec::new();
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        raw.extend(std::iter::repeat_n(0, 32 - digits.len()));
        raw.extend_from_slice(digits);
        rest = after;
    }
    raw
}

/// The other way round.
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |digits: &[u8]| {
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        let sign: &[u8] =
            if digits.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
        let length = (sign.len() + digits.len()) as u8;
        [&[2, length], sign, digits].concat()
    };
    let numbers = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [&[0x30, numbers.len() as u8][..], &numbers].concat()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the time").as_secs()
}

/// A carrier's Identity, signed with a key so many seconds ago.
fn identity(key: &Path, url: &str, ago: u64) -> String {
    let header = json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url});
    let claims = json!({
        "attest": "B", "dest": {"tn": [CALLED]}, "iat": now() - ago, "orig": {"tn": CALLER},
        "origid": "123e4567-e89b-12d3-a456-426655440000",
    });
    let parts = [header, claims].map(|part| encoded(part.to_string().as_bytes()));
    let signed = parts.join(".");
    let key = key.to_str().expect("a path");
    let signature = openssl(&["dgst", "-sha256", "-sign", key], signed.as_bytes());
    format!("{signed}.{};info=<{url}>;alg=ES256;ppt=shaken", encoded(&raw(&signature)))
}

/// An HTTPS server with the certificates of `fixtures/stir`, on port 8443 of an address.
fn serve(at: IpAddr, own: &Files) {
    let chain = CertificateDer::from_pem_file(&own.chain).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("a certificate with its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind((at, 8443)).expect("a port of an address of its own");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            let (mut asked, mut buffer) = (String::new(), [0; 4096]);
            while let Ok(length) = stream.read(&mut buffer)
                && length > 0
            {
                asked.push_str(&String::from_utf8_lossy(&buffer[..length]));
                if asked.contains("\r\n\r\n") {
                    break;
                }
            }
            let name = asked.split(['/', ' ']).nth(2).unwrap_or_default();
            let answer = match fs::read(fixture(name)) {
                Ok(body) => [
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
                    &body,
                ]
                .concat(),
                Err(_) => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
}

struct Stage {
    server: Strowger,
    _names: NameServer,
    // Goes after the server, which writes into it to its last.
    folder: Folder,
}

/// carrier-a's signatures are verified, carrier-b's demanded.
fn stage() -> Stage {
    stage_of("stir", |folder| {
        let changes = [
            ("id = \"carrier-a\"", "id = \"carrier-a\"\nstir = { verify = true }"),
            ("id = \"carrier-b\"", "id = \"carrier-b\"\nstir = { require = true }"),
        ];
        demo(folder, "", &changes)
    })
}

/// A server that knows whose signatures to believe, and where their certificates are.
fn stage_of(name: &str, provisioning: impl Fn(&Path) -> PathBuf) -> Stage {
    let folder = Folder::new(name);
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &[HOST]);
    // An address that no other test and no other run of these tests has.
    static NEXT: AtomicU8 = AtomicU8::new(73);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [.., high, low] = std::process::id().to_be_bytes();
    let at = IpAddr::V4(Ipv4Addr::new(127, number, high, low));
    serve(at, &own);
    let names = NameServer::start(vec![
        (HOST, Record::Address(at)),
        ("nobody.example", Record::Address(IpAddr::V4(Ipv4Addr::new(127, 72, high, low)))),
    ]);
    let path = provisioning(folder.path());
    let config = format!(
        "[dns]\nservers = [\"{}\"]\n[tls]\nserver_ca = \"{}\"\n\
         [stir]\nroots = \"{}\"\nprivate_networks = true\n",
        names.at,
        authority.file.display(),
        fixture("root.pem").display()
    );
    let setup = Setup { config, provisioning: Some(path), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    Stage { folder, server, _names: names }
}

/// A text that lives as long as the tests: scenarios hold such.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// One call of carrier-a's with that Identity; what its tenant hears of it.
fn told(stage: &Stage, calls: &mut usize, identity: Option<String>) -> Value {
    let line = identity.map_or(String::new(), |value| format!("Identity: {value}\n"));
    let steps =
        [Step::InviteWith(kept(line)), Step::MayCome(100), Step::Expect(200), Step::Ack, Step::Bye];
    let folder = stage.folder.path();
    carrier(folder, &stage.server, CARRIER_A, ACME_SALES, 1, &steps).succeed(LIMIT);
    *calls += 1;
    let all = stage.server.ended_calls(ACME, *calls, LIMIT);
    let newest = all.iter().max_by_key(|call| call["started_at"].to_string()).expect("a call");
    let id = newest["id"].as_str().expect("its id");
    let path = format!("/api/v1/calls/{id}/events?per_page=200");
    let events = stage.server.data(&path, ACME);
    let mut events = events.as_array().expect("events").iter();
    let told = events.find(|event| event["type"] == "call.caller_verified");
    let told = told.map_or(Value::Null, |event| event["data"].clone());
    assert_eq!(newest["verstat"], told["verdict"], "the record says the same: {newest}");
    assert_eq!(newest["attestation"], told["attestation"], "{newest}");
    told
}

#[test]
fn a_carriers_signatures_are_verified_with_certificates_fetched_over_https() {
    let stage = stage();
    let (key, url) = (fixture("key.pem"), |name: &str| format!("https://{HOST}:8443/{name}"));
    let other = stage.folder.path().join("other.key");
    let made =
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"");
    fs::write(&other, made).expect("a key");
    let good = url("provider.pem");
    let elsewhere = "https://nobody.example:8443/provider.pem";
    let mut calls = 0;
    let cases = [
        ("good", &key, good.clone(), 0, PASSED, ""),
        ("signed by another", &other, good.clone(), 0, FAILED, "signature"),
        ("old", &key, good.clone(), 600, FAILED, "another time"),
        ("expired certificate", &key, url("expired.pem"), 0, FAILED, "not valid now"),
        ("no such file", &key, url("no-such-file.pem"), 0, FAILED, "could not be fetched"),
        ("nobody there", &key, elsewhere.to_owned(), 0, FAILED, "could not be fetched"),
    ];
    for (case, key, url, ago, verdict, why) in cases {
        // A machine that is too slow for the two seconds fetches it for the next call.
        let mut heard = told(&stage, &mut calls, Some(identity(key, &url, ago)));
        for _ in 0..10 {
            if heard["why"].as_str().unwrap_or_default().contains(why) {
                break;
            }
            heard = told(&stage, &mut calls, Some(identity(key, &url, ago)));
        }
        assert_eq!(heard["verdict"], verdict, "{case}: {heard}");
        assert!(heard["why"].as_str().unwrap_or_default().contains(why), "{case}: {heard}");
        if verdict == PASSED {
            assert_eq!((&heard["attestation"], &heard["provider"]), (&json!("B"), &json!("709J")));
        }
    }
    let unsigned = told(&stage, &mut calls, None);
    assert_eq!(unsigned["verdict"], "No-TN-Validation", "{unsigned}");

    // Where a signature is demanded, a call without a valid one is refused (RFC 8224 §6.2.2).
    for (identity, status) in [(None, 428), (Some(identity(&other, &good, 0)), 438)] {
        let line = identity.map_or(String::new(), |value| format!("Identity: {value}\n"));
        let invite = Step::InviteWith(kept(line));
        let steps = [invite, Step::MayCome(100), Step::Expect(status), Step::AckRefusal];
        let folder = stage.folder.path();
        carrier(folder, &stage.server, CARRIER_B, ACME_SALES, 1, &steps).succeed(LIMIT);
    }
}

#[test]
fn our_own_signature_convinces_another_implementation() {
    let folder = Folder::new("stir-own");
    let mut outside = Ua::new(CARRIER_A, SocketAddr::new(CARRIER_A, 9), 440.0);
    let url = "https://certs.example/acme.pem";
    let pem = fs::read_to_string(fixture("key.pem")).expect("a key");
    let sign = format!("{{ certificate_url = \"{url}\", private_key = '''\n{pem}''' }}");
    let signs = format!("id = \"carrier-a\"\nstir = {{ verify = false, sign = {sign} }}");
    let there = format!("sip:{}", outside.at);
    let changes = [("sip:127.0.0.2:5070", &*there), ("id = \"carrier-a\"", &signs)];
    let server = Strowger::provisioned(folder.path(), demo(folder.path(), "", &changes));
    outside.server = server.sip;
    let mut alice = Ua::new(AGENTS, server.sip, 1000.0);
    alice.registers("alice");
    let call = alice.dials("alice", "+12125550123");
    let invite = outside.expect("INVITE ");
    outside.respond(&invite, "486 Busy Here", "", "");
    let refused = alice.expect("SIP/2.0 486");
    alice.ack_refusal(&call, &refused);

    let (header, said) = believed(folder.path(), &field(&invite, "Identity"), url);
    let header_read = json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url});
    assert_eq!(header, header_read);
    // The number is the tenant's own (RFC 8588 §4: full attestation).
    assert_eq!((&said["attest"], &said["orig"]["tn"]), (&json!("A"), &json!("15550100")));
    assert_eq!(said["dest"]["tn"], json!(["12125550123"]));
    assert!(now().abs_diff(said["iat"].as_u64().expect("a time")) < 300, "{said}");
    assert!(field(&invite, "From").contains("+15550100"), "{invite}");
}

/// The header and the claims of an Identity whose signature OpenSSL believes to be of
/// `provider.pem`'s key.
fn believed(folder: &Path, identity: &str, url: &str) -> (Value, Value) {
    let (token, parameters) = identity.split_once(';').expect("parameters");
    assert!(parameters.contains(&format!("info=<{url}>")), "{identity}");
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("no PASSporT: {token}");
    };
    let certificate = fixture("provider.pem");
    let certificate = certificate.to_str().expect("a path");
    let public = folder.join("public.pem");
    let keys = openssl(&["x509", "-in", certificate, "-noout", "-pubkey"], b"");
    fs::write(&public, keys).expect("the public key");
    let file = folder.join("signature.der");
    fs::write(&file, der(&decoded(signature))).expect("the signature");
    let (public, file) = (public.to_str().expect("a path"), file.to_str().expect("a path"));
    let check = ["dgst", "-sha256", "-verify", public, "-signature", file];
    let verdict = openssl(&check, format!("{header}.{claims}").as_bytes());
    assert_eq!(String::from_utf8_lossy(&verdict).trim(), "Verified OK");
    let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).expect("JSON");
    (read(header), read(claims))
}

/// Acme sends its calls on to a number outside, over the trunk they came by, which signs.
fn sent_on(folder: &Path, outside: SocketAddr, url: &str) -> PathBuf {
    let pem = fs::read_to_string(fixture("key.pem")).expect("a key");
    let keys = format!(
        r#"
targets = [{{ uri = "sip:{outside}" }}]
probe_s = 0
country = "US"
shows_caller = true
[trunks.stir]
verify = true
[trunks.stir.sign]
certificate_url = "{url}"
private_key = """
{pem}"""
"#
    );
    let lines = format!(
        r#"
country = "US"
caller_id = "+{CALLED}"
routes = [{{ trunk = "outside" }}]
flows = [{{ id = "main", steps = [{{ do = "dial", to = "+12125550123" }}] }}]
numbers = [{{ number = "+{CALLED}", flow = "main" }}]
"#
    );
    acme(folder, &trunk("outside", CARRIER_A, &keys), &lines)
}

#[test]
fn a_signed_call_that_is_sent_on_has_its_callers_signature_and_ours_that_we_sent_it_on() {
    let mut outside = Ua::new(CARRIER_A, SocketAddr::new(CARRIER_A, 9), 440.0);
    let url = format!("https://{HOST}:8443/provider.pem");
    let at = outside.at;
    let stage = stage_of("stir-sent-on", |folder| sent_on(folder, at, &url));
    outside.server = stage.server.sip;
    let to = format!("sip:+{CALLED}@{}", stage.server.sip);
    // A machine that is too slow for the two seconds fetches the certificate for the next call.
    let told = (0..10).find_map(|_| {
        let theirs = identity(&fixture("key.pem"), &url, 0);
        let mut call = outside.calls(&format!("sip:+{CALLER}@{at}"), &to);
        let offer = outside.sdp();
        outside.ask(&mut call, "INVITE", &format!("Identity: {theirs}\r\n"), &offer);
        outside.is_answered(&mut call);
        let invite = outside.expect("INVITE sip:+12125550123@");
        outside.respond(&invite, "486 Busy Here", "", "");
        outside.hears_bye();
        let all = fields(&invite, "Identity");
        (all.len() == 2).then_some((theirs, all, invite))
    });
    let (theirs, all, invite) = told.expect("an INVITE with two signatures");
    let diverted = all.iter().find(|one| **one != theirs).expect("one of ours");
    assert!(all.contains(&theirs), "as it came: {all:?}");
    let (header, claims) = believed(stage.folder.path(), diverted, &url);
    // RFC 8946 §3: who called stays who called, and it is told for whom the call was.
    assert_eq!((&header["ppt"], &header["x5u"]), (&json!("div"), &json!(url)));
    assert_eq!(claims["orig"]["tn"], CALLER);
    assert_eq!(claims["div"]["tn"], CALLED);
    assert_eq!(claims["dest"]["tn"], json!(["12125550123"]));
    assert!(field(&invite, "From").contains(CALLER), "{invite}");
}
