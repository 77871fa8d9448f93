//! The page is checked as text: every file it asks for is there, nothing is inline or foreign,
//! nothing builds markup from strings, and every word it shows is in one place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{CONTENT_SECURITY_POLICY, asset, assets};

fn text(name: &str) -> &'static str {
    let bytes = asset(&format!("/console/{name}")).unwrap().bytes;
    std::str::from_utf8(bytes).unwrap()
}

fn names(ending: &str) -> Vec<&'static str> {
    assets::ALL.iter().map(|(name, _)| *name).filter(|name| name.ends_with(ending)).collect()
}

/// What stands between `before` and the next `after`, at every place.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(s, _)| s).collect()
}

/// As [`between`], but only where `call` is not the end of a longer name (`split("`).
fn calls<'a>(text: &'a str, call: &str, after: &str) -> Vec<&'a str> {
    let places = text.match_indices(call).filter(|(at, _)| {
        !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '.')
    });
    places
        .filter_map(|(at, _)| text[at + call.len()..].split_once(after))
        .map(|(found, _)| found)
        .collect()
}

/// The text without its comments, as far as the checks need it.
fn code(script: &str) -> String {
    let lines = script.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("//") && !line.starts_with('*') && !line.starts_with("/*")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_embedded_files_are_those_of_the_folder() {
    fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.insert(path);
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut found = BTreeSet::new();
    walk(&folder, &mut found);
    let listed: BTreeSet<PathBuf> = names("").into_iter().map(|name| folder.join(name)).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_root_is_the_page_and_unknown_or_climbing_paths_are_nothing() {
    let page = asset("/").unwrap();
    assert_eq!(page.content_type, "text/html; charset=utf-8");
    assert_eq!(asset("/console/"), Some(page));
    assert_eq!(asset("/console"), Some(page));
    for path in ["", "main.js", "/main.js", "/console/none.js", "/console/../Cargo.toml"] {
        assert_eq!(asset(path), None, "{path}");
    }
}

#[test]
fn each_content_has_its_own_tag_and_only_that_tag_matches() {
    let tags: BTreeSet<String> =
        assets::ALL.iter().map(|(_, asset)| asset.etag.to_string()).collect();
    assert_eq!(tags.len(), assets::ALL.len());
    let (one, other) = (asset("/").unwrap().etag, asset("/console/main.js").unwrap().etag);
    assert!(one.matches(&one.to_string()));
    assert!(one.matches(&format!("{other}, W/{one}")));
    assert!(one.matches("*"));
    assert!(!one.matches(&other.to_string()));
    assert!(!one.matches(""));
}

#[test]
fn every_file_that_the_page_names_exists() {
    let page = text("index.html");
    let mut named = between(page, "src=\"", "\"");
    named.extend(between(page, "href=\"", "\""));
    assert!(named.len() >= 6);
    for path in named {
        assert!(asset(path).is_some(), "index.html names {path}");
    }
    for script in names(".js") {
        for path in between(text(script), "src: \"", "\"") {
            assert!(asset(path).is_some(), "{script} names {path}");
        }
    }
}

#[test]
fn every_import_names_a_module_that_exports_what_is_imported() {
    let mut imports = 0;
    for script in names(".js") {
        let folder = script.rsplit_once('/').map_or("", |(folder, _)| folder);
        for clause in between(text(script), "import {", "\";") {
            let (what, from) = clause.split_once("} from \"").unwrap();
            let target = match from.strip_prefix("./") {
                Some(near) if folder.is_empty() => near.to_owned(),
                Some(near) => format!("{folder}/{near}"),
                None => from.strip_prefix("../").unwrap().to_owned(),
            };
            let module = text(&target);
            for name in what.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let name = name.split(" as ").next().unwrap();
                let exported = ["function", "async function", "class", "const"]
                    .iter()
                    .any(|kind| module.contains(&format!("export {kind} {name}")));
                assert!(exported, "{script} imports {name}, which {target} does not export");
                imports += 1;
            }
        }
    }
    assert!(imports > 50, "the check has found the imports");
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    let page = text("index.html");
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
    for tag in between(page, "<script", "</script>") {
        assert!(tag.contains("src=\"/console/") && tag.trim_end().ends_with('>'), "{tag}");
    }
    for name in names("") {
        let text = text(name).replace("http://www.w3.org/2000/svg", "");
        for foreign in ["http://", "https://", "\"//", "url(", "@import"] {
            assert!(!text.contains(foreign), "{name} contains {foreign}");
        }
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}

#[test]
fn no_value_can_become_markup_or_code() {
    for script in names(".js") {
        let code = code(text(script));
        for danger in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "setHTML",
            "eval(",
            "new Function",
            "createContextualFragment",
            "javascript:",
        ] {
            assert!(!code.contains(danger), "{script} uses {danger}");
        }
    }
}

#[test]
fn the_key_is_sent_in_a_header_and_kept_for_the_tab_alone() {
    for script in names(".js") {
        let code = code(text(script));
        // The phone's answer to a challenge has a header field of the same name, and no key in it.
        if !["api.js", "phone/digest.js"].contains(&script) {
            assert!(!code.contains("Authorization"), "{script}");
        }
        if code.contains("localStorage") {
            assert!(code.contains("strowger.theme"), "{script} keeps more than the theme");
        }
        assert!(!code.contains("document.cookie"), "{script}");
    }
}

#[test]
fn every_string_that_is_used_exists_and_every_string_is_used() {
    let is_table = |name: &str| name.starts_with("strings");
    let tables = names(".js").into_iter().filter(|name| is_table(name)).map(|name| {
        let table = text(name);
        table.split_once(" = {\n").and_then(|(_, rest)| rest.split_once("};")).unwrap().0
    });
    let lines = tables.flat_map(str::lines);
    let keys: Vec<&str> = lines
        .filter_map(|line| line.trim_start().strip_prefix('"'))
        .filter_map(|line| line.split_once("\":").map(|(key, _)| key))
        .collect();
    let known: BTreeSet<&str> = keys.iter().copied().collect();
    assert!(known.len() > 150);
    for key in &known {
        let times = keys.iter().filter(|other| other == &key).count();
        assert_eq!(times, 1, "{key} stands {times} times");
    }
    // What is built of a prefix and a word of the server's, in `describe.js` and `why.js`.
    let mut prefixes: BTreeSet<String> = ["event.", "verdict.", "why."].map(String::from).into();
    let mut used = BTreeSet::new();
    for script in names(".js").into_iter().filter(|name| !is_table(name)) {
        let text = text(script);
        used.extend(calls(text, "t(\"", "\"").into_iter().map(String::from));
        prefixes.extend(calls(text, "t(`", "${").into_iter().map(String::from));
        prefixes.extend(calls(text, "word(\"", "\"").iter().map(|prefix| format!("{prefix}.")));
        used.extend(calls(text, "section(\"", "\"").iter().map(|name| format!("{name}.title")));
        let literal = known.iter().filter(|key| text.contains(&format!("\"{key}\"")));
        used.extend(literal.map(|key| (*key).to_owned()));
    }
    prefixes.remove("");
    for key in &used {
        assert!(known.contains(key.as_str()), "there is no string {key}");
    }
    for prefix in &prefixes {
        assert!(known.iter().any(|key| key.starts_with(prefix)), "no string begins with {prefix}");
    }
    let built = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix));
    let unused: Vec<_> = known.iter().filter(|key| !built(key) && !used.contains(**key)).collect();
    assert!(unused.is_empty(), "strings that nothing shows: {unused:?}");
}

