//! DTLS-SRTP with OpenSSL, which is in most gateways, over a real socket: whoever begins, with
//! certificates of ECDSA and RSA. Both ends end up with the same keys, or our end says why not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a real socket has a clock"
)]

use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time;

use base::{Instant, UnixTime};
use media::dtls::{Association, DtlsRole, Fingerprint, Identity, Progress, ROOM};
use media::srtp::{Profile, SrtpKeys};

/// How OpenSSL names the ways to encrypt.
const AES_CM: &str = "SRTP_AES128_CM_SHA1_80";
const GCM_128: &str = "SRTP_AEAD_AES_128_GCM";
const GCM_256: &str = "SRTP_AEAD_AES_256_GCM";

/// No handshake takes as long, on any machine.
const LIMIT: time::Duration = time::Duration::from_secs(30);

/// A certificate, with its key beside it.
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
}

impl Shown {
    /// With a key of that kind, as `openssl req` wants to know it.
    fn new(name: &str, kind: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let at = |end: &str| folder.join(format!("dtls-{name}-{}.{end}", std::process::id()));
        let (certificate, key) = (at("crt"), at("key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=gateway", "-days", "2"])
            .args(kind)
            .args(["-outform", "DER", "-out"])
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .expect("openssl: run scripts/install test");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { certificate, key }
    }

    fn ecdsa(name: &str, curve: &str) -> Self {
        let curve = format!("ec_paramgen_curve:{curve}");
        Self::new(name, &["-newkey", "ec", "-pkeyopt", &curve])
    }

    fn rsa(name: &str, bits: usize) -> Self {
        Self::new(name, &["-newkey", &format!("rsa:{bits}")])
    }

    fn der(&self) -> Vec<u8> {
        std::fs::read(&self.certificate).unwrap()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.certificate);
        let _ = std::fs::remove_file(&self.key);
    }
}

/// `openssl s_client` or `openssl s_server`.
struct Openssl {
    child: Child,
    output: ChildStdout,
}

