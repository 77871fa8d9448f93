//! The resolver of one URI. After each answer the whole way is walked again over all that is known
//! by then: it either ends at hops, or at questions that are still to be asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use base::{Instant, Rng};

use super::order::{alternate, by_weight};
use super::{Answer, Hop, Naptr, NoAnswer, Question, Records, ResolveError, Srv};
use crate::{Transport, Uri};

/// The most records of one answer that are looked at: a domain's own doing, and nobody's need.
const MAX_RECORDS: usize = 32;
/// The most hops one URI leads to.
const MAX_HOPS: usize = 32;
/// The most questions one URI is worth.
const MAX_QUESTIONS: usize = 100;

/// Finds the hops of one URI (RFC 3263 §4).
#[derive(Debug)]
pub struct Resolver {
    way: Way,
    rng: Rng,
    allowed: Vec<Transport>,
    asked: BTreeMap<Question, Option<Found>>,
    outbox: VecDeque<Question>,
    result: Option<Result<Vec<Hop>, ResolveError>>,
}

type Found = Result<Records, NoAnswer>;

/// What the URI itself says.
#[derive(Clone, Debug)]
struct Way {
    host: Box<str>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    secure: bool,
    transport: Option<Transport>,
}

/// The end of one walk.
enum Walk {
    /// These are to be answered first.
    Asks(Vec<Question>),
    Ends(Result<Vec<Hop>, ResolveError>),
}

/// What is known of a question.
enum Known<'a> {
    NotYet(Question),
    Nothing(NoAnswer),
    Records(&'a Records),
}

impl Resolver {
    /// A resolver for requests to that URI, over one of those transports; where the URI and DNS
    /// leave the choice to us, the first of them is preferred. `rng` draws by the weights of SRV
    /// records.
    #[must_use]
    pub fn new(uri: &Uri<'_>, allowed: &[Transport], rng: Rng) -> Self {
        let way = way(uri, allowed);
        let mut resolver = Self {
            way: way.clone().unwrap_or_else(|_| Way::nowhere()),
            rng,
            allowed: allowed.to_vec(),
            asked: BTreeMap::new(),
            outbox: VecDeque::new(),
            result: way.err().map(Err),
        };
        resolver.go_on();
        resolver
    }

    /// An answer came. Answers to questions that were not asked are passed over.
    pub fn handle_input(&mut self, _now: Instant, answer: Answer) {
        let Some(place) = self.asked.get_mut(&answer.question) else { return };
        if place.is_none() {
            *place = Some(checked(&answer.question, answer.records));
            self.go_on();
        }
    }

    /// Time is up: what is not answered yet counts as failed, and what has been found will do.
    pub fn hurry(&mut self) {
        while self.result.is_none() {
            self.outbox.clear();
            for place in self.asked.values_mut() {
                place.get_or_insert(Err(NoAnswer::Failed));
            }
            self.go_on();
        }
    }

    /// The next question. Each is asked once.
    pub fn poll_output(&mut self) -> Option<Question> {
        self.outbox.pop_front()
    }

    /// The hops, in the order to try them; none while questions are open. There is at least one.
    #[must_use]
    pub fn hops(&self) -> Option<&Result<Vec<Hop>, ResolveError>> {
        self.result.as_ref()
    }

    fn go_on(&mut self) {
        if self.result.is_some() {
            return;
        }
        match self.walk() {
            Walk::Ends(result) => self.result = Some(result),
            Walk::Asks(questions) => {
                for question in questions {
                    if self.asked.len() < MAX_QUESTIONS && !self.asked.contains_key(&question) {
                        self.asked.insert(question.clone(), None);
                        self.outbox.push_back(question);
                    }
                }
            }
        }
    }

    /// The way from the URI as far as it is known.
    fn walk(&mut self) -> Walk {
        let way = &self.way;
        let transport = way.transport.unwrap_or_else(|| preferred(&self.allowed, way.secure));
        if let Some(ip) = way.ip {
            let hop = self.hop(transport, ip, way.port);
            return Walk::Ends(hop.map(|hop| vec![hop]).ok_or(ResolveError::NotFound));
        }
        if way.port.is_some() {
            return self.addresses(transport, &way.host.clone(), way.port);
        }
        match way.transport {
            Some(transport) => {
                let service = service(transport, way.secure, &way.host);
                self.services(vec![(transport, service)], true)
            }
            None => self.by_naptr(),
        }
    }

    /// §4.1: the domain's own choice of transports, if it made one.
    fn by_naptr(&mut self) -> Walk {
        let records = match self.known(Question::Naptr(self.way.host.clone())) {
            Known::NotYet(question) => return Walk::Asks(vec![question]),
            Known::Records(Records::Naptr(records)) => records.clone(),
            // Name servers that stumble over NAPTR are common: SRV may still do.
            _ => Vec::new(),
        };
        let chosen = self.choose(records);
        if !chosen.is_empty() {
            return self.services(chosen, false);
        }
        let (secure, host) = (self.way.secure, &self.way.host);
        let open = self.allowed.iter().filter(|one| one.is_secure() == secure);
        let services: Vec<_> = open.map(|&one| (one, service(one, secure, host))).collect();
        if services.is_empty() {
            let transport = preferred(&self.allowed, secure);
            return self.services(vec![(transport, service(transport, secure, host))], true);
        }
        self.services(services, true)
    }

