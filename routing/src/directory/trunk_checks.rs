//! The checks on trunks: each by itself, and between those that share a source.

use std::collections::{BTreeMap, BTreeSet};

use base::TenantId;

use super::Directory;
use super::names::{Findings, within};
use crate::{
    Country, Credentials, Network, NetworkError, NumberFormat, NumberRule, Provisioning, Trunk,
    TrunkStir, header,
};

/// The codecs there are.
const CODECS: [&str; 4] = ["PCMU", "PCMA", "G722", "opus"];

/// A list of codecs, of a trunk, a tenant or an agent.
pub(super) fn codecs(listed: &[String], path: impl std::fmt::Display, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (place, codec) in listed.iter().enumerate() {
        let path = format!("{path}[{place}]");
        if !CODECS.iter().any(|known| known.eq_ignore_ascii_case(codec)) {
            let cure = format!("use one of: {}", CODECS.join(", "));
            found.add(&path, format_args!("there is no codec {codec:?}"), cure);
        }
        if !seen.insert(codec.to_ascii_uppercase()) {
            found.add(path, format_args!("{codec:?} is listed twice"), "list it once");
        }
    }
}

pub(super) fn trunks(
    provisioning: &Provisioning,
    tenants: &BTreeMap<TenantId, usize>,
    found: &mut Findings,
) {
    let mut users: BTreeMap<&str, &Trunk> = BTreeMap::new();
    for trunk in &provisioning.trunks {
        let checked = Checked { trunk, path: format!("trunks.{}", trunk.id) };
        checked.sources(found);
        checked.ways(found);
        checked.tenants(tenants, found);
        checked.limits(found);
        checked.media(found);
        checked.headers(found);
        checked.numbers(found);
        checked.stir(found);
        if let Some(credentials) = &trunk.credentials
            && let Some(other) = users.insert(&credentials.user, trunk)
        {
            found.add(
                checked.at("credentials.user"),
                format_args!(
                    "{:?} is the user of trunk \"{}\" already",
                    credentials.user, other.id
                ),
                "give each trunk a user of its own",
            );
        }
    }
}

struct Checked<'a> {
    trunk: &'a Trunk,
    path: String,
}

