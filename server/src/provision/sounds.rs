//! The sounds that no tenant brings as a file: voices, tones, playlists.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use base::{PromptId, TenantId};
use media::say::{Language, Utterance, UtteranceError, Voice};
use media::{Prompt, Tone};
use routing::{Country, Directory, Provisioning, Saying, Step};
use switch::{Prompts, Sounds};

use crate::config::ConfigFault;

/// Adds to the prompts of files what is made of them, and what is built in.
pub(super) fn complete(directory: &Directory, prompts: &mut Prompts) {
    for language in Language::ALL {
        if let Some(voice) = voice(language) {
            prompts.set_voice(language, voice);
        }
    }
    for tenant in directory.tenants() {
        let country = directory.country(&tenant.id);
        for prompt in &tenant.prompts {
            let name = prompt.tone.as_deref();
            if let Some(tone) = Tone::ALL.into_iter().find(|tone| name == Some(tone.name())) {
                let cadence = tone.cadence(country.as_ref().map(Country::as_str));
                prompts.insert(tenant.id.clone(), prompt.id.clone(), Arc::new(cadence));
            }
        }
    }
    // Once all tones and files are there: a playlist may name a parent's.
    for tenant in directory.tenants() {
        for prompt in tenant.prompts.iter().filter(|prompt| !prompt.playlist.is_empty()) {
            let sounds = listed(directory, prompts, &tenant.id, &prompt.playlist);
            prompts.insert_list(tenant.id.clone(), prompt.id.clone(), sounds);
        }
    }
}

/// The sounds of a playlist; one without audio yet is passed over.
fn listed(
    directory: &Directory,
    prompts: &Prompts,
    tenant: &TenantId,
    playlist: &[PromptId],
) -> Sounds {
    let found = playlist.iter().filter_map(|part| {
        let (owner, _) = directory.prompt(tenant, part)?;
        prompts.get(owner, part)
    });
    found.flat_map(|sounds| sounds.iter().map(Arc::clone)).collect::<Vec<Arc<Prompt>>>().into()
}

/// Values of flows that cannot be said as they ask for.
pub(super) fn unsayable(provisioning: &Provisioning) -> impl Iterator<Item = ConfigFault> {
    let flows = provisioning
        .tenants
        .iter()
        .flat_map(|tenant| tenant.flows.iter().map(move |flow| (&tenant.id, flow)));
    flows.flat_map(|(tenant, flow)| {
        flow.steps.iter().enumerate().filter_map(move |(at, step)| {
            let Step::Say { say, value, .. } = step else { return None };
            let error = read(*say, value).err().filter(|_| !value.starts_with('$'))?;
            Some(ConfigFault {
                file: Path::new("provisioning").to_owned(),
                line: None,
                key: format!("tenants.{tenant}.flows.{}.steps[{at}].value", flow.id),
                problem: format!("{value:?} cannot be said"),
                cure: format!("{} are written {}", error.what, error.how),
            })
        })
    })
}

fn read(say: Saying, value: &str) -> Result<(), UtteranceError> {
    let read = match say {
        Saying::Digits => return Ok(()),
        Saying::Number => Utterance::number,
        Saying::Money => Utterance::money,
        Saying::Date => Utterance::date,
        Saying::Time => Utterance::time,
    };
    read(value).map(drop)
}

/// The voice that is built in, read once.
fn voice(language: Language) -> Option<Arc<Voice>> {
    static ENGLISH: OnceLock<Option<Arc<Voice>>> = OnceLock::new();
    static GERMAN: OnceLock<Option<Arc<Voice>>> = OnceLock::new();
    let (voice, index, audio): (_, _, &[u8]) = match language {
        Language::English => (
            &ENGLISH,
            include_str!("../../../fixtures/say/en.tsv"),
            include_bytes!("../../../fixtures/say/en.ulaw"),
        ),
        Language::German => (
            &GERMAN,
            include_str!("../../../fixtures/say/de.tsv"),
            include_bytes!("../../../fixtures/say/de.ulaw"),
        ),
    };
    voice.get_or_init(|| Voice::read(index, audio).ok().map(Arc::new)).clone()
}
