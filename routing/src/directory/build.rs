//! From provisioning to a directory: the indexes, the lines of parents, and the checks between
//! tenants. What concerns one tenant alone is in `checks`.

use std::collections::{BTreeMap, BTreeSet};

use base::TenantId;

use super::dialling::Dialling;
use super::names::Findings;
use super::{Directory, ProvisioningError, TenantIndex, checks, dial_checks, trunk_checks, trunks};
use crate::{E164, Provisioning, Role, Tenant};

pub(super) fn build(provisioning: Provisioning) -> Result<Directory, Vec<ProvisioningError>> {
    let mut found = Findings::default();
    let by_name = found.index("tenants", provisioning.tenants.iter().map(|t| &t.id));
    let trunks = found.index("trunks", provisioning.trunks.iter().map(|t| &t.id));
    trunk_checks::trunks(&provisioning, &by_name, &mut found);
    let domains = domains(&provisioning.tenants, &mut found);
    let numbers = numbers(&provisioning.tenants, &mut found);
    let lines = lines(&provisioning.tenants, &by_name, &mut found);
    keys(&provisioning, &mut found);
    let mut tenants = BTreeMap::new();
    for (at, (tenant, line)) in provisioning.tenants.iter().zip(lines).enumerate() {
        let index = index_tenant(&provisioning.tenants, at, line, &mut found);
        checks::tenant(&provisioning.tenants, tenant, &index, &mut found);
        tenants.entry(tenant.id.clone()).or_insert(index);
    }
    let proofs = trunks::Proofs::gather(&provisioning.trunks);
    let directory = Directory { provisioning, tenants, domains, numbers, trunks, proofs };
    trunk_checks::between(&directory, &mut found);
    dial_checks::dialling(&directory, &mut found);
    let errors = found.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(directory)
}

fn index_tenant(
    tenants: &[Tenant],
    at: usize,
    line: Vec<usize>,
    found: &mut Findings,
) -> TenantIndex {
    let tenant = &tenants[at];
    let list = |name: &str| format!("tenants.{}.{name}", tenant.id);
    found.index(&list("skills"), tenant.skills.iter().map(|s| &s.id));
    let limits = line
        .iter()
        .skip(1)
        .fold(tenant.limits.clone(), |limits, above| limits.within(&tenants[*above].limits));
    let dialling = Dialling::gather(tenants, &line);
    TenantIndex {
        at,
        line,
        dialling,
        limits,
        agents: found.index(&list("agents"), tenant.agents.iter().map(|a| &a.id)),
        queues: found.index(&list("queues"), tenant.queues.iter().map(|q| &q.id)),
        flows: found.index(&list("flows"), tenant.flows.iter().map(|f| &f.id)),
        prompts: found.index(&list("prompts"), tenant.prompts.iter().map(|p| &p.id)),
    }
}

fn domains(tenants: &[Tenant], found: &mut Findings) -> BTreeMap<String, usize> {
    let mut domains: BTreeMap<String, usize> = BTreeMap::new();
    for (at, tenant) in tenants.iter().enumerate() {
        let path = format!("tenants.{}.domain", tenant.id);
        let domain = tenant.domain.to_ascii_lowercase();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if domain.is_empty() || domain.len() > 253 || !domain.bytes().all(fits) {
            found.add(
                path,
                format_args!("{:?} is not a domain", tenant.domain),
                "write the domain its agents register in, such as \"acme.example\"",
            );
        } else if let Some(first) = domains.get(&domain) {
            let other = &tenants[*first].id;
            found.add(
                path,
                format_args!("{domain:?} is the domain of tenant \"{other}\" already"),
                "give each tenant a domain of its own",
            );
        } else {
            domains.insert(domain, at);
        }
    }
    domains
}

