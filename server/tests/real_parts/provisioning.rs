//! Provisioning files: the demo's with changes, and small ones in which acme is alone.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::parts::many_agents;
use crate::strowger::ACME;

/// A file of that text.
pub(crate) fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("provisioning.toml");
    fs::write(&path, text).expect("the provisioning");
    path
}

/// The demo's, with each of these texts changed where it stands first, and these tables more.
pub(crate) fn demo(folder: &Path, tables: &str, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = fs::read_to_string(many_agents(folder, 0)).expect("the demo");
    for (from, to) in changes {
        assert!(text.contains(from), "the demo is another than it was: no {from}");
        text = text.replacen(from, to, 1);
    }
    written(folder, &format!("{tables}\n{text}"))
}

/// The demo's, whose sales are called on to a number outside over [`outside`] with these keys.
pub(crate) fn sends_on(folder: &Path, keys: &str, to: &str) -> PathBuf {
    let dial = format!("{{ do = \"dial\", to = \"{to}\" }}");
    let route = "{ prefix = \"+1\", trunk = \"carrier-a\", cost = 10 }";
    let ours = "{ prefix = \"+1\", trunk = \"outside\", cost = 1 }";
    let changes = [("{ do = \"play\", prompt = \"greeting\" }", &*dial), (route, ours)];
    demo(folder, &outside(keys), &changes)
}

/// The trunk `outside`, whose own calls come from nowhere that a test is.
pub(crate) fn outside(keys: &str) -> String {
    trunk("outside", IpAddr::from([127, 0, 0, 62]), keys)
}

/// A trunk whose calls come from there, with these keys more.
pub(crate) fn trunk(id: &str, from: IpAddr, keys: &str) -> String {
    format!("[[trunks]]\nid = \"{id}\"\nsources = [\"{from}\"]\n{keys}\n")
}

/// Those trunks and acme, with these lines of its table; [`ACME`] is its key.
pub(crate) fn acme(folder: &Path, trunks: &str, lines: &str) -> PathBuf {
    let key =
        format!("{{ name = \"test\", key = \"{ACME}\", role = \"admin\", loopback_only = true }}");
    let text = format!(
        "{trunks}\n[[tenants]]\nid = \"acme\"\ndomain = \"acme.example\"\n{lines}\n\
         api_keys = [{key}]\n"
    );
    written(folder, &text)
}
