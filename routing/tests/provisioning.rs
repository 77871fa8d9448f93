//! Provisioning: everything that is wrong is told at once, with the place and the cure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::net::IpAddr;
use std::path::Path;

use base::{PromptId, TrunkId};
use rig::{ACME, directory, queue, tenant};
use routing::{Directory, Provisioning, RouteRefusal, Step, route};

fn errors(toml: &str) -> Vec<String> {
    let provisioning: Provisioning = toml::from_str(toml).unwrap();
    match Directory::build(provisioning) {
        Ok(_) => vec![],
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_the_place_and_the_cure() {
    let told = errors(include_str!("wrong.toml"));
    let expected: Vec<&str> = include_str!("wrong.txt").lines().collect();
    assert_eq!(told, expected);
}

#[test]
fn parents_that_go_in_a_circle_are_told_once() {
    let tenant = |id: &str, parent: &str| {
        format!("[[tenants]]\nid = \"{id}\"\ndomain = \"{id}.example\"\nparent = \"{parent}\"\n")
    };
    let circle = [tenant("a", "b"), tenant("b", "c"), tenant("c", "a"), tenant("d", "a")];
    assert_eq!(
        errors(&circle.concat()),
        ["tenants.a.parent: the parents go in a circle: a -> b -> c -> a; remove the parent of \
          the one that stands on top"]
    );
    assert_eq!(
        errors(&tenant("self", "self")),
        ["tenants.self.parent: the parents go in a circle: self -> self; remove the parent of \
          the one that stands on top"]
    );
}

#[test]
fn flows_that_branch_in_a_circle_or_to_nowhere_are_told() {
    let flow = |id: &str, step: &str| {
        format!("[[tenants.flows]]\nid = \"{id}\"\nsteps = [{{ do = \"branch\", {step} }}]\n")
    };
    let flows = [
        flow("a", "signature = [\"A\", \"failed\"], flow = \"b\""),
        flow("b", "signature = [\"none\"], flow = \"a\""),
        flow("c", "signature = [], flow = \"d\""),
        flow("e", "signature = [\"unchecked\"], flow = \"a\""),
    ];
    let told = errors(&format!("[[tenants]]\nid = \"x\"\ndomain = \"x\"\n{}", flows.concat()));
    let want = [
        "tenants.x.flows.a.steps: the flow branches back to itself; remove one of the branches",
        "tenants.x.flows.b.steps: the flow branches back to itself; remove one of the branches",
    ];
    assert_eq!(told[..2], want);
    assert!(told[2].starts_with("tenants.x.flows.c.steps[0].flow: "), "{}", told[2]);
    assert!(told[3].starts_with("tenants.x.flows.c.steps[0].signature: "), "{}", told[3]);
    assert_eq!(told.len(), 4, "a way into the circle is none: {told:?}");
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let error =
        toml::from_str::<Provisioning>("[[tenants]]\nid = \"a\"\ndomain = \"a\"\nagnets = []")
            .unwrap_err()
            .to_string();
    assert!(error.contains("agnets"), "{error}");
    assert!(error.contains("line 4"), "{error}");
}

#[test]
fn a_subtenant_inherits_prompts_and_skills_and_the_narrower_limits() {
    let toml = format!(
        "{ACME}limits = {{ concurrent_calls = 10, recording = false, retention_days = 30 }}
        [[tenants]]
        id = \"agency\"
        domain = \"agency.example\"
        parent = \"acme\"
        limits = {{ concurrent_calls = 50, calls_per_second = 2, retention_days = 7 }}
        prompts = [{{ id = \"hello\", file = \"hello.wav\" }}]
        queues = [{{ id = \"sales\", needs = [\"billing\"], music = \"music\" }}]
        "
    );
    let directory = directory(&toml);
    let limits = directory.limits(&tenant("agency")).unwrap();
    assert_eq!((limits.concurrent_calls, limits.calls_per_second), (Some(10), Some(2)));
    assert_eq!((limits.recording, limits.retention_days), (false, Some(7)));
    assert!(!directory.records(&tenant("agency"), &queue("sales")));
    let prompt = |of: &str, id: &str| {
        let found = directory.prompt(&tenant(of), &PromptId::new(id).unwrap());
        found.map(|(owner, _)| owner.to_string())
    };
    assert_eq!(prompt("agency", "music").as_deref(), Some("acme"));
    assert_eq!(prompt("agency", "hello").as_deref(), Some("agency"));
    assert_eq!(prompt("acme", "hello"), None);
}

#[test]
fn the_longest_prefix_says_whose_call_it_is_and_a_stranger_is_nobodys() {
    let directory = directory(
        "trunks = [
            { id = \"wide\", sources = [\"192.0.2.0/24\", \"2001:db8::/32\"] },
            { id = \"narrow\", sources = [\"192.0.2.64/26\", \"192.0.2.7\"] },
        ]",
    );
    let trunk = |text: &str| directory.trunk_of(address(text)).map(|t| t.id.to_string());
    assert_eq!(trunk("192.0.2.1").as_deref(), Some("wide"));
    assert_eq!(trunk("192.0.2.7").as_deref(), Some("narrow"));
    assert_eq!(trunk("192.0.2.65").as_deref(), Some("narrow"));
    assert_eq!(trunk("::ffff:192.0.2.7").as_deref(), Some("narrow"));
    assert_eq!(trunk("2001:db8::9").as_deref(), Some("wide"));
    assert_eq!(trunk("192.0.3.1"), None);
    assert_eq!(trunk("::1"), None);
}

#[test]
fn a_number_leads_to_its_tenants_flow_and_the_reasons_say_how() {
    let demo = directory(&demo());
    let trunk = demo.trunk(&TrunkId::new("carrier-a").unwrap()).unwrap();
    let found = route(&demo, trunk, "sip:0015550101@engine.example").unwrap();
    assert_eq!((found.tenant.as_str(), found.flow.as_str()), ("acme", "support"));
    assert_eq!(
        found.reasons,
        [
            "\"sip:0015550101@engine.example\" was dialled, which is +15550101",
            "+15550101 belongs to tenant acme",
            "its calls take the flow support",
        ]
    );
    let refused = |dialled: &str| route(&demo, trunk, dialled).unwrap_err().to_string();
    assert_eq!(refused("+15550999"), "no tenant has the number +15550999");
    assert!(refused("sales").starts_with("what was dialled is not a number"));
}

#[test]
fn a_trunk_that_lists_tenants_calls_them_and_their_subtenants_only() {
    let toml = "
        trunks = [{ id = \"t\", sources = [\"192.0.2.1\"], tenants = [\"acme\"] }]
        tenants = [
            { id = \"acme\", domain = \"a.example\" },
            { id = \"agency\", domain = \"b.example\", parent = \"acme\",
              flows = [{ id = \"bye\", steps = [{ do = \"hangup\" }] }],
              numbers = [{ number = \"+4930123\", flow = \"bye\" }] },
            { id = \"globex\", domain = \"c.example\",
              flows = [{ id = \"bye\", steps = [{ do = \"hangup\" }] }],
              numbers = [{ number = \"+4930124\", flow = \"bye\" }] },
        ]";
    let directory = directory(toml);
    let trunk = directory.trunk_of(address("192.0.2.1")).unwrap();
    assert_eq!(route(&directory, trunk, "+4930123").unwrap().tenant, tenant("agency"));
    let refusal = route(&directory, trunk, "+4930124").unwrap_err();
    assert!(matches!(refusal, RouteRefusal::TrunkNotAllowed(_)));
    // The trunk's tenant reads the reason; whose number it is, is not told.
    assert_eq!(refusal.to_string(), "the trunk may not call the number +4930124");
}

#[test]
fn what_cannot_be_played_or_said_is_told_with_its_place() {
    let told = errors(
        "[[tenants]]
        id = \"x\"
        domain = \"x.example\"
        language = \"fr\"
        prompts = [
            { id = \"a\", file = \"a.wav\", tone = \"busy\" },
            { id = \"b\" },
            { id = \"c\", tone = \"howler\" },
            { id = \"d\", playlist = [\"nobody\"] },
            { id = \"e\", playlist = [\"d\"] },
            { id = \"f\", file = \"../f.wav\" },
            { id = \"fine\", tone = \"beep\" },
            { id = \"say.en.1\", file = \"one.wav\" },
        ]
        [[tenants.flows]]
        id = \"main\"
        steps = [
            { do = \"say\", say = \"digits\", value = \" \" },
            { do = \"say\", say = \"time\", value = \"15:05\", language = \"xx\" },
            { do = \"play\", prompt = \"fine\" },
        ]",
    );
    let places: Vec<&str> = told.iter().filter_map(|error| error.split(": ").next()).collect();
    assert_eq!(
        places,
        [
            "tenants.x.flows.main.steps[0].value",
            "tenants.x.flows.main.steps[1].language",
            "tenants.x.language",
            "tenants.x.prompts.a",
            "tenants.x.prompts.b",
            "tenants.x.prompts.c.tone",
            "tenants.x.prompts.d.playlist[0]",
            "tenants.x.prompts.e.playlist[0]",
            "tenants.x.prompts.f.file",
        ]
    );
}

#[test]
fn no_password_or_key_is_shown_when_provisioning_is_printed() {
    let demo: Provisioning = toml::from_str(&demo()).unwrap();
    let shown = format!("{demo:?}");
    assert!(!shown.contains("alice-secret") && !shown.contains("demo-platform"));
    let stored = serde_json::to_string(&demo).unwrap();
    assert!(stored.contains("alice-secret"), "the store keeps them");
    assert_eq!(serde_json::from_str::<Provisioning>(&stored).unwrap(), demo);
}

fn demo() -> String {
    std::fs::read_to_string(fixtures().join("demo.toml")).unwrap()
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

#[test]
fn the_demo_is_right_and_its_sounds_are_there() {
    let demo = directory(&demo());
    for t in demo.tenants() {
        for prompt in &t.prompts {
            let wav = std::fs::read(fixtures().join(prompt.file.as_ref().unwrap())).unwrap();
            assert_eq!(&wav[..4], b"RIFF", "{:?}", prompt.file);
            assert_eq!(wav[22..28], [1, 0, 0x40, 0x1f, 0, 0], "mono, 8 kHz: {:?}", prompt.file);
        }
    }
    for (dialled, owner, line) in [
        ("+15550100", "acme", "sales"),
        ("+15550101", "acme", "support"),
        ("+15550200", "globex", "sales"),
    ] {
        let (t, number) = demo.number(dialled).unwrap();
        assert_eq!(t.id, tenant(owner));
        let steps = &demo.flow(&t.id, &number.flow).unwrap().steps;
        assert!(steps.contains(&Step::Queue { queue: queue(line) }));
    }
    assert_eq!(demo.trunk_of(address("127.0.0.2")).unwrap().id.as_str(), "carrier-a");
    assert_eq!(demo.trunk_of(address("127.0.0.3")).unwrap().id.as_str(), "carrier-b");
    assert!(demo.trunk_of(address("127.0.0.1")).is_none());
    assert!(demo.api_keys().all(|(_, key)| key.loopback_only));
    assert_eq!(demo.tenant_by_domain("Acme.Example").unwrap().id, tenant("acme"));
}
