//! The operators' and the API users' pages say what is: every key, default, route and metric.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use server::config::{Config, ConfigFault};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect(name)
}

fn parse(text: &str) -> Result<Config, ConfigFault> {
    Config::parse(Path::new("docs"), text)
}

/// The fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = page.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The keys that a table takes, by asking it for one that it cannot have; none if it is no table.
fn keys_of(table: &str) -> Option<Vec<String>> {
    let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
    let fault = parse(&format!("{header}there_is_no_such_key_anywhere = 1\n")).err()?;
    let known = fault.cure.strip_prefix("known here: ")?;
    Some(known.split(", ").map(str::to_owned).collect())
}

/// Every key of strowger.toml that is no table, dotted.
fn all_keys() -> BTreeSet<String> {
    let mut open = vec![String::new()];
    let mut found = BTreeSet::new();
    while let Some(table) = open.pop() {
        for key in keys_of(&table).expect("a table") {
            let dotted = if table.is_empty() { key } else { format!("{table}.{key}") };
            if keys_of(&dotted).is_some() {
                open.push(dotted);
            } else {
                found.insert(dotted);
            }
        }
    }
    found
}

/// The rows (key, default) of the tables in the section about strowger.toml.
fn told_keys(page: &str) -> Vec<(String, String)> {
    let section = page.split("\n## ").find(|part| part.starts_with("strowger.toml")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (key, rest) = row.split_once("` | ").unwrap();
        let default = rest.split(" | ").next().unwrap_or_default();
        (key.to_owned(), default.to_owned())
    })
    .collect()
}

#[test]
fn every_configuration_on_the_page_is_taken_by_the_server() {
    let page = page("operating.md");
    let examples = blocks(&page, "toml");
    assert!(examples.len() >= 4, "{} examples", examples.len());
    for example in examples {
        match parse(&example) {
            Ok(_) => {}
            // The page keeps the bucket's secrets where they belong: in the environment.
            Err(fault) if fault.cure.contains("STROWGER_S3_SECRET_KEY") => {}
            Err(fault) => panic!("{fault} in:\n{example}"),
        }
    }
}

#[test]
fn the_page_names_every_key_and_no_other() {
    let told: BTreeSet<String> =
        told_keys(&page("operating.md")).into_iter().map(|(key, _)| key).collect();
    let real = all_keys();
    assert!(real.len() >= 25, "{real:?}");
    assert_eq!(told, real);
}

/// A default in quotes of code is a value; "none" and the like are words.
#[test]
fn the_defaults_on_the_page_are_the_defaults() {
    let mut text = String::new();
    for (key, default) in told_keys(&page("operating.md")) {
        let value = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        let value = value.filter(|value| !value.contains('`'));
        if let Some(value) = value.filter(|_| !key.starts_with("recordings.s3.")) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    assert!(text.lines().count() >= 15, "{text}");
    let told = parse(&text).unwrap_or_else(|fault| panic!("{fault} in:\n{text}"));
    assert_eq!(format!("{told:#?}"), format!("{:#?}", Config::default()));
}

/// The names of metrics in quotes in the product's code, below these folders.
fn metrics_in_code() -> BTreeSet<String> {
    let mut open: Vec<PathBuf> =
        ["server/src", "control-api/src", "recorder/src"].map(|dir| root().join(dir)).into();
    let mut names = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            names.extend(metric_names(&text, '"'));
        }
    }
    names
}

/// What stands between two such marks and is a metric's name.
fn metric_names(text: &str, mark: char) -> BTreeSet<String> {
    let words = text.split(mark).filter(|word| {
        let prefixed = word.starts_with("strowger_") || word.starts_with("process_");
        prefixed && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    });
    words.map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_metric_and_no_other() {
    let told = metric_names(&page("operating.md"), '`');
    let real = metrics_in_code();
    assert!(real.len() >= 25, "{real:?}");
    assert_eq!(told, real);
}

/// `GET /path` of every operation in the OpenAPI document.
fn operations() -> BTreeSet<String> {
    let paths = control_api::document()["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("an item").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    all.collect()
}

#[test]
fn the_page_has_every_route_under_a_heading_and_no_other() {
    let page = page("api.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `"));
    let told: BTreeSet<String> =
        headings.filter_map(|rest| rest.strip_suffix('`')).map(str::to_owned).collect();
    assert_eq!(told, operations());
}

#[test]
fn every_path_in_an_example_is_a_route() {
    let templates: Vec<String> =
        operations().iter().map(|operation| operation.split(' ').nth(1).unwrap().into()).collect();
    let page = page("api.md");
    let mut seen = 0;
    for rest in page.split("$H").skip(1) {
        let path: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "/_-$.{}".contains(*c))
            .collect();
        let path = path.trim_end_matches('.');
        let known = templates.iter().any(|template| matches(template, path));
        assert!(path.is_empty() || known, "{path} is no route");
        seen += usize::from(known);
    }
    assert!(seen >= 20, "{seen} examples");
}

fn matches(template: &str, path: &str) -> bool {
    let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(ours), Some(theirs)) if ours == theirs || ours.starts_with('{') => {}
            _ => return false,
        }
    }
}
