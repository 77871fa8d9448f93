//! Certificates of those who sign caller numbers (RFC 8226), fetched by HTTPS on tokio for the
//! signalling thread. The URL is a caller's: only public addresses are asked, one at a time, and
//! what they say is bounded in time and size.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, CACHE_CONTROL, CONNECTION, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::names::NameSource;
use crate::tls::Keeper;
use crate::wake;

/// Fetched at once; more are answered at once with nothing.
const AT_ONCE: usize = 32;
/// Answers that may wait for the signalling thread.
pub(super) const ANSWERS: usize = AT_ONCE;
/// The call waits as long.
const LONGEST: Duration = Duration::from_secs(2);
/// A chain of certificates has a few kB.
const LARGEST: usize = 64 * 1024;
/// How long one holds of which HTTP says nothing.
const LIFE: Duration = Duration::from_secs(3600);

/// A certificate and how long it holds, or why there is none.
pub(super) type Answer = (String, Result<(Bytes, Duration), String>);

/// Who fetches.
pub(super) struct Certificates {
    pub(super) runtime: Handle,
    pub(super) names: NameSource,
    pub(super) tls: Keeper,
    /// Whether addresses of private networks may be asked.
    pub(super) private_networks: bool,
    pub(super) places: Arc<Semaphore>,
    pub(super) answers: wake::Sender<Answer>,
}

impl Certificates {
    pub(super) fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(AT_ONCE))
    }

    /// Fetches; the answer is here already when there is no room.
    pub(super) fn fetch(&self, url: String) -> Option<Answer> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Some((url, Err("too many at once".to_owned())));
        };
        let (names, tls, answers) = (self.names.clone(), self.tls.clone(), self.answers.clone());
        let private = self.private_networks;
        self.runtime.spawn(async move {
            let all = async {
                let target = Target::of(&url)?;
                let found = names.addresses(&target.host).await?;
                let ip = found.into_iter().find(|ip| private || is_public(*ip));
                let ip = ip.ok_or("it has no address that may be asked")?;
                let config = tls.borrow().client(None).map_err(|fault| fault.to_string())?;
                get(&target, SocketAddr::new(ip, target.port), config).await
            };
            let result = timeout(LONGEST, all).await;
            let result = result.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            if let Err(why) = &result {
                tracing::warn!(url, why, "a signer's certificate cannot be fetched");
            }
            let outcome = if result.is_ok() { "found" } else { "failed" };
            metrics::counter!("strowger_signer_certificates_total", "outcome" => outcome)
                .increment(1);
            // The signalling thread may have ended meanwhile.
            let _ = answers.send((url, result)).await;
            drop(place);
        });
        None
    }
}

/// What a URL says.
struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Target {
    fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "not a URL")?;
        let (Some("https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err("not an https URL".to_owned());
        };
        let port = uri.port_u16().unwrap_or(443);
        Ok(Self { host: host.to_owned(), port, path: uri.path().to_owned() })
    }
}

/// Whether an address is in the open internet: a caller's URL must not reach what is behind us.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            let own = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            let nobody = a == 0 || a >= 224 || ip == Ipv4Addr::BROADCAST || ip.is_documentation();
            !(own || nobody || shared || benchmark)
        }
        // Global unicast, without what carries IPv4 addresses in it.
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            let carries = a == 0x2002 || (a == 0x2001 && (b == 0 || b == 0x0db8));
            (0x2000..0x4000).contains(&a) && !carries
        }
    }
}

async fn get(
    target: &Target,
    at: SocketAddr,
    config: ClientConfig,
) -> Result<(Bytes, Duration), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let name = ServerName::try_from(target.host.clone()).map_err(|error| said(&error))?;
    let stream = TcpStream::connect(at).await.map_err(|error| said(&error))?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(|error| said(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| said(&e))?;
    let host = match target.port {
        443 => target.host.clone(),
        port => format!("{}:{port}", target.host),
    };
    let request = Request::get(&target.path)
        .header(HOST, host)
        .header(ACCEPT, "application/pkix-cert, application/pem-certificate-chain, */*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| said(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| said(&error))?;
        if response.status() != StatusCode::OK {
            // Redirections too: what was signed is this URL.
            return Err(format!("HTTP status {}", response.status()));
        }
        let life = response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let life = life.and_then(max_age).unwrap_or(LIFE);
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        Ok((body.map_err(|error| said(&error))?.to_bytes(), life))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        ended = connection => match ended {
            // The answer's end was the connection's.
            Ok(()) => exchange.await,
            Err(error) => Err(said(&error)),
        },
    }
}

fn max_age(value: &str) -> Option<Duration> {
    let directives = value.split(',').map(str::trim);
    let seconds = directives.filter_map(|one| one.strip_prefix("max-age=")).next()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::RootCertStore;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const HOST: &str = "cert.example.org";

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    /// A server that gives that answer once to whoever asks, and who believes it.
    async fn server(answer: Vec<u8>) -> (SocketAddr, ClientConfig) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = TlsAcceptor::from(Arc::new(server)).accept(stream).await else {
                return;
            };
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).to_lowercase();
            assert!(asked.starts_with("get /passport.cer http/1.1\r\n"), "{asked}");
            assert!(asked.contains("\r\nhost: cert.example.org:"), "{asked}");
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        });
        (at, client)
    }

    async fn fetched(host: &str, answer: Vec<u8>) -> Result<(Bytes, Duration), String> {
        let (at, client) = server(answer).await;
        let target = Target::of(&format!("https://{host}:{}/passport.cer", at.port())).unwrap();
        get(&target, at, client).await
    }

    #[tokio::test]
    async fn a_certificate_comes_with_the_time_that_it_holds() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n";
        let aged = format!("{head}Cache-Control: public, max-age=7200\r\n\r\nabcd");
        let (body, life) = fetched(HOST, aged.into_bytes()).await.unwrap();
        assert_eq!((&body[..], life.as_secs()), (&b"abcd"[..], 7200));
        let plain = format!("{head}\r\nabcd");
        assert_eq!(fetched(HOST, plain.into_bytes()).await.unwrap().1, LIFE);
    }

    #[tokio::test]
    async fn what_is_elsewhere_too_large_or_another_hosts_is_not_taken() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: https://a.b/\r\nContent-Length: 0\r\n\r\n";
        assert!(fetched(HOST, moved.into()).await.unwrap_err().contains("302"));
        let mut large = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
        large.resize(100_100, b'x');
        assert!(fetched(HOST, large).await.is_err());
        assert!(fetched("other.example.org", Vec::new()).await.is_err());
        assert!(fetched(HOST, b"rubbish\r\n\r\n".to_vec()).await.is_err());
    }

    #[test]
    fn no_callers_url_reaches_what_is_behind_us() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.20.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "2002:a00:1::",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "93.184.216.34", "2606:4700::1111"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
        assert!(Target::of("http://a.b/").is_err() && Target::of("::").is_err());
        assert_eq!(max_age("no-cache"), None);
    }
}
