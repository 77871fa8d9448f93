//! The commands as a person types them: the demo, checking, applying, and what a mistake gets.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::net::{free_port, http, register};
use crate::parts::AGENTS;
use crate::strowger::{ACME, Folder, PLATFORM, Strowger, repository};

fn strowger(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strowger")).args(arguments).output().expect("the binary")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_demo_is_one_whole_call_that_checks_itself() {
    let folder = Folder::new("demo");
    let data = folder.path().join("demo");
    let output = strowger(&["demo", "--json", "--data", data.to_str().expect("a path")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", errors(&output));
    let told: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(told["ok"], true, "{told}");
    assert!(told["call_id"].is_string());
    let events = told["events"].to_string();
    for kind in ["call.started", "call.queued", "call.connected", "recording.completed"] {
        assert!(events.contains(kind), "{kind} in {events}");
    }
    let wav = fs::read(told["recording"].as_str().expect("a path")).expect("the WAV file");
    assert_eq!(&wav[..4], b"RIFF");
    for leg in told["legs"].as_array().expect("legs") {
        assert!(leg["packets_received"].as_u64() > Some(100), "{leg}");
        for key in ["kind", "codec", "packets_sent", "packets_lost", "jitter_ms", "mos"] {
            assert!(!leg[key].is_null(), "{key} in {leg}");
        }
    }
}

#[test]
fn a_bad_configuration_is_one_error_with_file_key_and_cure_and_exit_2() {
    let folder = Folder::new("bad");
    let path = folder.path().join("strowger.toml");
    let file = path.to_str().expect("a path");
    for (text, key, cure) in [
        ("[sip]\nudpp = []\n", "udpp", "udp"),
        ("[rtp]\nports = \"many\"\n", "rtp.ports", "20000-29999"),
        ("[http]\nlisten = \"8080\"\n", "http.listen", "address"),
    ] {
        fs::write(&path, text).expect("a file");
        for arguments in [&["check", file][..], &["serve", "--config", file][..]] {
            let output = strowger(arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?} {text}");
            let told = errors(&output);
            assert_eq!(told.trim().lines().count(), 1, "{told}");
            assert!(told.contains(file) && told.contains(key), "{told}");
            assert!(told.contains(cure), "{told}");
        }
    }
}

#[test]
fn the_demo_provisioning_is_right_and_a_wrong_one_is_told_all_its_faults() {
    let demo = repository().join("fixtures/demo.toml");
    let output = strowger(&["check", demo.to_str().expect("a path")]);
    assert!(output.status.success(), "{}", errors(&output));
    let folder = Folder::new("faulty");
    let path = folder.path().join("faulty.toml");
    let text = fs::read_to_string(&demo).expect("the demo");
    let faulty = text.replace("flow = \"support\"", "flow = \"nowhere\"").replacen(
        "skills = [\"sales\"]",
        "skills = [\"juggling\"]",
        1,
    );
    fs::write(&path, faulty).expect("a file");
    let output = strowger(&["check", path.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(2));
    let told = errors(&output);
    assert!(told.contains("nowhere") && told.contains("juggling"), "{told}");
}

#[test]
fn applying_a_file_to_a_running_server_adds_an_agent_and_twice_changes_nothing() {
    let folder = Folder::new("apply");
    let server = Strowger::start(folder.path());
    let file = crate::parts::many_agents(folder.path(), 3);
    let url = format!("http://{}", server.http);
    let file = file.to_str().expect("a path");
    for _ in 0..2 {
        let output = strowger(&["apply", file, "--url", &url, "--key", PLATFORM]);
        assert!(output.status.success(), "{}", errors(&output));
        let agents = server.data("/api/v1/agents?per_page=100", ACME);
        assert_eq!(agents.as_array().map(Vec::len), Some(5), "{agents}");
    }
    let refused = strowger(&["apply", file, "--url", &url, "--key", ACME]);
    assert!(!refused.status.success(), "a tenant's key may not");
}

#[test]
fn an_agent_state_set_by_the_api_is_an_event_and_a_bad_one_names_the_field() {
    let folder = Folder::new("state");
    let server = Strowger::start(folder.path());
    let path = "/api/v1/agents/alice/state";
    let put = |body: &Value| http(server.http, "PUT", path, ACME, Some(body));
    assert_eq!(put(&json!({"state": "break", "reason": "lunch"})).status, 200);
    server.agent_is(ACME, "alice", "break");
    let wrong = put(&json!({"state": "asleep"}));
    assert!((400..500).contains(&wrong.status));
    let told = wrong.json();
    assert!(told["error"].as_str().is_some_and(|text| text.contains("state")), "{told}");
    assert!(told["code"].is_string(), "{told}");
}

#[test]
fn no_password_of_an_agent_is_in_the_data_folder_and_each_opens() {
    let folder = Folder::new("kept");
    let server = Strowger::start(folder.path());
    let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
    assert_eq!(register(server.sip, phone, "bob", "acme.example", "bob-secre"), [401, 403]);
    assert_eq!(register(server.sip, phone, "bob", "acme.example", "bob-secret"), [401, 200]);
    assert_eq!(server.stop(), 0);
    for file in fs::read_dir(folder.path().join("data")).expect("the data folder") {
        let path = file.expect("an entry").path();
        let bytes = if path.is_file() { fs::read(&path).expect("a file") } else { continue };
        let found = bytes.windows(10).any(|window| window == b"bob-secret");
        assert!(!found, "in {}", path.display());
    }
}
