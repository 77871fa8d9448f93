//! A little DNS server of the test's own (RFC 1035 over UDP), written apart from the product.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What a name has.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Address(IpAddr),
    Alias(&'static str),
    /// Priority, weight, port, target.
    Srv(u16, u16, u16, &'static str),
    /// Order, preference, flags, service, replacement.
    Naptr(u16, u16, &'static str, &'static str, &'static str),
}

impl Record {
    const fn kind(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => 1,
            Self::Alias(_) => 5,
            Self::Address(IpAddr::V6(_)) => 28,
            Self::Srv(..) => 33,
            Self::Naptr(..) => 35,
        }
    }

    fn value(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Self::Address(IpAddr::V6(ip)) => ip.octets().to_vec(),
            Self::Alias(target) => name(target),
            Self::Srv(priority, weight, port, target) => {
                let numbers = [priority, weight, port].map(|number| number.to_be_bytes());
                [&numbers.concat()[..], &name(target)].concat()
            }
            Self::Naptr(order, preference, flags, service, target) => {
                let numbers = [order, preference].map(|number| number.to_be_bytes()).concat();
                let texts = [flags, service, &""].map(|text| counted(text)).concat();
                [numbers, texts, name(target)].concat()
            }
        }
    }
}

/// A running server; stopped when dropped.
pub(crate) struct NameServer {
    pub(crate) at: SocketAddr,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// How long the records hold, in seconds.
pub(crate) const LIFE: u32 = 77;
/// How long it holds that a name has none.
pub(crate) const NEGATIVE_LIFE: u32 = 33;

impl NameServer {
    /// Answers with these records; a name below `silent` is never answered, any other does not
    /// exist.
    pub(crate) fn start(records: Vec<(&'static str, Record)>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a limit");
        let at = socket.local_addr().expect("its address");
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let server = Self { at, asked: asked.clone(), stop: stop.clone() };
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                asked.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&buffer[..length], &records) {
                    socket.send_to(&answer, from).expect("to answer");
                }
            }
        });
        server
    }

    /// Questions that came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn answer(question: &[u8], records: &[(&'static str, Record)]) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..=at + length]).to_lowercase());
        at += 1 + length;
    }
    let asked = labels.join(".");
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    if asked.ends_with("silent") {
        return None;
    }
    // An alias is followed here, as resolvers do for those who ask them.
    let mut target = asked.as_str();
    let mut found = Vec::new();
    while let Some((owner, alias)) =
        records.iter().find(|(owner, record)| *owner == target && record.kind() == 5)
    {
        found.push((*owner, alias));
        if let Record::Alias(next) = alias {
            target = next;
        }
    }
    let direct = records.iter().filter(|(owner, one)| *owner == target && one.kind() == kind);
    found.extend(direct.map(|(owner, record)| (*owner, record)));
    let is_known = records.iter().any(|(owner, _)| *owner == asked);

    let mut message = question[..2].to_vec();
    message.extend([0x81, if is_known { 0x80 } else { 0x83 }, 0, 1]);
    let (answers, authorities) = (found.len() as u16, u16::from(found.is_empty()));
    for count in [answers, authorities, 0] {
        message.extend(count.to_be_bytes());
    }
    message.extend(&question[12..at + 5]);
    for (owner, record) in found {
        push(&mut message, owner, record.kind(), LIFE, &record.value());
    }
    if authorities == 1 {
        let numbers = [1, 60, 60, 60, NEGATIVE_LIFE].map(|number: u32| number.to_be_bytes());
        let value = [name("ns.example"), name("host.example"), numbers.concat()].concat();
        push(&mut message, "example", 6, NEGATIVE_LIFE, &value);
    }
    Some(message)
}

fn push(message: &mut Vec<u8>, owner: &str, kind: u16, life: u32, value: &[u8]) {
    message.extend(name(owner));
    message.extend(kind.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message.extend(life.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
}

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut bytes = labels.flat_map(counted).collect::<Vec<_>>();
    bytes.push(0);
    bytes
}

fn counted(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}