    /// The NAPTR records to follow: of the lowest order that has one of use.
    fn choose(&self, mut records: Vec<Naptr>) -> Vec<(Transport, Box<str>)> {
        records.sort_by_key(|record| (record.order, record.preference));
        let mut order = None;
        let mut chosen = Vec::new();
        for record in records {
            let Some(transport) = self.offered(&record) else { continue };
            if *order.get_or_insert(record.order) != record.order {
                break;
            }
            if let Some(name) = host_name(&record.replacement) {
                chosen.push((transport, name));
            }
        }
        chosen
    }

    fn offered(&self, record: &Naptr) -> Option<Transport> {
        if !record.flags.eq_ignore_ascii_case("s") || !record.regexp.is_empty() {
            return None;
        }
        let services = [
            ("SIP+D2U", Transport::Udp),
            ("SIP+D2T", Transport::Tcp),
            ("SIPS+D2T", Transport::Tls),
            ("SIP+D2W", Transport::Ws),
            ("SIPS+D2W", Transport::Wss),
        ];
        let known = services.iter().find(|(name, _)| record.service.eq_ignore_ascii_case(name));
        let &(_, transport) = known?;
        let fits = self.allowed.contains(&transport) && (transport.is_secure() || !self.way.secure);
        fits.then_some(transport)
    }

    /// §4.2: the hosts of those services in turn. Where there are none, the domain itself is the
    /// host, if it may be.
    fn services(&mut self, services: Vec<(Transport, Box<str>)>, or_host: bool) -> Walk {
        let mut open = Vec::new();
        let (mut targets, mut failed, mut closed) = (Vec::new(), false, false);
        for (transport, name) in services {
            match self.known(Question::Srv(name)) {
                Known::NotYet(question) => open.push(question),
                Known::Records(Records::Srv(records)) => {
                    closed |= records.iter().any(Srv::is_closed);
                    let hosts = records.iter().filter(|record| !record.is_closed());
                    targets.push((transport, hosts.cloned().collect::<Vec<_>>()));
                }
                Known::Nothing(NoAnswer::Failed) => failed = true,
                Known::Nothing(NoAnswer::NotFound) | Known::Records(_) => {}
            }
        }
        if !open.is_empty() {
            return Walk::Asks(open);
        }
        if targets.iter().any(|(_, records)| !records.is_empty()) {
            return self.targets(targets);
        }
        match (closed, or_host, failed) {
            (true, ..) => Walk::Ends(Err(ResolveError::NotOffered)),
            (false, true, _) => {
                let preferred = preferred(&self.allowed, self.way.secure);
                let transport = self.way.transport.unwrap_or(preferred);
                self.addresses(transport, &self.way.host.clone(), None)
            }
            (false, false, true) => Walk::Ends(Err(ResolveError::Failed)),
            (false, false, false) => Walk::Ends(Err(ResolveError::NotFound)),
        }
    }

    /// The addresses of all targets. Only when all are known is the order drawn.
    fn targets(&mut self, targets: Vec<(Transport, Vec<Srv>)>) -> Walk {
        let mut open = Vec::new();
        let mut failed = false;
        let mut found: BTreeMap<Box<str>, Vec<IpAddr>> = BTreeMap::new();
        for record in targets.iter().flat_map(|(_, records)| records) {
            let Some(name) = host_name(&record.target) else { continue };
            match self.known(Question::Address(name.clone())) {
                Known::NotYet(question) if self.asked.len() + open.len() < MAX_QUESTIONS => {
                    open.push(question);
                }
                Known::Records(Records::Address(addresses)) => {
                    found.insert(name, addresses.clone());
                }
                Known::Nothing(NoAnswer::Failed) => failed = true,
                _ => {}
            }
        }
        if !open.is_empty() {
            return Walk::Asks(open);
        }
        let mut hops = Vec::new();
        for (transport, records) in targets {
            for record in by_weight(records, &mut self.rng) {
                let name = host_name(&record.target);
                let addresses = name.and_then(|name| found.get(&name)).cloned();
                for ip in alternate(&addresses.unwrap_or_default()) {
                    hops.extend(self.hop(transport, ip, Some(record.port)));
                }
            }
        }
        Walk::Ends(finished(hops, failed))
    }

    /// The addresses of one host.
    fn addresses(&mut self, transport: Transport, host: &str, port: Option<u16>) -> Walk {
        let addresses = match self.known(Question::Address(host.into())) {
            Known::NotYet(question) => return Walk::Asks(vec![question]),
            Known::Records(Records::Address(addresses)) => addresses.clone(),
            Known::Nothing(NoAnswer::Failed) => return Walk::Ends(Err(ResolveError::Failed)),
            Known::Nothing(NoAnswer::NotFound) | Known::Records(_) => Vec::new(),
        };
        let hops = alternate(&addresses).into_iter().filter_map(|ip| self.hop(transport, ip, port));
        Walk::Ends(finished(hops.collect(), false))
    }

