//! Encrypted audio with a foreign phone that insists on it: baresip with SDES on the agent's side,
//! a carrier in the clear. Each hears the other, and the recording holds both.

use crate::baresip::{AMPLITUDE, Baresip, Phone, agent_account};
use crate::parts::{ACME_SALES, AGENTS, LIMIT, speaking_carrier};
use crate::provisioning::demo;
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::talking::recorded;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

#[test]
fn a_phone_that_insists_on_encryption_and_a_carrier_in_the_clear_hear_each_other() {
    encrypted_call("auto");
}

#[test]
fn so_they_do_without_the_kernels_help() {
    encrypted_call("off");
}

fn encrypted_call(kernel: &str) {
    let folder = Folder::new("srtp");
    let insists = "domain = \"acme.example\"\nencryption = \"required\"";
    let provisioning = Some(demo(folder.path(), "", &[("domain = \"acme.example\"", insists)]));
    let config = format!("kernel = \"{kernel}\"\n");
    let setup = Setup { config, provisioning, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let account = agent_account("alice", "acme.example", server.sip, "auto");
    let phone = Phone {
        address: AGENTS,
        accounts: vec![format!("{account};mediaenc=srtp-mand")],
        tone: AGENT_HZ,
        dial: None,
    };
    let alice = Baresip::start_with(&folder.path().join("alice"), &phone, "module srtp.so\n");
    alice.wait_for("200 OK", LIMIT);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    caller.hears(AGENT_HZ, 3.0);
    alice.hears(CALLER_HZ, 3.0);
    caller.hang_up_and_listen();
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    alice.hang_up_and_listen();

    let legs = call["legs"].as_array().expect("its legs");
    let srtp =
        |kind: &str| legs.iter().find(|leg| leg["kind"] == kind).map(|leg| leg["srtp"].clone());
    assert_eq!(srtp("caller"), Some(serde_json::Value::Null), "{legs:?}");
    let cipher = srtp("agent").and_then(|name| name.as_str().map(str::to_owned));
    assert!(cipher.is_some_and(|name| name.starts_with("AE")), "{legs:?}");
    let recording = recorded(&server, call["id"].as_str().expect("its id"));
    for (channel, hertz) in [(0, CALLER_HZ), (1, AGENT_HZ)] {
        let sound = crate::audio::Sound::from_wav(&recording, channel);
        assert!(sound.seconds_of_tone(hertz, AMPLITUDE) >= 2.0, "{hertz} Hz in its channel");
    }
}