impl Checked<'_> {
    fn at(&self, rest: impl std::fmt::Display) -> String {
        format!("{}.{rest}", self.path)
    }

    fn sources(&self, found: &mut Findings) {
        let mut seen = BTreeSet::new();
        for (place, text) in self.trunk.sources.iter().enumerate() {
            let path = self.at(format_args!("sources[{place}]"));
            let network = match text.parse::<Network>() {
                Ok(network) => network,
                Err(error) => {
                    let problem = format!("{text:?} is not a network: {error}");
                    found.add(path, problem, network_cure(&error));
                    continue;
                }
            };
            if network.prefix() == 0 {
                found.add(
                    &path,
                    format_args!("{text} makes every stranger this carrier"),
                    "list the carrier's own addresses",
                );
            }
            if !seen.insert(network) {
                let problem =
                    format!("{network} is a source of trunk \"{}\" already", self.trunk.id);
                found.add(path, problem, "list it once");
            }
        }
        for (place, name) in self.trunk.certificates.iter().enumerate() {
            if !is_host(name) {
                found.add(
                    self.at(format_args!("certificates[{place}]")),
                    format_args!("{name:?} is not a name that a certificate has"),
                    "write the whole name, such as \"edge.carrier.example\"",
                );
            }
        }
    }

    /// The ways in and out: proofs, targets, registration.
    fn ways(&self, found: &mut Findings) {
        let trunk = self.trunk;
        let proves_nothing = trunk.sources.is_empty()
            && trunk.certificates.is_empty()
            && trunk.credentials.is_none();
        if proves_nothing && !trunk.takes_calls() {
            found.add(
                self.at("sources"),
                "no call can come from this trunk and none can go to it",
                "list the addresses it sends from, or targets for calls to it",
            );
        }
        for (key, credentials) in
            [("credentials", &trunk.credentials), ("authenticate", &trunk.authenticate)]
        {
            if let Some(credentials) = credentials {
                self.credentials(key, credentials, found);
            }
        }
        for (place, target) in trunk.targets.iter().enumerate() {
            self.address(&format!("targets[{place}].uri"), &target.uri, false, found);
            if target.weight == 0 {
                found.add(
                    self.at(format_args!("targets[{place}].weight")),
                    "a target of weight 0 gets no calls",
                    "write 1 or more, or remove the target",
                );
            }
        }
        if let Some(register) = &trunk.register {
            self.address("register.registrar", &register.registrar, false, found);
            self.address("register.aor", &register.aor, true, found);
            within(&self.at("register.expires_s"), register.expires_s, 60..=86_400, found);
            let user = register.contact_user.as_deref();
            if user.is_some_and(|user| user.is_empty() || !user.bytes().all(is_user_byte)) {
                found.add(
                    self.at("register.contact_user"),
                    format_args!("{:?} cannot be the user of an address", user.unwrap_or("")),
                    "write letters, digits and any of \"+-_.\", such as \"4930123\"",
                );
            }
        }
        if let Some(seconds) = trunk.probe_s.filter(|seconds| *seconds != 0) {
            within(&self.at("probe_s"), seconds, 5..=3600, found);
        }
        if trunk.emergency && !trunk.takes_calls() {
            found.add(
                self.at("emergency"),
                "emergency calls cannot go out over a trunk without targets",
                "add targets, or leave emergency out",
            );
        }
    }

    fn credentials(&self, key: &str, credentials: &Credentials, found: &mut Findings) {
        let fits = |c: char| !c.is_control() && c != '"' && c != '\\';
        if credentials.user.is_empty() || !credentials.user.chars().all(fits) {
            found.add(
                self.at(format_args!("{key}.user")),
                format_args!("{:?} cannot be a user name", credentials.user),
                "write the name without quotes and backslashes",
            );
        }
        let password = self.at(format_args!("{key}.password"));
        if credentials.password.is_empty() {
            found.add(password, "the password is empty", "write a long random one");
        } else if key == "credentials" && credentials.password.as_str() == credentials.user {
            found.add(password, "the password is the user's name", "write a long random one");
        }
        if credentials.realm.as_ref().is_some_and(|realm| !realm.chars().all(fits)) {
            found.add(
                self.at(format_args!("{key}.realm")),
                "a realm has no quotes and no backslashes",
                "write it as the carrier's challenge has it, or leave it out",
            );
        }
    }

    /// A SIP address, with a user or without one.
    fn address(&self, key: &str, text: &str, has_user: bool, found: &mut Findings) {
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix("sips:").or_else(|| lower.strip_prefix("sip:"));
        let (user, host) = match rest.map(|rest| rest.split_once('@').ok_or(rest)) {
            Some(Ok((user, host))) => (Some(user), host),
            Some(Err(host)) => (None, host),
            None => (None, ""),
        };
        let user_fits = match user {
            Some(user) => has_user && !user.is_empty() && user.bytes().all(is_user_byte),
            None => !has_user,
        };
        if !user_fits || !is_host_port(host) {
            let cure = if has_user {
                "write an address such as \"sip:4930123@carrier.example\""
            } else {
                "write an address such as \"sip:carrier.example;transport=tls\""
            };
            found.add(self.at(key), format_args!("{text:?} is not such a SIP address"), cure);
        }
    }

    fn tenants(&self, tenants: &BTreeMap<TenantId, usize>, found: &mut Findings) {
        for (place, tenant) in self.trunk.tenants.iter().flatten().enumerate() {
            if !tenants.contains_key(tenant) {
                let path = self.at(format_args!("tenants[{place}]"));
                found.unknown(path, "tenant", tenant, tenants.keys(), "[[tenants]]");
            }
        }
    }

    fn limits(&self, found: &mut Findings) {
        let trunk = self.trunk;
        for (name, limit) in [
            ("concurrent_calls", trunk.concurrent_calls),
            ("calls_per_second", trunk.calls_per_second),
        ] {
            if limit == Some(0) {
                found.add(
                    self.at(name),
                    "0 lets no call through",
                    "leave it out for no limit, or remove the trunk",
                );
            }
        }
    }

    fn media(&self, found: &mut Findings) {
        codecs(&self.trunk.codecs, self.at("codecs"), found);
    }

    fn headers(&self, found: &mut Findings) {
        for (place, rule) in self.trunk.headers.iter().enumerate() {
            if let Some((problem, cure)) = header::fault(rule) {
                found.add(self.at(format_args!("headers[{place}]")), problem, cure);
            }
        }
    }

    fn numbers(&self, found: &mut Findings) {
        let country = self.trunk.country.as_deref();
        check_country(&self.at("country"), country, found);
        if self.trunk.format == NumberFormat::National && country.is_none() {
            found.add(
                self.at("format"),
                "national numbers are of some country, but of which?",
                "write country = \"...\", or another format",
            );
        }
        let mut before: Vec<&NumberRule> = Vec::new();
        for (place, rule) in self.trunk.numbers.iter().enumerate() {
            let path = self.at(format_args!("numbers[{place}]"));
            for (key, text) in [("prefix", &rule.prefix), ("prepend", &rule.prepend)] {
                if text.len() > 32 || !text.bytes().all(is_dialled_byte) {
                    found.add(
                        format_args!("{path}.{key}"),
                        format_args!("{text:?} is not part of a number"),
                        "write up to 32 digits, \"+\", \"*\" and \"#\"",
                    );
                }
            }
            if rule.strip > 32 {
                let strip = u32::from(rule.strip);
                within(&format!("{path}.strip"), strip, 0..=32, found);
            }
            let hides = |other: &&NumberRule| {
                other.direction == rule.direction
                    && other.which == rule.which
                    && rule.prefix.starts_with(&other.prefix)
            };
            if let Some(other) = before.iter().find(|other| hides(other)) {
                found.add(
                    path,
                    format_args!("the rule before it with prefix {:?} fits first", other.prefix),
                    "put the longer prefix first, or remove the rule",
                );
            }
            before.push(rule);
        }
    }

    fn stir(&self, found: &mut Findings) {
        let Some(TrunkStir { verify, require, sign }) = &self.trunk.stir else { return };
        if *require && !*verify {
            found.add(
                self.at("stir.require"),
                "a signature that is not verified cannot be required",
                "write verify = true, or leave require out",
            );
        }
        let Some(key) = sign else { return };
        let url = key.certificate_url.strip_prefix("https://");
        if !url.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic())) {
            found.add(
                self.at("stir.sign.certificate_url"),
                format_args!("{:?} is not an https URL", key.certificate_url),
                "write where others find the certificate, such as \"https://certs.example/a.pem\"",
            );
        }
        if !key.private_key.contains("-----BEGIN PRIVATE KEY-----") {
            found.add(
                self.at("stir.sign.private_key"),
                "this is not a private key in PKCS #8 PEM",
                "write the text from \"-----BEGIN PRIVATE KEY-----\" on",
            );
        }
    }
}