    fn known(&self, question: Question) -> Known<'_> {
        match self.asked.get(&question) {
            Some(Some(Ok(records))) => Known::Records(records),
            Some(Some(Err(why))) => Known::Nothing(*why),
            Some(None) | None => Known::NotYet(question),
        }
    }

    /// A hop, unless no single host has that address.
    fn hop(&self, transport: Transport, ip: IpAddr, port: Option<u16>) -> Option<Hop> {
        let ip = ip.to_canonical();
        let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        let port = port.unwrap_or(transport.default_port());
        if ip.is_unspecified() || ip.is_multicast() || broadcast || port == 0 {
            return None;
        }
        let server_name = transport.is_secure().then(|| self.way.host.clone());
        Some(Hop { transport, remote: SocketAddr::new(ip, port), server_name })
    }
}

impl Way {
    fn nowhere() -> Self {
        Self { host: "".into(), ip: None, port: None, secure: false, transport: None }
    }
}

impl Srv {
    /// RFC 2782: a target of `.` says that the service is decidedly not available.
    fn is_closed(&self) -> bool {
        matches!(&*self.target, "" | ".")
    }
}

fn finished(mut hops: Vec<Hop>, failed: bool) -> Result<Vec<Hop>, ResolveError> {
    let mut seen = std::collections::BTreeSet::new();
    hops.retain(|hop| seen.insert((hop.transport, hop.remote)));
    hops.truncate(MAX_HOPS);
    match (hops.is_empty(), failed) {
        (false, _) => Ok(hops),
        (true, true) => Err(ResolveError::Failed),
        (true, false) => Err(ResolveError::NotFound),
    }
}

/// Reads the URI, and refuses it where no question is of use.
fn way(uri: &Uri<'_>, allowed: &[Transport]) -> Result<Way, ResolveError> {
    if !uri.is_sip() {
        return Err(ResolveError::NotSip);
    }
    let secure = uri.is_secure();
    let transport = match uri.param("transport") {
        None => None,
        Some(value) => {
            let named = Transport::of_uri_param(value, secure).ok_or(ResolveError::Transport)?;
            // `ws` says nothing about TLS (RFC 7118 §5.2.2): what we may use decides.
            let other = named == Transport::Ws && !allowed.contains(&named);
            Some(if other { Transport::Wss } else { named })
        }
    };
    let fits =
        |one: &Transport| (one.is_secure() || !secure) && transport.is_none_or(|t| t == *one);
    if !allowed.iter().any(fits) {
        return Err(ResolveError::Transport);
    }
    let ip = uri.ip();
    let host = match ip {
        Some(ip) => ip.to_string().into(),
        None => host_name(uri.host()).ok_or(ResolveError::NotFound)?,
    };
    Ok(Way { host, ip, port: uri.port(), secure, transport })
}

/// The transport where nobody chose one: UDP, or TLS for `sips` (§4.1), as far as allowed.
fn preferred(allowed: &[Transport], secure: bool) -> Transport {
    let usual = if secure { Transport::Tls } else { Transport::Udp };
    if allowed.contains(&usual) {
        return usual;
    }
    let fitting = allowed.iter().find(|one| one.is_secure() || !secure);
    fitting.copied().unwrap_or(usual)
}

/// The name of a service's SRV records. TLS has no protocol of its own there: it is `_sips._tcp`.
fn service(transport: Transport, secure: bool, host: &str) -> Box<str> {
    let protocol = match transport {
        Transport::Udp => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
        Transport::Ws | Transport::Wss => "ws",
    };
    let scheme = if secure || transport.is_secure() { "_sips" } else { "_sip" };
    format!("{scheme}._{protocol}.{host}").into()
}

/// A host's name as it is asked for, if it can be one. A name that ends in a number is none
/// (RFC 3696 §2): some name services would read `127.1` as an address.
fn host_name(text: &str) -> Option<Box<str>> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |one: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&one.len()) && one.bytes().all(allowed)
    };
    let last = name.rsplit('.').next().unwrap_or("");
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    (name.len() <= 253 && name.split('.').all(label) && !number).then(|| name.into())
}

/// The records, if they are of the kind that was asked for; cut to what is looked at.
fn checked(question: &Question, found: Found) -> Found {
    let mut records = found?;
    let fits = match (question, &mut records) {
        (Question::Naptr(_), Records::Naptr(records)) => {
            records.truncate(MAX_RECORDS);
            !records.is_empty()
        }
        (Question::Srv(_), Records::Srv(records)) => {
            records.sort_by_key(|record| record.priority);
            records.truncate(MAX_RECORDS);
            !records.is_empty()
        }
        (Question::Address(_), Records::Address(addresses)) => {
            addresses.truncate(MAX_RECORDS);
            !addresses.is_empty()
        }
        _ => false,
    };
    if fits { Ok(records) } else { Err(NoAnswer::NotFound) }
}
