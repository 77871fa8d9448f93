//! Whose call it is: trunks by source, certificate and password; several at one source.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{directory, tenant};
use routing::{Directory, Provisioning, route_among};

const TWO_TENANTS: &str = r#"
[[tenants]]
id = "acme"
domain = "a.example"
flows = [{ id = "bye", steps = [{ do = "hangup" }] }]
numbers = [{ number = "+4930123", flow = "bye" }]
[[tenants]]
id = "globex"
domain = "g.example"
flows = [{ id = "bye", steps = [{ do = "hangup" }] }]
numbers = [{ number = "+4930124", flow = "bye" }]
"#;

fn found(house: &Directory, source: &str, names: &[&str]) -> Vec<String> {
    let trunks = house.trunks_for(source.parse().unwrap(), names);
    trunks.iter().map(|trunk| trunk.id.to_string()).collect()
}

#[test]
fn everything_that_a_trunk_lists_must_hold() {
    let house = directory(
        r#"trunks = [
            { id = "plain", sources = ["192.0.2.0/24"] },
            { id = "certified", sources = ["192.0.2.7"], certificates = ["edge.example"] },
            { id = "roaming", certificates = ["Mobile.Example"] },
            { id = "login", credentials = { user = "pbx", password = "a-password" } },
            { id = "outbound", targets = [{ uri = "sip:192.0.2.9" }] },
        ]"#,
    );
    assert_eq!(found(&house, "192.0.2.7", &["EDGE.example", "x"]), ["certified"]);
    assert_eq!(found(&house, "192.0.2.7", &[]), ["plain"], "no certificate: the wider network");
    assert_eq!(found(&house, "203.0.113.1", &["mobile.example"]), ["roaming", "login"]);
    assert_eq!(found(&house, "203.0.113.1", &[]), ["login"], "who must still prove the password");
    assert_eq!(house.trunk_by_credentials("pbx").unwrap().id.as_str(), "login");
    assert!(house.trunk_by_credentials("PBX").is_none());
}

#[test]
fn the_called_number_tells_trunks_at_one_source_apart() {
    let house = directory(&format!(
        r#"trunks = [
            {{ id = "for-acme", sources = ["192.0.2.7"], tenants = ["acme"] }},
            {{ id = "for-globex", sources = ["192.0.2.7"], tenants = ["globex"] }},
        ]
        {TWO_TENANTS}"#
    ));
    let trunks = house.trunks_for::<&str>("192.0.2.7".parse().unwrap(), &[]);
    let whose = |dialled: &str| {
        let (trunk, route) = route_among(&house, &trunks, dialled).ok()?;
        Some((trunk.id.to_string(), route.tenant))
    };
    assert_eq!(whose("+4930123"), Some(("for-acme".to_owned(), tenant("acme"))));
    assert_eq!(whose("+4930124"), Some(("for-globex".to_owned(), tenant("globex"))));
    assert_eq!(whose("+4930125"), None);
}

#[test]
fn trunks_at_one_source_that_nothing_tells_apart_are_refused() {
    let build = |first: &str, second: &str| {
        let toml = format!(
            r#"trunks = [
                {{ id = "one", sources = ["192.0.2.7"] {first} }},
                {{ id = "two", sources = ["192.0.2.7"] {second} }},
            ]
            {TWO_TENANTS}"#
        );
        Directory::build(toml::from_str::<Provisioning>(&toml).unwrap())
            .err()
            .map(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let told = build("", "").unwrap();
    assert_eq!(
        told,
        ["trunks.two.sources: 192.0.2.7 is a source of trunk \"one\" already; list it once, or \
          tell the two apart: by credentials, by certificates, or by tenants that have nothing \
          in common"]
    );
    let login = |user: &str| format!(", credentials = {{ user = \"{user}\", password = \"pw\" }}");
    let certificate = |name: &str| format!(", certificates = [\"{name}\"]");
    assert!(build(&login("a"), "").is_some());
    assert!(build(&certificate("a"), &certificate("A")).is_some());
    assert!(build(", tenants = [\"acme\"]", ", tenants = [\"acme\", \"globex\"]").is_some());
    assert_eq!(build(&login("a"), &login("b")), None);
    assert_eq!(build(&certificate("a"), &certificate("b")), None);
    assert_eq!(build(", tenants = [\"acme\"]", ", tenants = [\"globex\"]"), None);
}

#[test]
fn where_calls_go_is_the_targets_by_priority_else_the_registrar() {
    let house = directory(
        r#"trunks = [
            { id = "two", targets = [
                { uri = "sip:b.example", priority = 2 }, { uri = "sip:a.example", priority = 1 } ] },
            { id = "registered", probe_s = 0,
              register = { registrar = "sip:r.example", aor = "sip:u@r.example" } },
            { id = "inbound", sources = ["192.0.2.1"] },
        ]"#,
    );
    let targets = |id: &str| -> Vec<String> {
        let trunk = house.trunk(&base::TrunkId::new(id).unwrap()).unwrap();
        trunk.outbound_targets().into_iter().map(|target| target.uri).collect()
    };
    assert_eq!(targets("two"), ["sip:a.example", "sip:b.example"]);
    assert_eq!(targets("registered"), ["sip:r.example"]);
    assert!(targets("inbound").is_empty());
}