/// Whoever reads a call's timeline is no programmer.
#[test]
fn every_kind_of_event_has_a_sentence_and_every_field_in_it_is_given() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../switch/src/event/names.rs");
    let engine = fs::read_to_string(engine).unwrap();
    let kinds: Vec<&str> = between(&engine, " => \"", "\"").into_iter().collect();
    assert!(kinds.len() > 60, "{kinds:?}");
    let sentences = text("strings/events.js");
    for kind in kinds {
        let key = |ending: &str| sentences.contains(&format!("\"event.{kind}{ending}\":"));
        assert!(key("") || (key(".on") && key(".off")), "there is no sentence of {kind}");
    }
    let describe = text("describe.js");
    let lines = sentences.lines().filter(|line| line.contains("\"event."));
    for field in lines.flat_map(|line| between(line, "{", "}")) {
        let given = |end: char| describe.contains(&format!(" {field}{end}"));
        assert!(given(':') || given(','), "nobody gives {{{field}}}");
    }
}

#[test]
fn modules_stay_small_enough_to_read() {
    for script in names(".js") {
        let lines = text(script).lines().count();
        assert!(lines < 400, "{script} has {lines} lines");
        for (at, line) in text(script).lines().enumerate() {
            assert!(line.chars().count() <= 100, "{script}:{} is too long", at + 1);
        }
    }
}

/// WCAG 2.2 §1.4.3: the contrast of two colours (`rrggbb`), from 1 to 21.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn every_text_colour_can_be_read_on_every_ground_in_light_and_dark() {
    let styles = text("base.css");
    let colour = |name: &str, theme: usize| {
        let pair = between(styles, &format!("--{name}: light-dark("), ")")[0];
        pair.split(", ").nth(theme).unwrap().trim_start_matches('#').to_owned()
    };
    let inks = ["text", "muted", "accent", "green", "blue", "amber", "violet", "red", "grey"];
    for theme in [0, 1] {
        for ground in ["page", "surface", "raised", "hover", "accent-soft"] {
            for ink in inks {
                let ratio = contrast(&colour(ink, theme), &colour(ground, theme));
                assert!(ratio >= 4.5, "{ink} on {ground} has {ratio:.2} in theme {theme}");
            }
        }
        let button = contrast(&colour("on-accent", theme), &colour("accent", theme));
        assert!(button >= 4.5, "a button's text has {button:.2} in theme {theme}");
        let edge = contrast(&colour("line-strong", theme), &colour("surface", theme));
        assert!(edge >= 3.0, "a field's edge has {edge:.2} in theme {theme}");
    }
}