/// Trunks that share a source must be told apart by something else.
pub(super) fn between(directory: &Directory, found: &mut Findings) {
    recording_servers(directory, found);
    let trunks = &directory.provisioning.trunks;
    for (network, places) in directory.proofs.shared() {
        for (nth, at) in places.iter().enumerate() {
            let Some(trunk) = trunks.get(*at) else { continue };
            let before = places.iter().take(nth).filter_map(|first| trunks.get(*first));
            for other in before.filter(|other| other.id != trunk.id) {
                if !told_apart(directory, trunk, other) {
                    found.add(
                        format_args!("trunks.{}.sources", trunk.id),
                        format_args!("{network} is a source of trunk \"{}\" already", other.id),
                        "list it once, or tell the two apart: by credentials, by certificates, \
                         or by tenants that have nothing in common",
                    );
                }
            }
        }
    }
}

/// The recording servers that trunks name: trunks themselves, and other ones.
fn recording_servers(directory: &Directory, found: &mut Findings) {
    for trunk in &directory.provisioning.trunks {
        for (place, server) in trunk.siprec.iter().enumerate() {
            let path = format!("trunks.{}.siprec[{place}]", trunk.id);
            match directory.trunk(server) {
                None => {
                    let known = directory.provisioning.trunks.iter().map(|trunk| &trunk.id);
                    found.unknown(path, "trunk", server, known, "[[trunks]]");
                }
                Some(named) if named.id == trunk.id => found.add(
                    path,
                    "the trunk would record itself",
                    "name the trunk to the recording server",
                ),
                Some(named) if !named.takes_calls() => found.add(
                    path,
                    format_args!("calls cannot go out over \"{server}\": it has no targets"),
                    format_args!("add targets to trunks.{server}"),
                ),
                Some(_) => {}
            }
        }
    }
}

fn told_apart(directory: &Directory, a: &Trunk, b: &Trunk) -> bool {
    let certificates = !a.certificates.is_empty()
        && !b.certificates.is_empty()
        && a.certificates.iter().all(|n| b.certificates.iter().all(|m| !n.eq_ignore_ascii_case(m)));
    let credentials = a.credentials.is_some() && b.credentials.is_some();
    let of_both = |tenant: &crate::Tenant| {
        directory.trunk_serves(a, &tenant.id) && directory.trunk_serves(b, &tenant.id)
    };
    certificates || credentials || !directory.tenants().any(of_both)
}

pub(super) fn check_country(path: &str, country: Option<&str>, found: &mut Findings) {
    if let Some(country) = country.filter(|iso| Country::new(iso).is_none()) {
        found.add(
            path,
            format_args!("{country:?} is not a country with telephone numbers"),
            "write its two letters by ISO 3166-1, such as \"DE\"",
        );
    }
}

fn network_cure(error: &NetworkError) -> String {
    match error {
        NetworkError::HostBits(meant) => {
            let meant = meant.to_string();
            format!("write {meant:?}, or the one address without its prefix")
        }
        _ => "write an address or a block, such as \"192.0.2.7\" or \"192.0.2.0/24\"".to_owned(),
    }
}

/// `carrier.example`, `192.0.2.7:5060`, `[2001:db8::1];transport=tcp`.
fn is_host_port(text: &str) -> bool {
    let (host_port, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameter = |b: u8| b.is_ascii_alphanumeric() || b"-=;_.".contains(&b);
    let (host, port) = match host_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, rest)) => {
            if v6.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, rest.strip_prefix(':').or(if rest.is_empty() { None } else { Some("") }))
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(host_port), None),
        },
    };
    host.is_none_or(is_host)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
        && parameters.bytes().all(parameter)
}

fn is_host(name: &str) -> bool {
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(fits)
}

fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-_.!~*'()&=$,".contains(&byte)
}

fn is_dialled_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+*#".contains(&byte)
}
