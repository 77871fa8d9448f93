//! Which failures `scripts/test` asks a second time: a few real parts, and nothing else.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::Command;

const UNITS: &str = "     Running unittests src/lib.rs (target/debug/deps/base-0)
test id::orders ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

";
const REAL_PARTS: &str = "     Running tests/real_parts/main.rs (target/debug/deps/real_parts-0)\n";
const END: &str =
    "\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
const DOCS: &str =
    "   Doc-tests base\n\ntest result: ok. 0 passed; 0 failed; finished in 0.00s\n\n";

/// What libtest says of those that failed; each printed something that looks like a name.
fn failures(names: &[&str]) -> String {
    let mut text = "\nfailures:\n\n".to_owned();
    for name in names {
        text += &format!("---- {name} stdout ----\nfailures:\n    printed::by_a_test\n\n");
    }
    text += "failures:\n";
    for name in names {
        text += &format!("    {name}\n");
    }
    text + END
}

/// The names, or nothing when there is no second turn.
fn asked_again(report: &str) -> Option<Vec<String>> {
    let thread = std::thread::current();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(thread.name().expect("a test's name"));
    std::fs::write(&path, report).expect("a report");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/unsteady");
    let output = Command::new(script).arg(&path).output().expect("the script");
    std::fs::remove_file(&path).expect("the report");
    let names = String::from_utf8(output.stdout).expect("names");
    let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
    names.sort();
    output.status.success().then_some(names)
}

#[test]
fn a_few_real_parts_have_a_second_turn() {
    let failed = failures(&["floor::looks", "talking::hears"]);
    let report = format!("{UNITS}{REAL_PARTS}{failed}{DOCS}");
    let names = ["floor::looks", "talking::hears"].map(str::to_owned).to_vec();
    assert_eq!(asked_again(&report), Some(names));
}

#[test]
fn many_real_parts_have_none() {
    let names = ["a::a", "a::b", "a::c", "a::d", "a::e", "a::f"];
    let report = format!("{UNITS}{REAL_PARTS}{}", failures(&names));
    assert_eq!(asked_again(&report), None);
}

#[test]
fn a_failure_elsewhere_has_none() {
    let elsewhere = UNITS.replace("test id::orders ... ok", &failures(&["id::orders"]));
    let report = format!("{elsewhere}{REAL_PARTS}{}", failures(&["floor::looks"]));
    assert_eq!(asked_again(&report), None);
}

#[test]
fn a_run_without_an_end_has_none() {
    let cut = "     Running unittests src/lib.rs (target/debug/deps/sip-0)\nsignal: 6, SIGABRT\n";
    let report = format!("{UNITS}{cut}{REAL_PARTS}{}", failures(&["floor::looks"]));
    assert_eq!(asked_again(&report), None);
    assert_eq!(asked_again("error: could not compile `sip`\n"), None);
}
