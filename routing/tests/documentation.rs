//! The manual is tried: each of its examples is provisioning, and each key has its row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeSet;

use rig::directory;

fn manual() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/provisioning.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_example_in_the_manual_is_right() {
    let manual = manual();
    let examples: Vec<&str> =
        manual.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 12);
    for example in examples {
        directory(example);
        // The store keeps it as JSON, the API takes it as JSON: nothing is lost on the way.
        let written: routing::Provisioning = toml::from_str(example).unwrap();
        let json = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<routing::Provisioning>(&json).unwrap(), written);
        let toml = toml::to_string(&written).unwrap();
        assert_eq!(toml::from_str::<routing::Provisioning>(&toml).unwrap(), written);
    }
}

/// The names a table has, told by the parser itself when it meets one it does not know.
fn keys_of(example: &str) -> Vec<String> {
    let error = toml::from_str::<routing::Provisioning>(example).unwrap_err().to_string();
    let (_, names) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_that_the_parser_knows_stands_in_the_manual() {
    let manual = manual();
    let documented: BTreeSet<&str> = manual
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap_or("").split('`').skip(1).step_by(2))
        .collect();
    let lists = ["trunks", "platform_keys", "tenants"].map(|list| format!("[[{list}]]\nx = 1"));
    let of_tenant =
        ["skills", "agents", "prompts", "queues", "flows", "numbers", "api_keys", "routes"]
            .map(|list| format!("[[tenants]]\nid = \"a\"\n{list} = [{{ x = 1 }}]"));
    let limits = "[[tenants]]\nid = \"a\"\nlimits = { x = 1 }".to_owned();
    let forward = "[[tenants]]\nid = \"a\"\nagents = [{ forward = { x = 1 } }]".to_owned();
    let of_trunk = ["targets", "headers", "numbers"]
        .map(|list| format!("[[trunks]]\nid = \"a\"\n{list} = [{{ x = 1 }}]"));
    let in_trunk = ["credentials", "authenticate", "register", "stir", "stir.sign"]
        .map(|table| format!("[[trunks]]\nid = \"a\"\n[trunks.{table}]\nx = 1"));
    let mut keys = 0;
    let lists = lists.iter().chain(&of_tenant).chain([&limits, &forward]);
    for example in lists.chain(&of_trunk).chain(&in_trunk) {
        for key in keys_of(example) {
            assert!(documented.contains(key.as_str()), "{key} is not in docs/provisioning.md");
            keys += 1;
        }
    }
    assert!(keys > 120, "only {keys} keys were looked for");
}
