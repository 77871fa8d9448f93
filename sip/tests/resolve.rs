//! Where a URI's requests go: RFC 3263 §4 against made-up zones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Duration, Instant, Rng};
use sip::Transport::{self, Tcp, Tls, Udp, Ws, Wss};
use sip::Uri;
use sip::resolve::{Answer, Cache, Hop, Naptr, NoAnswer, Question, Records, ResolveError};
use sip::resolve::{Resolver, Srv};

const USUAL: [Transport; 3] = [Udp, Tcp, Tls];

/// A name server that knows a few things and remembers what it was asked.
#[derive(Default)]
struct Dns {
    zone: BTreeMap<Question, Result<Records, NoAnswer>>,
    asked: Vec<String>,
}

impl Dns {
    fn naptr(mut self, name: &str, records: &[(u16, u16, &str, &str)]) -> Self {
        let records = records.iter().map(|&(order, preference, service, replacement)| Naptr {
            order,
            preference,
            flags: "s".into(),
            service: service.into(),
            regexp: "".into(),
            replacement: replacement.into(),
        });
        let records = Records::Naptr(records.collect());
        self.zone.insert(Question::Naptr(name.into()), Ok(records));
        self
    }

    fn srv(mut self, name: &str, records: &[(u16, u16, u16, &str)]) -> Self {
        let records = records.iter().map(|&(priority, weight, port, target)| Srv {
            priority,
            weight,
            port,
            target: target.into(),
        });
        let records = Records::Srv(records.collect());
        self.zone.insert(Question::Srv(name.into()), Ok(records));
        self
    }

    fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        self.zone.insert(Question::Address(name.into()), Ok(Records::Address(addresses)));
        self
    }

    fn fails(mut self, question: Question) -> Self {
        self.zone.insert(question, Err(NoAnswer::Failed));
        self
    }

    fn answer(&mut self, question: Question) -> Answer {
        self.asked.push(match &question {
            Question::Naptr(name) => format!("NAPTR {name}"),
            Question::Srv(name) => format!("SRV {name}"),
            Question::Address(name) => format!("A {name}"),
        });
        let records = self.zone.get(&question).cloned().unwrap_or(Err(NoAnswer::NotFound));
        Answer { question, records, ttl: Duration::from_secs(60) }
    }

    fn resolve_over(&mut self, uri: &str, allowed: &[Transport]) -> Result<Vec<Hop>, ResolveError> {
        let uri = Uri::parse(uri).unwrap();
        let mut resolver = Resolver::new(&uri, allowed, Rng::from_seed(1));
        while let Some(question) = resolver.poll_output() {
            let answer = self.answer(question);
            resolver.handle_input(Instant::ZERO, answer);
        }
        resolver.hops().cloned().expect("no question is open, so there is an end")
    }

    /// The hops as `UDP 192.0.2.1:5060`.
    fn hops(&mut self, uri: &str) -> Result<Vec<String>, ResolveError> {
        let hops = self.resolve_over(uri, &USUAL)?;
        Ok(hops.iter().map(|hop| format!("{} {}", hop.transport, hop.remote)).collect())
    }
}

fn list(hops: &[&str]) -> Result<Vec<String>, ResolveError> {
    Ok(hops.iter().map(|&hop| hop.to_owned()).collect())
}

#[test]
fn an_address_needs_no_dns_and_takes_the_transport_and_port_of_the_uri_or_the_defaults() {
    for (uri, hop) in [
        ("sip:192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:a@192.0.2.1:5080", "UDP 192.0.2.1:5080"),
        ("sip:192.0.2.1;transport=tcp", "TCP 192.0.2.1:5060"),
        ("sip:192.0.2.1;transport=TLS", "TLS 192.0.2.1:5061"),
        ("sips:192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:192.0.2.1:5070;transport=tcp", "TLS 192.0.2.1:5070"),
        ("sip:[2001:db8::1]", "UDP [2001:db8::1]:5060"),
        ("sip:[::ffff:192.0.2.1]:5070", "UDP 192.0.2.1:5070"),
        ("sip:192.0.2.1;maddr=203.0.113.66", "UDP 192.0.2.1:5060"),
    ] {
        let mut dns = Dns::default();
        assert_eq!(dns.hops(uri), list(&[hop]), "{uri}");
        assert!(dns.asked.is_empty(), "{uri}: {:?}", dns.asked);
    }
}

