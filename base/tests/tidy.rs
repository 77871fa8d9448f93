//! The house's rules as tests: who may import whom, sizes, headers, words, and the map's paths.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may import in product code. DESIGN: everything else is an error.
const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sip", &["base"]),
    ("media", &["base"]),
    ("routing", &["base"]),
    ("switch", &["base", "sip", "media", "routing"]),
    ("recorder", &["base", "media"]),
    ("store", &["base", "routing"]),
    ("control-api", &["base", "switch", "routing", "store", "recorder"]),
    ("console", &[]),
    ("phone", &["base", "sip", "media"]),
    ("sim", &["base", "sip", "media", "routing", "switch", "recorder", "store", "phone"]),
];

/// Rooms that read no clock and own no socket, thread or runtime.
const SANS_IO: &[&str] = &["base", "sip", "media", "routing", "switch", "phone", "sim"];

const HARD_FILE_LINES: usize = 700;
/// rustfmt breaks at 100 and now and then leaves one more.
const LINE_COLUMNS: usize = 101;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// Every file below the root that is ours, as (path with '/', text); binary files are left out.
fn texts() -> Vec<(String, String)> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        let mut entries: Vec<_> =
            fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = ["target", ".git", "data", "node_modules", "corpus", ".venv"];
                if !skipped.contains(&name.as_str()) {
                    walk(&path, root, found);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(root).expect("below the root");
                found.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &root(), &mut found);
    found
}

fn rust_files() -> Vec<(String, String)> {
    texts().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap_or("")
}

fn none(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}\n  {}", problems.join("\n  "));
}

/// The names in a manifest's section, in order.
fn dependencies(manifest: &str, section: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == format!("[{section}]");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            names.push(line[..end].to_owned());
        }
    }
    names
}

#[test]
fn rooms_import_only_what_the_design_allows() {
    let mut problems = Vec::new();
    for (room, allowed) in EDGES {
        let manifest = fs::read_to_string(root().join(room).join("Cargo.toml")).expect("manifest");
        for name in dependencies(&manifest, "dependencies") {
            let is_ours = EDGES.iter().any(|(other, _)| *other == name) || name == "server";
            if is_ours && !allowed.contains(&name.as_str()) {
                problems.push(format!("{room} imports {name}"));
            }
        }
    }
    none(&problems, "crate edges (DESIGN, \"The house\"):");
}

#[test]
fn sans_io_rooms_have_no_runtime_among_their_dependencies() {
    let banned = ["tokio", "rustix", "socket2", "mio", "tracing", "getrandom", "axum", "sqlx"];
    let mut problems = Vec::new();
    for room in SANS_IO {
        let manifest = fs::read_to_string(root().join(room).join("Cargo.toml")).expect("manifest");
        for name in dependencies(&manifest, "dependencies") {
            if banned.contains(&name.as_str()) {
                problems.push(format!("{room} depends on {name}"));
            }
        }
    }
    none(&problems, "a sans-IO room reads no clock and owns no socket, thread or runtime:");
}

#[test]
fn sans_io_rooms_never_read_a_clock_sleep_or_open_a_socket() {
    let banned = ["Instant::now", "SystemTime::now", "thread::sleep", "UdpSocket", "TcpStream"];
    let mut problems = Vec::new();
    for (path, text) in rust_files() {
        let sans_io = SANS_IO.contains(&room_of(&path)) && path.contains("/src/");
        let recorder = path.starts_with("recorder/src/") && !path.starts_with("recorder/src/store");
        if !(sans_io || recorder) {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if let Some(word) = banned.iter().find(|word| code.contains(**word)) {
                problems.push(format!("{path}:{} says {word}", at + 1));
            }
        }
    }
    none(&problems, "time comes in as `now`, bytes as inputs:");
}

#[test]
fn every_rust_file_says_what_it_is_and_stays_small() {
    let mut problems = Vec::new();
    for (path, text) in rust_files() {
        if !text.starts_with("//!") {
            problems.push(format!("{path} does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > HARD_FILE_LINES {
            problems.push(format!("{path} has {lines} lines, over {HARD_FILE_LINES}"));
        }
        for (at, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS && !line.contains("http") {
                problems.push(format!("{path}:{} has {columns} columns", at + 1));
            }
        }
    }
    none(&problems, "files open with a sentence and stay readable:");
}

#[test]
fn the_leaf_stays_a_leaf() {
    let lines: usize = rust_files()
        .iter()
        .filter(|(path, _)| path.starts_with("base/src/"))
        .map(|(_, text)| text.lines().count())
        .sum();
    assert!(lines <= 600, "base has {lines} lines, over 600");
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let words = ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}", "#[ign\u{6f}re", "tod\u{6f}!("];
    let mut problems = Vec::new();
    for (path, text) in rust_files() {
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                problems.push(format!("{path}:{} says {word}", at + 1));
            }
        }
    }
    none(&problems, "unfinished work does not land:");
}

/// Types whose whole name says nothing (DESIGN, "Words").
#[test]
fn no_type_or_file_bears_a_banned_name() {
    let words = ["session", "context", "manager", "handler", "helper", "util", "common", "data"];
    let mut problems = Vec::new();
    for (path, text) in rust_files() {
        let stem = path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs").to_lowercase();
        let singular = stem.trim_end_matches('s');
        if words.contains(&stem.as_str()) || words.contains(&singular) || stem == "info" {
            problems.push(format!("{path} is named {stem}"));
        }
        for (at, line) in text.lines().enumerate() {
            for keyword in ["struct ", "enum ", "trait ", "mod "] {
                let Some(start) = line.find(keyword) else { continue };
                if line[..start].contains("//") {
                    continue;
                }
                let rest = &line[start + keyword.len()..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = rest[..end.unwrap_or(rest.len())].to_lowercase();
                if words.contains(&name.as_str()) {
                    problems.push(format!("{path}:{} names a thing {name}", at + 1));
                }
            }
        }
    }
    none(&problems, "a bare banned name says nothing:");
}

#[test]
fn the_architecture_page_is_short_and_names_only_paths_that_exist() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let lines = page.lines().count();
    assert!(lines <= 250, "ARCHITECTURE.md has {lines} lines, over 250");
    let mut problems = Vec::new();
    for quoted in page.split('`').skip(1).step_by(2) {
        let is_path = quoted.contains('/')
            && !quoted.starts_with('/')
            && !quoted.contains([' ', ':', '{', '<', '*', '$', '>'])
            && quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        let first = room_of(quoted);
        if is_path && root().join(first).is_dir() && !root().join(quoted).exists() {
            problems.push(quoted.to_owned());
        }
    }
    none(&problems, "ARCHITECTURE.md names paths that do not exist:");
}

#[test]
fn nothing_speaks_of_one_machine() {
    let marks =
        ["/wor\u{6b}/main", "/wor\u{6b}/shared", "/far\u{6d}/", "/roo\u{74}/", "/tmp/targe\u{74}"];
    let mut problems = Vec::new();
    for (path, text) in texts() {
        for (at, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                problems.push(format!("{path}:{} says {mark}", at + 1));
            }
        }
    }
    none(&problems, "the repository runs anywhere:");
}
