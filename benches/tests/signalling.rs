//! The signalling harness itself: a few calls through each target, a few calls held, a few bindings.
//! It needs the server's binary beside this one, which `cargo test --workspace` and
//! `cargo build -p server` make.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "they are tests")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Runs a part; what it printed, one value a line.
fn part(words: &[&str]) -> Vec<Value> {
    let tests = std::env::current_exe().unwrap();
    let strowger: PathBuf = tests.parent().unwrap().parent().unwrap().join("strowger");
    assert!(strowger.exists(), "{}: cargo build -p server", strowger.display());
    let output = Command::new(env!("CARGO_BIN_EXE_signalling"))
        .arg("--strowger")
        .arg(strowger)
        .args(words)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(output.status.success(), "{words:?}\n{out}\n{}", String::from_utf8_lossy(&err));
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One test, since all parts use the same addresses and ports.
#[test]
fn every_part_measures_twenty_calls_or_bindings_without_a_failure() {
    for target in ["direct", "sipp", "kamailio", "strowger"] {
        let few = ["--rates", "20", "--seconds", "1", "--talk", "0.2", "--warm", "0"];
        let rows = part(&[&["calls", "--target", target][..], &few].concat());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["completed"], 20, "{target}: {}", rows[0]);
        let has_setups = rows[0]["setup_ms"]["p99"].as_f64().is_some_and(|ms| ms > 0.0);
        assert_eq!(has_setups, target != "sipp", "{target}: {}", rows[0]);
        let costs = rows[0]["cpu_ms"].as_f64().is_some_and(|ms| ms > 0.0);
        assert_eq!(costs, target != "direct", "{target}: {}", rows[0]);
    }
    let rows = part(&["held", "--calls", "20", "--rate", "20", "--seconds", "1", "--more", "5"]);
    assert_eq!((&rows[0]["held"], &rows[0]["ended"]["completed"]), (&20.into(), &20.into()));
    let rows = part(&["bindings", "--bindings", "20", "--tenants", "2", "--seconds", "0.02"]);
    assert_eq!(rows[0]["first"]["requests"], 40, "a challenge and an answer each");
    assert_eq!(rows[0]["refreshed"]["requests"], 20, "a refresh needs no new challenge");
}
