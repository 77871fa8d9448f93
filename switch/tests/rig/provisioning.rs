//! The provisioning that tests use: two tenants, two trunks, two agents who can take calls.

use std::sync::Arc;

use base::{PromptId, TenantId};
use media::Prompt;
use media::say::{Language, Voice};
use routing::{Directory, Provisioning};
use switch::Prompts;

pub const DEMO: &str = r#"
[[trunks]]
id = "carrier-a"
sources = ["127.0.0.2"]

[[trunks]]
id = "carrier-b"
sources = ["127.0.0.3"]
tenants = ["globex"]

[[tenants]]
id = "acme"
domain = "acme.example"
skills = [{ id = "sales" }, { id = "billing" }]
prompts = [{ id = "greeting", file = "greeting.wav" }, { id = "music", file = "music.wav" }]
agents = [
    { id = "alice", password = "alice-secret", skills = ["sales"], available_on_register = true },
{ id = "bob", password = "bob-secret", skills = ["sales", "billing"], available_on_register = true },
]
numbers = [
    { number = "+15550100", flow = "main" },
    { number = "+15550101", flow = "support" },
    { number = "+15550102", flow = "closed" },
    { number = "+15550103", flow = "short" },
]

[[tenants.queues]]
id = "sales"
needs = ["sales"]
music = "music"
ring_timeout_s = 15
wrap_up_s = 5

[[tenants.queues]]
id = "support"
needs = ["billing"]
music = "music"
record = false
max_wait_s = 60
max_waiting = 1

[[tenants.flows]]
id = "main"
steps = [{ do = "play", prompt = "greeting" }, { do = "queue", queue = "sales" }]

[[tenants.flows]]
id = "support"
steps = [
    { do = "queue", queue = "support" },
    { do = "play", prompt = "greeting" },
    { do = "hangup", cause = "busy" },
]

[[tenants.flows]]
id = "closed"
steps = [{ do = "hangup", cause = "busy" }]

[[tenants.flows]]
id = "short"
steps = [{ do = "queue", queue = "support" }]

[[tenants]]
id = "globex"
domain = "globex.example"
prompts = [{ id = "music", file = "music.wav" }]
agents = [{ id = "gina", password = "gina-secret", available_on_register = true }]
queues = [{ id = "sales", music = "music" }]
flows = [{ id = "main", steps = [{ do = "queue", queue = "sales" }] }]
numbers = [{ number = "+15550200", flow = "main" }]
limits = { concurrent_calls = 2, calls_per_second = 3 }
"#;

/// The demo, whose tenant acme calls out over one more trunk, `out`, to [`super::OUT`]; these are
/// more of that trunk's keys.
pub fn calls_out(keys: &str) -> String {
    let skills = "skills = [{ id = \"sales\" }, { id = \"billing\" }]";
    let routes = "country = \"US\"\ncaller_id = \"+15550100\"\nroutes = [{ trunk = \"out\" }]";
    let demo = DEMO.replacen(skills, &format!("{routes}\n{skills}"), 1);
    format!(
        "[[trunks]]\nid = \"out\"\ntargets = [{{ uri = \"sip:127.0.0.51\" }}]\n\
         sources = [\"127.0.0.51\"]\nprobe_s = 0\n{keys}\n{demo}"
    )
}

pub fn directory(text: &str) -> Arc<Directory> {
    let provisioning: Provisioning = toml::from_str(text).expect("provisioning");
    Arc::new(Directory::build(provisioning).expect("a directory"))
}

/// A second of silence for each prompt.
pub fn prompts() -> Prompts {
    let mut prompts = Prompts::new();
    let sound = Arc::new(Prompt::from_pcm(&[0; 8000]));
    let known =
        [("acme", "greeting"), ("acme", "music"), ("acme", "say.en.2"), ("globex", "music")];
    for (tenant, prompt) in known {
        let (tenant, prompt) = (TenantId::new(tenant).unwrap(), PromptId::new(prompt).unwrap());
        prompts.insert(tenant, prompt, Arc::clone(&sound));
    }
    for language in Language::ALL {
        prompts.set_voice(language, Arc::new(voice(language)));
    }
    prompts
}

/// A voice in which the number n takes n + 1 milliseconds, and a word 200.
fn voice(language: Language) -> Voice {
    let line = |name: &str| {
        let millis = name.parse().map_or(200, |number: usize| number + 1);
        format!("{name}\t0\t{}\n", millis * 8)
    };
    let index: String = language.fragments().map(line).collect();
    Voice::read(&index, &[0xff; 1600]).expect("an index that fits")
}
