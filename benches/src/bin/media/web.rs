//! Browsers' far ends: they check (ICE), shake hands (DTLS) and send and hear SRTP, with what the
//! server itself is built of. Each has a socket of its own: by its address the server knows it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant as StdInstant};

use base::{Instant, Rng, UnixTime};
use benches::clock::{self, MILLISECOND, Nanos, SECOND};
use media::dtls::{Association, DtlsRole, Identity, Progress, ROOM};
use media::ice::{Check, Credentials, is_success_for, write_check};
use media::srtp::{Opener, SrtpKeys};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, ReceiveTimestampns};

use crate::describe::{self, Kind};

/// Where browsers are.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// The number that they give Opus.
pub(crate) const OPUS: u8 = 111;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a check is repeated that is not answered, and one that is.
const REPEAT: Duration = Duration::from_millis(200);
const CONSENT: Nanos = 4 * SECOND;
/// Bytes that wait for one while others have their turn.
const KERNEL_BUFFER: usize = 64 << 10;

/// What all browsers have in common.
pub(crate) struct Browsers {
    identity: Identity,
    origin: StdInstant,
    rng: Rng,
    room: Vec<u8>,
}

/// One browser's end of a leg.
pub(crate) struct Browser {
    socket: UdpSocket,
    ours: Credentials,
    /// The server's password, and both fragments.
    password: String,
    username: String,
    transactions: u64,
    checked: Nanos,
}

/// What a browser that shook hands has.
pub(crate) struct Connected {
    pub(crate) browser: Box<Browser>,
    pub(crate) keys: SrtpKeys,
    /// From the first check until the keys were there.
    pub(crate) took: Nanos,
}

impl Browsers {
    pub(crate) fn new() -> Result<Self, String> {
        let origin = StdInstant::now();
        let wall = UnixTime::from_micros(i64::try_from(clock::now() / 1000).unwrap_or(0));
        let identity = Identity::draw(wall, origin).map_err(|error| error.to_string())?;
        let rng = Rng::from_seed(clock::now());
        Ok(Self { identity, origin, rng, room: vec![0; ROOM] })
    }

    /// A new browser, and its offer.
    pub(crate) fn open(&mut self, kind: Kind) -> Result<(Browser, String), String> {
        let socket = UdpSocket::bind((HOME, 0)).map_err(|error| error.to_string())?;
        let _ = setsockopt(&socket, RcvBuf, &KERNEL_BUFFER);
        setsockopt(&socket, ReceiveTimestampns, &true).map_err(|error| error.to_string())?;
        let ours = Credentials::draw(&mut self.rng);
        // Every browser offers keys as events, of its codec's clock.
        let codec = match kind {
            Kind::Webrtc => {
                "0 126\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:126 telephone-event/8000".to_owned()
            }
            _ => format!(
                "{OPUS} 110\r\na=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} useinbandfec=1\r\n\
                 a=rtpmap:110 telephone-event/48000"
            ),
        };
        let offer = format!(
            "v=0\r\no=- 3848 3848 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF {codec}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{}\r\na=setup:active\r\n\
             a=sendrecv\r\n",
            ours.fragment(),
            ours.password(),
            self.identity.fingerprint(),
        );
        let (password, username) = (String::new(), String::new());
        Ok((Browser { socket, ours, password, username, transactions: 0, checked: 0 }, offer))
    }

    /// Checks and shakes hands, as the server's answer says.
    pub(crate) fn connect(
        &mut self,
        mut browser: Browser,
        answer: &str,
    ) -> Result<Connected, String> {
        let value = |name: &str| {
            let line = answer.lines().find_map(|line| line.trim_end().strip_prefix(name));
            line.map(str::to_owned).ok_or_else(|| format!("no {name} in {answer}"))
        };
        browser.username = format!("{}:{}", value("a=ice-ufrag:")?, browser.ours.fragment());
        browser.password = value("a=ice-pwd:")?;
        if value("a=setup:")? != "passive" {
            return Err("we are the one who begins".to_owned());
        }
        let target = describe::target(answer).ok_or("no address")?;
        let began = clock::now();
        let connected = browser.go_to(target).and_then(|()| self.shake_hands(&mut browser));
        let keys = connected.map_err(|error| error.to_string())?;
        let keys = keys.ok_or("no handshake within five seconds")?;
        let took = clock::now() - began;
        let nonblocking = browser.socket.set_nonblocking(true);
        nonblocking.map_err(|error| error.to_string())?;
        Ok(Connected { browser: Box::new(browser), keys, took })
    }

