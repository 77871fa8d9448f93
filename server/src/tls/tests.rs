//! Certificates made on the spot, and handshakes in memory: who is shown what, who is let in.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::config::Certificate;

/// A folder for the files of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strowger-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Files of a certificate for these names; a name with a colon is a URI.
    fn certify(&self, folder: &Folder, file: &str, names: &[&str]) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.contains(':') {
                true => SanType::URI((*name).try_into().unwrap()),
                false => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certificate {
            chain: folder.write(&format!("{file}.pem"), &pem),
            key: folder.write(&format!("{file}.key"), &key.serialize_pem()),
            trunks: Vec::new(),
        }
    }
}

/// The names in the certificates that the two ends of a handshake saw: the server's, the client's.
type Seen = (Vec<String>, Vec<String>);

fn shake(server: &Tls, client: &Tls, name: &str, trunk: Option<&str>) -> Result<Seen, String> {
    let text = |error: rustls::Error| error.to_string();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let config = Arc::new(client.client(trunk).map_err(|fault| fault.to_string())?);
    let mut client = ClientConnection::new(config, name).map_err(text)?;
    let mut server = ServerConnection::new(server.sip()).map_err(text)?;
    for _ in 0..8 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| format!("server: {error}"))?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| format!("client: {error}"))?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    let names = |chain: Option<&[rustls::pki_types::CertificateDer<'_>]>| {
        chain.and_then(<[_]>::first).map(names_of).unwrap_or_default()
    };
    Ok((names(client.peer_certificates()), names(server.peer_certificates())))
}

fn config(certificates: Vec<Certificate>, authority: Option<PathBuf>) -> config::Tls {
    let (client_ca, server_ca) = (authority.clone(), authority);
    config::Tls { certificates, client_ca, server_ca, minimum: TlsVersion::V1_2 }
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let folder = Folder::new("sni");
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let first = authority.certify(&folder, "first", &["pbx.example", "other.example"]);
    let wild = authority.certify(&folder, "wild", &["*.tenants.example"]);
    let exact = authority.certify(&folder, "exact", &["acme.tenants.example"]);
    let tls = Tls::load(&config(vec![first, wild, exact], Some(ca))).unwrap();
    let shown = |name: &str| shake(&tls, &tls, name, None).map(|(server, _)| server);
    assert_eq!(shown("pbx.example").unwrap(), ["pbx.example", "other.example"]);
    assert_eq!(shown("acme.tenants.example").unwrap(), ["acme.tenants.example"]);
    assert_eq!(shown("globex.tenants.example").unwrap(), ["*.tenants.example"]);
    let stranger = shown("a.b.tenants.example").unwrap_err();
    assert!(stranger.starts_with("client: "), "shown the first one, which it is not: {stranger}");
}

#[test]
fn a_client_is_known_by_its_certificate_and_let_in_without_one_and_not_with_a_strangers() {
    let folder = Folder::new("mutual");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = folder.write("ca.pem", &ours.pem);
    let server = ours.certify(&folder, "server", &["pbx.example"]);
    let mut carrier =
        ours.certify(&folder, "carrier", &["sip:Carrier.example", "sip:joe@x", "sbc.example"]);
    carrier.trunks = vec!["carrier".into()];
    let mut stranger = theirs.certify(&folder, "stranger", &["sip:carrier.example"]);
    stranger.trunks = vec!["carrier".into()];
    let of_server = Tls::load(&config(vec![server], Some(ca.clone()))).unwrap();
    let client = |certificate| Tls::load(&config(vec![certificate], Some(ca.clone()))).unwrap();

    let carrier = client(carrier);
    let (_, names) = shake(&of_server, &carrier, "pbx.example", Some("carrier")).unwrap();
    assert_eq!(names, ["carrier.example", "sbc.example"]);
    let (_, names) = shake(&of_server, &carrier, "pbx.example", None).unwrap();
    assert!(names.is_empty(), "nobody in particular shows nothing");
    let (_, names) = shake(&of_server, &carrier, "pbx.example", Some("other")).unwrap();
    assert!(names.is_empty(), "that certificate is for one trunk");
    let refused = shake(&of_server, &client(stranger), "pbx.example", Some("carrier"));
    assert!(refused.unwrap_err().starts_with("server: "), "nobody we know has signed it");
}

#[test]
fn a_server_that_is_another_than_its_certificate_says_is_not_talked_to() {
    let folder = Folder::new("other-server");
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let server = authority.certify(&folder, "server", &["pbx.example"]);
    let tls = Tls::load(&config(vec![server], Some(ca))).unwrap();
    let refused = shake(&tls, &tls, "carrier.example", None).unwrap_err();
    assert!(refused.starts_with("client: "), "{refused}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    let folder = Folder::new("faults");
    let authority = Authority::new();
    let good = authority.certify(&folder, "good", &["pbx.example"]);
    let other = authority.certify(&folder, "other", &["pbx.example"]);
    let fault = |certificate: Certificate, ca: Option<PathBuf>| {
        Tls::load(&config(vec![certificate], ca)).unwrap_err().to_string()
    };
    let swapped = Certificate { key: other.key, ..good.clone() };
    let told = fault(swapped, None);
    assert!(told.contains("other.key") && told.contains("good.pem"), "{told}");
    let missing = Certificate { chain: folder.0.join("nowhere.pem"), ..good.clone() };
    assert!(fault(missing, None).contains("nowhere.pem"));
    let empty = folder.write("empty.pem", "");
    assert!(fault(good, Some(empty)).contains("empty.pem"));
}

#[test]
fn what_speaks_no_version_of_ours_is_refused() {
    let folder = Folder::new("versions");
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let server = authority.certify(&folder, "server", &["pbx.example"]);
    let mut strict = config(vec![server.clone()], Some(ca.clone()));
    strict.minimum = TlsVersion::V1_3;
    let strict = Tls::load(&strict).unwrap();
    let lenient = Tls::load(&config(vec![server], Some(ca))).unwrap();
    assert!(shake(&strict, &lenient, "pbx.example", None).is_ok(), "both speak 1.3");
    let roots = lenient.trust.roots().unwrap();
    let old = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("pbx.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(old), name).unwrap();
    let mut server = ServerConnection::new(strict.sip()).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    server.read_tls(&mut wire.as_slice()).unwrap();
    assert!(server.process_new_packets().is_err());
}