fn numbers(tenants: &[Tenant], found: &mut Findings) -> BTreeMap<E164, (usize, usize)> {
    let mut numbers: BTreeMap<E164, (usize, usize)> = BTreeMap::new();
    for (at, tenant) in tenants.iter().enumerate() {
        for (place, entry) in tenant.numbers.iter().enumerate() {
            let path = format!("tenants.{}.numbers[{place}].number", tenant.id);
            let number = E164::normalise(&entry.number);
            let starts_with_plus = entry.number.trim_start().starts_with('+');
            match number {
                Ok(number) if starts_with_plus => {
                    if let Some((first, at_first)) = numbers.get(&number) {
                        let other = &tenants[*first].id;
                        found.add(
                            path,
                            format_args!("{number} is tenants.{other}.numbers[{at_first}] already"),
                            "a number belongs to one tenant and one flow: list it once",
                        );
                    } else {
                        numbers.insert(number, (at, place));
                    }
                }
                Ok(number) => found.add(
                    path,
                    format_args!("{:?} is not in E.164 form", entry.number),
                    format_args!("write {:?} if that is what is meant", number.as_str()),
                ),
                Err(error) => found.add(
                    path,
                    format_args!("{:?} is not in E.164 form: {error}", entry.number),
                    "write \"+\", the country code and the number, such as \"+15550100\"",
                ),
            }
        }
    }
    numbers
}

/// For each tenant the places of itself and its parents, nearest first.
fn lines(
    tenants: &[Tenant],
    by_name: &BTreeMap<TenantId, usize>,
    found: &mut Findings,
) -> Vec<Vec<usize>> {
    let mut lines = Vec::with_capacity(tenants.len());
    for (at, tenant) in tenants.iter().enumerate() {
        let path = format!("tenants.{}.parent", tenant.id);
        let mut line = vec![at];
        let mut seen = BTreeSet::from([at]);
        let mut below = tenant;
        while let Some(parent) = &below.parent {
            let Some(above) = by_name.get(parent).copied() else {
                if line.len() == 1 {
                    let others = by_name.keys().filter(|id| **id != tenant.id);
                    found.unknown(&path, "tenant", parent, others, "[[tenants]]");
                }
                break;
            };
            if !seen.insert(above) {
                // Told once a circle, by its first tenant.
                if above == at && line.iter().all(|place| *place >= at) {
                    let circle: Vec<&str> =
                        line.iter().chain([&at]).map(|p| tenants[*p].id.as_str()).collect();
                    found.add(
                        &path,
                        format_args!("the parents go in a circle: {}", circle.join(" -> ")),
                        "remove the parent of the one that stands on top",
                    );
                }
                break;
            }
            line.push(above);
            below = &tenants[above];
        }
        lines.push(line);
    }
    lines
}

/// Keys, the platform's and every tenant's: strong enough, and no key twice.
fn keys(provisioning: &Provisioning, found: &mut Findings) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    let platform = provisioning.platform_keys.iter().enumerate();
    let platform = platform.map(|(at, key)| (format!("platform_keys[{at}]"), None, key));
    let tenants = provisioning.tenants.iter().flat_map(|tenant| {
        let keys = tenant.api_keys.iter().enumerate();
        keys.map(move |(at, key)| {
            (format!("tenants.{}.api_keys[{at}]", tenant.id), Some(tenant), key)
        })
    });
    for (path, tenant, key) in platform.chain(tenants) {
        let place = format!("{path}.key");
        if key.key.is_empty() {
            found.add(&place, "the key is empty", "write a long random key");
        } else if key.key.len() < 24 && !key.loopback_only {
            found.add(
                &place,
                "a key of fewer than 24 characters can be guessed",
                "write a longer one, or set loopback_only = true for a trial",
            );
        }
        if let Some(first) = seen.insert(key.key.as_str(), path.clone()) {
            found.add(&place, format_args!("{first} has the same key"), "make each key its own");
        }
        check_role(&path, tenant, key, found);
    }
}

fn check_role(path: &str, tenant: Option<&Tenant>, key: &crate::ApiKey, found: &mut Findings) {
    let role = format!("{path}.role");
    match (tenant, key.role) {
        (None, Role::Platform) => {}
        (None, _) => {
            found.add(
                role,
                "a platform key has the role \"platform\"",
                "write role = \"platform\"",
            );
        }
        (Some(_), Role::Platform) => found.add(
            role,
            "a tenant's key cannot open the platform",
            "move it to [[platform_keys]], or give it another role",
        ),
        (Some(tenant), role) => match &key.agent {
            None if role == Role::Agent => found.add(
                format_args!("{path}.agent"),
                "a key with the role \"agent\" speaks for one agent",
                "write agent = \"...\"",
            ),
            Some(agent) if tenant.agents.iter().all(|a| a.id != *agent) => {
                let known = tenant.agents.iter().map(|a| &a.id);
                let place = format!("[[tenants.agents]] of {}", tenant.id);
                found.unknown(format_args!("{path}.agent"), "agent", agent, known, &place);
            }
            None | Some(_) => {}
        },
    }
}