    fn shake_hands(&mut self, browser: &mut Browser) -> std::io::Result<Option<SrtpKeys>> {
        let until = StdInstant::now() + PATIENCE;
        let mut buffer = [0; 2048];
        // The first flight goes out when a check has come back, as a browser's does.
        loop {
            let transaction = browser.check()?;
            let again = StdInstant::now() + REPEAT;
            while StdInstant::now() < again {
                let Ok(length) = browser.socket.recv(&mut buffer) else { continue };
                if is_success_for(&buffer[..length], transaction) {
                    return self.do_dtls(browser, until);
                }
            }
            if StdInstant::now() > until {
                return Ok(None);
            }
        }
    }

    fn do_dtls(
        &mut self,
        browser: &mut Browser,
        until: StdInstant,
    ) -> std::io::Result<Option<SrtpKeys>> {
        let mut dtls = Association::new(&self.identity, DtlsRole::Active, self.now());
        let mut buffer = [0; 2048];
        let (mut agreed, mut due) = (None, Some(self.now()));
        while agreed.is_none() && StdInstant::now() < until {
            let now = self.now();
            let sound = match browser.socket.recv(&mut buffer) {
                Ok(length) if (20..=63).contains(&buffer[0]) => {
                    dtls.handle_packet(now, &buffer[..length])
                }
                _ if due.is_some_and(|due| due <= now) => dtls.handle_timeout(now),
                _ => continue,
            };
            sound.map_err(std::io::Error::other)?;
            let mut failed = None;
            due = dtls.drain(&mut self.room, |progress| match progress {
                Progress::Send(bytes) => failed = browser.socket.send(bytes).err(),
                Progress::Keys(keys) => agreed = keys,
                Progress::Certificate(_) | Progress::Closed => {}
            });
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        Ok(agreed)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Browser {
    fn go_to(&self, target: SocketAddr) -> std::io::Result<()> {
        self.socket.connect(target)?;
        self.socket.set_read_timeout(Some(Duration::from_millis(1)))
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Says that it is still there, if it is time to.
    pub(crate) fn consent(&mut self, now: Nanos) {
        if now.saturating_sub(self.checked) >= CONSENT {
            let _ = self.check();
        }
    }

    /// Checks the server, and says that the pair is the one; the check's number.
    fn check(&mut self) -> std::io::Result<[u8; 12]> {
        self.checked = clock::now();
        self.transactions += 1;
        let mut transaction = [7; 12];
        transaction[..8].copy_from_slice(&self.transactions.to_be_bytes());
        let check = Check {
            transaction,
            username: &self.username,
            password: &self.password,
            priority: 0x6e00_1eff,
            nominates: true,
            controls: true,
        };
        let mut bytes = Vec::with_capacity(160);
        write_check(&mut bytes, &check);
        self.socket.send(&bytes)?;
        Ok(transaction)
    }
}

/// Opens a packet of audio in place: how long it is. None of anything else.
pub(crate) fn open(opener: &mut Opener, packet: &mut [u8]) -> Option<usize> {
    let is_audio = matches!(packet, [128..=191, kind, ..] if !(192..=223).contains(kind));
    if is_audio { opener.open_rtp(packet).ok() } else { None }
}

/// What handshakes cost, and how long they took.
#[derive(Default)]
pub(crate) struct Handshakes {
    count: u32,
    cpu_ms: f64,
    took: Nanos,
    profile: Option<media::srtp::Profile>,
}

impl Handshakes {
    /// One that cost the worker so much.
    pub(crate) fn add(&mut self, connected: &Connected, cpu_ms: f64) {
        self.count += 1;
        self.cpu_ms += cpu_ms;
        self.took += connected.took;
        self.profile = Some(connected.keys.ours.profile());
    }

    /// CPU of the server's worker for one, how long one took, and what was agreed upon.
    pub(crate) fn shown(&self) -> Option<serde_json::Value> {
        let count = f64::from(self.count);
        (self.count > 0).then(|| {
            serde_json::json!({
                "cpu_ms": self.cpu_ms / count,
                "took_ms": self.took as f64 / MILLISECOND as f64 / count,
                "profile": self.profile.map(|profile| format!("{profile:?}")),
            })
        })
    }
}
