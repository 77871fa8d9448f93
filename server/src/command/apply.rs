//! `strowger apply FILE`: checks a provisioning file here, then sends it with its prompts.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{failed, small_runtime, wrongly_asked};
use crate::cli::Apply;
use crate::provision::Bundle;
use crate::web_client::WebClient;

/// The key when `--key` is not given.
const KEY_VARIABLE: &str = "STROWGER_KEY";

pub(super) fn run(args: &Apply) -> ExitCode {
    let bundle = match Bundle::read(&args.file).and_then(Bundle::check) {
        Ok(checked) => checked.bundle,
        Err(fault) => return wrongly_asked(&fault),
    };
    let Some(key) = args.key.clone().or_else(|| std::env::var(KEY_VARIABLE).ok()) else {
        return wrongly_asked(&format!("no API key; give --key or set {KEY_VARIABLE}"));
    };
    let client = match WebClient::new(&args.url, &key) {
        Ok(client) => client,
        Err(error) => return wrongly_asked(&error),
    };
    let sent = small_runtime()
        .map(|runtime| runtime.block_on(client.post("/api/v1/provisioning", &body(&bundle))));
    match sent {
        Err(error) => failed(&error),
        Ok(Err(error)) => failed(&error),
        Ok(Ok(answer)) if answer.status.is_success() => {
            if args.json {
                println!("{}", answer.json());
            } else {
                println!("{}: applied to {}", args.file.display(), args.url);
            }
            ExitCode::SUCCESS
        }
        Ok(Ok(answer)) => {
            if args.json {
                println!("{}", answer.json());
            }
            let text = String::from_utf8_lossy(&answer.body);
            failed(&format!("{} refused it with {}: {text}", args.url, answer.status))
        }
    }
}

/// The request's body: the provisioning, and the WAV files in base64.
fn body(bundle: &Bundle) -> serde_json::Value {
    let prompts: Vec<_> = bundle
        .prompts
        .iter()
        .map(|prompt| {
            json!({"tenant": prompt.tenant, "id": prompt.id,
                   "wav_base64": STANDARD.encode(&prompt.wav)})
        })
        .collect();
    json!({"provisioning": bundle.provisioning, "prompts": prompts})
}