#[test]
fn a_port_or_a_transport_skips_the_lookups_that_would_find_them() {
    let zone = || Dns::default().host("example.com", &["192.0.2.1"]);
    let mut dns = zone();
    assert_eq!(dns.hops("sip:Example.COM.:5080"), list(&["UDP 192.0.2.1:5080"]));
    assert_eq!(dns.asked, ["A example.com"]);

    let mut dns = zone();
    let uri = "sips:example.com:5080";
    assert_eq!(dns.hops(uri), list(&["TLS 192.0.2.1:5080"]));

    let mut dns = zone();
    assert_eq!(dns.hops("sip:example.com;transport=tcp"), list(&["TCP 192.0.2.1:5060"]));
    assert_eq!(dns.asked, ["SRV _sip._tcp.example.com", "A example.com"]);

    let mut dns = zone()
        .srv("_sips._tcp.example.com", &[(1, 1, 5071, "sbc.example.com")])
        .host("sbc.example.com", &["192.0.2.7"]);
    let hops = dns.resolve_over("sip:example.com;transport=tls", &USUAL).unwrap();
    assert_eq!((hops[0].transport, hops[0].remote.port()), (Tls, 5071));
    assert_eq!(hops[0].server_name.as_deref(), Some("example.com"), "not the SRV target");
}

#[test]
fn naptr_decides_on_the_transport_by_order_and_preference() {
    // The example of RFC 3263 §4.1.
    let records: [(u16, u16, &str, &str); 3] = [
        (90, 50, "SIP+D2T", "_sip._tcp.example.com"),
        (100, 50, "SIP+D2U", "_sip._udp.example.com"),
        (50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
    ];
    let zone = || {
        Dns::default()
            .naptr("example.com", &records)
            .srv("_sips._tcp.example.com", &[(1, 1, 5061, "Server1.Example.com")])
            .srv("_sip._tcp.example.com", &[(1, 1, 5060, "server1.example.com")])
            .srv("_sip._udp.example.com", &[(1, 1, 5060, "server1.example.com")])
            .host("server1.example.com", &["192.0.2.1"])
    };
    let mut dns = zone();
    assert_eq!(dns.hops("sip:user@example.com"), list(&["TLS 192.0.2.1:5061"]));
    assert_eq!(
        dns.asked,
        ["NAPTR example.com", "SRV _sips._tcp.example.com", "A server1.example.com"],
        "only the lowest order of use is followed"
    );
    let over = |allowed: &[Transport]| {
        zone()
            .resolve_over("sip:example.com", allowed)
            .unwrap()
            .iter()
            .map(|h| h.transport)
            .collect::<Vec<_>>()
    };
    assert_eq!(over(&[Udp, Tcp]), [Tcp], "TLS is not allowed: the next order");
    assert_eq!(over(&[Udp]), [Udp]);
}

#[test]
fn naptr_records_of_one_order_are_tried_by_preference() {
    let mut dns = Dns::default()
        .naptr(
            "example.com",
            &[(10, 20, "sip+d2u", "_u.example.com"), (10, 10, "SIP+D2T", "_t.example.com")],
        )
        .srv("_u.example.com", &[(1, 1, 5062, "h.example.com")])
        .srv("_t.example.com", &[(1, 1, 5064, "h.example.com")])
        .host("h.example.com", &["192.0.2.1"]);
    assert_eq!(dns.hops("sip:example.com"), list(&["TCP 192.0.2.1:5064", "UDP 192.0.2.1:5062"]));
}

#[test]
fn naptr_records_of_other_applications_or_with_a_substitution_are_passed_over() {
    let mut dns = Dns::default()
        .naptr("example.com", &[(1, 1, "E2U+sip", "_sip._udp.example.com")])
        .srv("_sip._udp.example.com", &[(1, 1, 5070, "h.example.com")])
        .host("h.example.com", &["192.0.2.1"]);
    let records = dns.zone.get_mut(&Question::Naptr("example.com".into())).unwrap();
    let Ok(Records::Naptr(records)) = records else { panic!("as put there") };
    let other = |flags: &str, regexp: &str| Naptr {
        flags: flags.into(),
        regexp: regexp.into(),
        service: "SIP+D2T".into(),
        ..records[0].clone()
    };
    let odd = [other("u", ""), other("", ""), other("s", "!.*!sip:x@evil.example!")];
    records.extend(odd);
    assert_eq!(dns.hops("sip:example.com"), list(&["UDP 192.0.2.1:5070"]));
}

#[test]
fn sips_follows_secure_services_only_and_never_falls_back_to_plain_ones() {
    let mut dns = Dns::default()
        .naptr("example.com", &[(1, 1, "SIP+D2T", "_t.example.com")])
        .srv("_t.example.com", &[(1, 1, 5060, "h.example.com")])
        .srv("_sip._tcp.example.com", &[(1, 1, 5060, "h.example.com")])
        .host("example.com", &["192.0.2.9"]);
    assert_eq!(dns.hops("sips:example.com"), list(&["TLS 192.0.2.9:5061"]));
    assert!(!dns.asked.contains(&"SRV _t.example.com".to_owned()));
    for (uri, allowed) in [
        ("sips:example.com", &[Udp, Tcp, Ws][..]),
        ("sips:example.com;transport=udp", &USUAL),
        ("sip:example.com;transport=sctp", &USUAL),
        ("sip:example.com;transport=tls", &[Udp, Tcp]),
        ("sip:192.0.2.1;transport=tcp", &[Udp]),
        ("sip:192.0.2.1", &[]),
    ] {
        let refused = Dns::default().resolve_over(uri, allowed);
        assert_eq!(refused, Err(ResolveError::Transport), "{uri}");
    }
}

#[test]
fn without_naptr_each_transport_has_its_srv_records_and_we_prefer_in_our_order() {
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(1, 1, 5062, "h.example.com")])
        .srv("_sip._tcp.example.com", &[(1, 1, 5064, "h.example.com")])
        .host("h.example.com", &["192.0.2.1"]);
    let both = list(&["UDP 192.0.2.1:5062", "TCP 192.0.2.1:5064"]);
    assert_eq!(dns.hops("sip:example.com"), both);
    let hops = dns.resolve_over("sip:example.com", &[Tcp, Udp]).unwrap();
    assert_eq!(hops[0].transport, Tcp);
    let mut dns = Dns::default().host("example.com", &["192.0.2.2"]);
    assert_eq!(dns.hops("sip:example.com"), list(&["UDP 192.0.2.2:5060"]));
    assert_eq!(
        dns.asked,
        [
            "NAPTR example.com",
            "SRV _sip._udp.example.com",
            "SRV _sip._tcp.example.com",
            "A example.com"
        ]
    );
}