impl Openssl {
    fn start(arguments: &[&str], shown: Option<&Shown>, profiles: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(arguments).args(["-dtls1_2", "-mtu", "1400", "-use_srtp", profiles]);
        // As much as the longest of the profiles takes; of a shorter one it is the beginning.
        command.args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "88"]);
        if let Some(Shown { certificate, key }) = shown {
            command.args(["-certform", "DER", "-cert"]).arg(certificate).arg("-key").arg(key);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl: run scripts/install test");
        let output = child.stdout.take().unwrap();
        Self { child, output }
    }

    /// Stops it, after it has told the keys if there are any; what it printed.
    fn say(mut self, has_keys: bool) -> String {
        let mut said = String::new();
        if has_keys {
            said += &self.wait_for("Keying material: ");
            said += &self.wait_for("\n");
        }
        let _ = self.child.kill();
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        said + &String::from_utf8_lossy(&rest)
    }

    /// Reads until it has printed the words.
    fn wait_for(&mut self, words: &str) -> String {
        let (mut text, mut byte) = (String::new(), [0]);
        while !text.contains(words) {
            let read = self.output.read(&mut byte).unwrap();
            assert!(read > 0, "it never said {words:?}: {text}");
            text.push(char::from(byte[0]));
        }
        text
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our end, on a socket.
struct End {
    socket: UdpSocket,
    dtls: Association,
    began: time::Instant,
    certificate: Option<Vec<u8>>,
    keys: Option<SrtpKeys>,
    /// The alerts that it sent before anything was encrypted: their descriptions.
    alerts: Vec<u8>,
}

impl End {
    fn new(role: DtlsRole, socket: UdpSocket) -> Self {
        let began = time::Instant::now();
        let wall = UnixTime::from_micros(1_700_000_000_000_000);
        let identity = Identity::draw(wall, began).unwrap();
        let dtls = Association::new(&identity, role, Instant::ZERO);
        socket.set_read_timeout(Some(time::Duration::from_millis(10))).unwrap();
        Self { socket, dtls, began, certificate: None, keys: None, alerts: Vec::new() }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.began.elapsed().as_nanos()).unwrap())
    }

    /// Shakes hands until there are keys, or it is over.
    fn shake_hands(&mut self) -> Result<SrtpKeys, String> {
        let mut packet = [0; 2048];
        while self.began.elapsed() < LIMIT {
            let now = self.now();
            let taken = match self.socket.recv_from(&mut packet) {
                Ok((length, from)) => {
                    let _ = self.socket.connect(from);
                    self.dtls.handle_packet(now, &packet[..length])
                }
                Err(_) => self.dtls.handle_timeout(now),
            };
            self.drain();
            if let Err(why) = taken {
                return Err(why.to_string());
            }
            if let Some(keys) = self.keys.take() {
                return Ok(keys);
            }
        }
        Err("nothing came of it".to_owned())
    }

    fn drain(&mut self) {
        let Self { socket, certificate, keys, alerts, .. } = self;
        let mut room = vec![0; ROOM];
        self.dtls.drain(&mut room, |progress| match progress {
            Progress::Send(bytes) => {
                if bytes[0] == 21 && bytes[3..5] == [0, 0] {
                    alerts.push(bytes[14]);
                }
                let _ = socket.send(bytes);
            }
            Progress::Certificate(shown) => *certificate = Some(shown.to_vec()),
            Progress::Keys(agreed) => *keys = agreed,
            Progress::Closed => {}
        });
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Our end, what came of it, and what OpenSSL printed.
struct Outcome {
    end: End,
    keys: Result<SrtpKeys, String>,
    said: String,
}

/// OpenSSL begins.
fn begun_by_openssl(shown: Option<&Shown>, profiles: &str, more: &[&str]) -> Outcome {
    let socket = socket();
    let at = socket.local_addr().unwrap().to_string();
    let arguments = [&["s_client", "-connect", &at], more].concat();
    let openssl = Openssl::start(&arguments, shown, profiles);
    let mut end = End::new(DtlsRole::Passive, socket);
    let keys = end.shake_hands();
    let said = openssl.say(keys.is_ok());
    Outcome { end, keys, said }
}

/// We begin.
fn begun_by_us(shown: &Shown, profiles: &str, more: &[&str]) -> Outcome {
    // A port that is free, for a moment more at least.
    let at = socket().local_addr().unwrap().to_string();
    let arguments = [&["s_server", "-accept", &at, "-verify", "1"], more].concat();
    let mut openssl = Openssl::start(&arguments, Some(shown), profiles);
    openssl.wait_for("ACCEPT");
    let socket = socket();
    socket.connect(&at).unwrap();
    let mut end = End::new(DtlsRole::Active, socket);
    let keys = end.shake_hands();
    let said = openssl.say(keys.is_ok());
    Outcome { end, keys, said }
}

/// Both ends have the same keys, and ours knows whose certificate it was shown.
fn assert_agreed(outcome: Outcome, role: DtlsRole, shown: &Shown, profile: Profile) {
    let Outcome { end, keys, said } = outcome;
    let keys = keys.unwrap_or_else(|why| panic!("{why}; OpenSSL said:\n{said}"));
    assert_eq!(keys.ours.profile(), profile, "{said}");
    let (client, server) = match role {
        DtlsRole::Active => (keys.ours, *keys.theirs.first()),
        DtlsRole::Passive => (*keys.theirs.first(), keys.ours),
    };
    let ends = [client.key_and_salt(), server.key_and_salt()];
    let [client, server] = ends.map(|both| both.split_at(profile.key_bytes()));
    let material = [client.0, server.0, client.1, server.1].concat();
    let ours: String = material.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(said.contains(&format!("Keying material: {ours}")), "{ours} is not in:\n{said}");
    let certificate = end.certificate.unwrap();
    assert!(Fingerprint::of(&shown.der()).is_of(&certificate), "the certificate of another");
    assert!(end.alerts.is_empty(), "{:?}", end.alerts);
}

#[test]
fn openssl_that_begins_is_known_by_its_certificate_be_it_of_ecdsa_or_of_rsa() {
    let kinds = [
        Shown::ecdsa("client-p256", "prime256v1"),
        Shown::ecdsa("client-p384", "secp384r1"),
        Shown::rsa("client-2048", 2048),
        Shown::rsa("client-4096", 4096),
    ];
    for shown in &kinds {
        let all = format!("{AES_CM}:{GCM_128}:{GCM_256}");
        let came = begun_by_openssl(Some(shown), &all, &[]);
        assert_agreed(came, DtlsRole::Passive, shown, Profile::AeadAes256Gcm);
    }
    let profiles = [(AES_CM, Profile::AesCm128HmacSha1_80), (GCM_128, Profile::AeadAes128Gcm)];
    for (name, profile) in profiles {
        let came = begun_by_openssl(Some(&kinds[2]), name, &[]);
        assert_agreed(came, DtlsRole::Passive, &kinds[2], profile);
    }
}

#[test]
fn openssl_that_waits_for_us_with_a_certificate_of_ecdsa_agrees_with_us_with_a_cookie_or_without() {
    let shown = Shown::ecdsa("server-p256", "prime256v1");
    // Its own order counts.
    for more in [&[][..], &["-listen"]] {
        let came = begun_by_us(&shown, &format!("{GCM_128}:{AES_CM}"), more);
        assert_agreed(came, DtlsRole::Active, &shown, Profile::AeadAes128Gcm);
    }
    let came = begun_by_us(&shown, AES_CM, &[]);
    assert_agreed(came, DtlsRole::Active, &shown, Profile::AesCm128HmacSha1_80);
}

#[test]
fn a_certificate_longer_than_any_real_one_is_taken_as_it_is() {
    let names: Vec<String> = (0..300).map(|n| format!("DNS:host-{n}.example.com")).collect();
    let names = format!("subjectAltName={}", names.join(","));
    let shown = Shown::new("client-long", &["-newkey", "rsa:2048", "-addext", &names]);
    assert!(shown.der().len() > 4096);
    let came = begun_by_openssl(Some(&shown), AES_CM, &[]);
    assert_agreed(came, DtlsRole::Passive, &shown, Profile::AesCm128HmacSha1_80);
}

#[test]
fn who_shows_no_certificate_or_one_with_a_weak_key_gets_no_keys() {
    let refused = begun_by_openssl(None, AES_CM, &[]);
    assert!(refused.keys.is_err() && refused.end.keys.is_none(), "{}", refused.said);
    assert_eq!(refused.end.alerts, [40], "handshake_failure");
    let weak = Shown::rsa("client-1024", 1024);
    let refused = begun_by_openssl(Some(&weak), AES_CM, &["-cipher", "ALL@SECLEVEL=0"]);
    assert!(refused.keys.is_err() && refused.end.keys.is_none(), "{}", refused.said);
}

#[test]
fn openssl_that_waits_for_us_with_a_certificate_of_rsa_has_no_suite_in_common_with_us() {
    let shown = Shown::rsa("server-2048", 2048);
    let refused = begun_by_us(&shown, AES_CM, &[]);
    assert!(refused.keys.is_err() && refused.end.keys.is_none(), "{}", refused.said);
    assert!(refused.end.certificate.is_none());
}
