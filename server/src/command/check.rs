//! `strowger check FILE`: is it right, without using it? Says which of the two kinds it is.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::WRONGLY_ASKED;
use crate::cli::Check;
use crate::config::{Config, ConfigFault, from_toml};
use crate::provision::{Bundle, ProvisionFault};
use crate::tls::Tls;

/// Keys that only a provisioning file has at its top.
const PROVISIONING_KEYS: [&str; 3] = ["tenants", "trunks", "platform_keys"];

pub(super) fn run(args: &Check) -> ExitCode {
    let (kind, result) = check(&args.file);
    let shown = args.file.display();
    match (&result, args.json) {
        (Ok(summary), false) => println!("{shown}: a correct {kind}: {summary}"),
        (Ok(summary), true) => {
            println!(
                "{}",
                json!({"ok": true, "file": args.file, "kind": kind, "summary": summary})
            );
        }
        (Err(faults), false) => faults.iter().for_each(|fault| eprintln!("strowger: {fault}")),
        (Err(faults), true) => {
            let errors: Vec<_> = faults
                .iter()
                .map(|fault| {
                    json!({"file": fault.file, "line": fault.line, "key": fault.key,
                           "problem": fault.problem, "cure": fault.cure})
                })
                .collect();
            let object = json!({"ok": false, "file": args.file, "kind": kind, "errors": errors});
            println!("{object}");
        }
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(WRONGLY_ASKED) }
}

/// Which kind of file it is, and what it says or what is wrong with it.
fn check(path: &Path) -> (&'static str, Result<String, Vec<ConfigFault>>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = format!("cannot be read: {error}");
            return ("file", Err(vec![ConfigFault::of_file(path, problem, "check the path")]));
        }
    };
    let table: toml::Table = match toml::from_str(&text) {
        Ok(table) => table,
        Err(error) => return ("file", Err(vec![from_toml(path, &text, &error)])),
    };
    if PROVISIONING_KEYS.iter().any(|key| table.contains_key(*key)) {
        ("provisioning", check_provisioning(path))
    } else {
        let summary = |config: Config| {
            format!("API on {}, data in {}", config.http.listen, config.data_dir.display())
        };
        let config = Config::parse(path, &text).and_then(|config| {
            let loaded = Tls::load(&config.tls).map_err(|fault| {
                let cure = "correct the file, or its path in [tls]";
                ConfigFault::of_file(path, fault.to_string(), cure)
            });
            loaded.map(|_| config)
        });
        let result = config.map(summary).map_err(|fault| vec![fault]);
        ("configuration", result)
    }
}

fn check_provisioning(path: &Path) -> Result<String, Vec<ConfigFault>> {
    let checked = Bundle::read(path).and_then(Bundle::check).map_err(|fault| match fault {
        ProvisionFault::File(fault) => vec![fault],
        ProvisionFault::Content(faults) => faults,
        other => vec![ConfigFault::of_file(path, other.to_string(), "try again")],
    })?;
    let tenants = &checked.bundle.provisioning.tenants;
    let agents: usize = tenants.iter().map(|tenant| tenant.agents.len()).sum();
    let numbers: usize = tenants.iter().map(|tenant| tenant.numbers.len()).sum();
    Ok(format!(
        "{} tenants, {numbers} numbers, {agents} agents, {} prompts",
        tenants.len(),
        checked.bundle.prompts.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("check-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_configuration_and_a_provisioning_are_told_apart_by_their_keys() {
        let path = file("configuration.toml", "[http]\nlisten = \"127.0.0.1:0\"\n");
        assert!(matches!(check(&path), ("configuration", Ok(_))));
        let path = file("provisioning.toml", "tenants = []\n");
        assert!(matches!(check(&path), ("provisioning", Ok(_))));
        let path = file("broken.toml", "tenants = [\n");
        assert!(matches!(check(&path), ("file", Err(_))));
    }

    #[test]
    fn a_provisioning_whose_prompt_is_missing_names_the_prompt() {
        let text = "[[tenants]]\nid = \"acme\"\ndomain = \"acme.example\"\n\
                    [[tenants.prompts]]\nid = \"greeting\"\nfile = \"no-such.wav\"\n";
        let ("provisioning", Err(faults)) = check(&file("prompt.toml", text)) else {
            panic!("accepted")
        };
        assert_eq!(faults[0].key, "tenants.acme.prompts.greeting.file");
        assert_eq!(faults[0].line, Some(6));
    }
}