#[test]
fn srv_priorities_come_in_order_and_each_target_brings_all_its_addresses() {
    let mut dns = Dns::default()
        .srv(
            "_sip._udp.example.com",
            &[(20, 0, 5062, "b.example.com"), (10, 0, 5061, "a.example.com")],
        )
        .host("a.example.com", &["2001:db8::1", "2001:db8::2", "192.0.2.1"])
        .host("b.example.com", &["192.0.2.2"]);
    assert_eq!(
        dns.hops("sip:example.com;transport=udp"),
        list(&[
            "UDP [2001:db8::1]:5061",
            "UDP 192.0.2.1:5061",
            "UDP [2001:db8::2]:5061",
            "UDP 192.0.2.2:5062"
        ])
    );
}

#[test]
fn weights_share_the_first_place() {
    let mut firsts = BTreeMap::new();
    for seed in 0..2_000 {
        let uri = Uri::parse("sip:example.com;transport=udp").unwrap();
        let mut dns = Dns::default()
            .srv("_sip._udp.example.com", &[(1, 75, 5060, "a.example"), (1, 25, 5060, "b.example")])
            .host("a.example", &["192.0.2.1"])
            .host("b.example", &["192.0.2.2"]);
        let mut resolver = Resolver::new(&uri, &USUAL, Rng::from_seed(seed));
        while let Some(question) = resolver.poll_output() {
            resolver.handle_input(Instant::ZERO, dns.answer(question));
        }
        let hops = resolver.hops().unwrap().clone().unwrap();
        assert_eq!(hops.len(), 2);
        *firsts.entry(hops[0].remote.ip()).or_insert(0) += 1;
    }
    let a = firsts[&"192.0.2.1".parse::<IpAddr>().unwrap()];
    assert!((1_400..1_600).contains(&a), "{a} of 2000");
}

#[test]
fn a_target_of_one_dot_says_no_and_the_host_itself_is_not_tried() {
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(0, 0, 0, ".")])
        .host("example.com", &["192.0.2.1"]);
    let closed = dns.hops("sip:example.com;transport=udp");
    assert_eq!(closed, Err(ResolveError::NotOffered));
    let mut dns = dns
        .srv("_sip._tcp.example.com", &[(1, 1, 5060, "t.example.com")])
        .host("t.example.com", &["192.0.2.3"]);
    assert_eq!(dns.hops("sip:example.com"), list(&["TCP 192.0.2.3:5060"]));
}

#[test]
fn what_is_not_there_and_what_did_not_answer_are_told_apart() {
    assert_eq!(Dns::default().hops("sip:nowhere.example"), Err(ResolveError::NotFound));
    let mut dns = Dns::default().fails(Question::Address("example.com".into()));
    assert_eq!(dns.hops("sip:example.com"), Err(ResolveError::Failed));
    let mut dns = Dns::default()
        .naptr("example.com", &[(1, 1, "SIP+D2U", "_u.example.com")])
        .fails(Question::Srv("_u.example.com".into()));
    assert_eq!(dns.hops("sip:example.com"), Err(ResolveError::Failed));
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(1, 1, 5060, "a.example"), (2, 1, 5060, "b.example")])
        .fails(Question::Address("a.example".into()))
        .host("b.example", &["192.0.2.2"]);
    assert_eq!(dns.hops("sip:example.com;transport=udp"), list(&["UDP 192.0.2.2:5060"]));
    let mut dns = Dns::default()
        .fails(Question::Naptr("example.com".into()))
        .host("example.com", &["192.0.2.1"]);
    assert_eq!(dns.hops("sip:example.com"), list(&["UDP 192.0.2.1:5060"]), "no NAPTR, no harm");
    assert_eq!(ResolveError::Failed.status().as_u16(), 503);
    assert_eq!(ResolveError::NotFound.status().as_u16(), 404);
}

#[test]
fn what_is_no_host_is_never_asked_for() {
    for uri in ["sip:127.1", "sip:a.0x7f", "sip:a..example.com", "sip:2130706433", "sip:-.1.2.3"] {
        let mut dns = Dns::default();
        assert_eq!(dns.hops(uri), Err(ResolveError::NotFound), "{uri}");
        assert!(dns.asked.is_empty(), "{uri}: {:?}", dns.asked);
    }
    let long = format!("sip:{}.example.com", "a".repeat(64));
    assert_eq!(Dns::default().hops(&long), Err(ResolveError::NotFound));
    assert_eq!(Dns::default().hops("tel:+15550100"), Err(ResolveError::NotSip));
}

#[test]
fn no_request_goes_to_everybody_or_nobody() {
    for uri in
        ["sip:0.0.0.0", "sip:224.0.1.75", "sip:255.255.255.255", "sip:[::]", "sip:192.0.2.1:0"]
    {
        assert_eq!(Dns::default().hops(uri), Err(ResolveError::NotFound), "{uri}");
    }
    let mut dns = Dns::default().host("example.com", &["0.0.0.0", "ff02::1", "192.0.2.1"]);
    assert_eq!(dns.hops("sip:example.com:5060"), list(&["UDP 192.0.2.1:5060"]));
}

#[test]
fn a_zone_that_leads_in_circles_or_without_end_ends() {
    // SRV targets are hosts, never services: a circle is a host without addresses.
    let mut dns = Dns::default()
        .naptr("example.com", &[(1, 1, "SIP+D2U", "example.com")])
        .srv("example.com", &[(1, 1, 5060, "example.com")]);
    assert_eq!(dns.hops("sip:example.com"), Err(ResolveError::NotFound));
    assert_eq!(dns.asked.len(), 3);

    let names: Vec<String> = (0..200).map(|n| format!("h{n}.example")).collect();
    let services: Vec<String> = (0..200).map(|n| format!("_s{n}.example")).collect();
    let naptr: Vec<_> = services.iter().map(|name| (1, 1, "SIP+D2U", &**name)).collect();
    let srv: Vec<_> = names.iter().map(|name| (1, 1, 5060, &**name)).collect();
    let mut dns = Dns::default().naptr("example.com", &naptr);
    for service in &services {
        dns = dns.srv(service, &srv);
    }
    for (n, name) in names.iter().enumerate() {
        dns = dns.host(name, &[&format!("10.0.{}.{}", n / 250, 1 + n % 250)]);
    }
    let hops = dns.resolve_over("sip:example.com", &USUAL).unwrap();
    assert!(hops.len() <= 32 && dns.asked.len() <= 100, "{} {}", hops.len(), dns.asked.len());
}

#[test]
fn the_same_place_is_tried_once() {
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(1, 1, 5060, "a.example"), (2, 1, 5060, "b.example")])
        .host("a.example", &["192.0.2.1"])
        .host("b.example", &["192.0.2.1"]);
    assert_eq!(dns.hops("sip:example.com;transport=udp"), list(&["UDP 192.0.2.1:5060"]));
}

#[test]
fn strange_answers_are_passed_over() {
    let uri = Uri::parse("sip:example.com:5060").unwrap();
    let mut resolver = Resolver::new(&uri, &USUAL, Rng::from_seed(1));
    let question = resolver.poll_output().unwrap();
    let answer = |question: &Question, records| Answer {
        question: question.clone(),
        records: Ok(records),
        ttl: Duration::ZERO,
    };
    let address = |text: &str| Records::Address(vec![text.parse().unwrap()]);
    let other = Question::Address("other.example".into());
    resolver.handle_input(Instant::ZERO, answer(&other, address("203.0.113.6")));
    assert!(resolver.hops().is_none());
    let mut wrong = Resolver::new(&uri, &USUAL, Rng::from_seed(1));
    wrong.handle_input(Instant::ZERO, answer(&question, Records::Srv(Vec::new())));
    assert_eq!(wrong.hops(), Some(&Err(ResolveError::NotFound)), "another kind of record");
    resolver.handle_input(Instant::ZERO, answer(&question, address("192.0.2.1")));
    resolver.handle_input(Instant::ZERO, answer(&question, address("203.0.113.6")));
    let hops = resolver.hops().unwrap().clone().unwrap();
    assert_eq!(hops[0].remote, "192.0.2.1:5060".parse().unwrap(), "the first answer counts");
}

#[test]
fn in_a_hurry_what_is_known_must_do() {
    let uri = Uri::parse("sip:example.com;transport=udp").unwrap();
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(1, 1, 5060, "a.example"), (2, 1, 5060, "b.example")])
        .host("b.example", &["192.0.2.2"]);
    let mut resolver = Resolver::new(&uri, &USUAL, Rng::from_seed(1));
    let question = resolver.poll_output().unwrap();
    resolver.handle_input(Instant::ZERO, dns.answer(question));
    let questions = [resolver.poll_output().unwrap(), resolver.poll_output().unwrap()];
    resolver.handle_input(Instant::ZERO, dns.answer(questions[1].clone()));
    assert!(resolver.hops().is_none(), "the first host's addresses are still awaited");
    resolver.hurry();
    assert_eq!(resolver.hops().unwrap().as_ref().unwrap().len(), 1);

    let mut nothing = Resolver::new(&uri, &USUAL, Rng::from_seed(1));
    nothing.hurry();
    assert_eq!(nothing.hops(), Some(&Err(ResolveError::Failed)));
    assert!(nothing.poll_output().is_none());
}

#[test]
fn websocket_is_found_by_its_own_services() {
    let mut dns = Dns::default()
        .naptr("example.com", &[(1, 1, "SIPS+D2W", "_wss.example.com")])
        .srv("_wss.example.com", &[(1, 1, 443, "h.example.com")])
        .host("h.example.com", &["192.0.2.1"]);
    let hops = dns.resolve_over("sips:example.com", &[Ws, Wss]).unwrap();
    assert_eq!((hops[0].transport, hops[0].remote.port()), (Wss, 443));
    let hops = dns.resolve_over("sip:192.0.2.1;transport=ws", &[Wss]).unwrap();
    assert_eq!((hops[0].transport, hops[0].remote.port()), (Wss, 443));
}

#[test]
fn a_second_resolver_of_the_same_domain_asks_only_the_cache() {
    let mut dns = Dns::default()
        .srv("_sip._udp.example.com", &[(1, 1, 5060, "a.example")])
        .host("a.example", &["192.0.2.1"]);
    let mut cache = Cache::new(100);
    for round in 0..2 {
        let uri = Uri::parse("sip:example.com").unwrap();
        let mut resolver = Resolver::new(&uri, &USUAL, Rng::from_seed(round));
        while let Some(question) = resolver.poll_output() {
            let answer = cache.get(Instant::ZERO, &question).unwrap_or_else(|| {
                let answer = dns.answer(question.clone());
                cache.put(Instant::ZERO, &answer);
                answer
            });
            resolver.handle_input(Instant::ZERO, answer);
        }
        assert_eq!(resolver.hops().unwrap().as_ref().unwrap().len(), 1);
        assert_eq!(dns.asked.len(), 4, "NAPTR and one SRV were not there: that is known too");
    }
}
