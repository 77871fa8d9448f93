//! What a leg is played: prompts, music, and values said from recorded fragments.

use std::sync::Arc;

use base::{LegId, PromptId};
use media::say::{Fragment, Language, Utterance};
use media::{Command, PlayId, Prompt};
use routing::Saying;

use super::Call;
use crate::config::Sounds;
use crate::node::Node;

impl Call {
    /// Plays a prompt to the caller, in place of what plays. `None` if there is no such prompt.
    pub(super) fn play(
        &mut self,
        node: &mut Node,
        prompt: &PromptId,
        looped: bool,
    ) -> Option<PlayId> {
        self.play_to(node, self.caller.id, prompt, looped)
    }

    /// The same to any leg of the call.
    pub(super) fn play_to(
        &mut self,
        node: &mut Node,
        leg: LegId,
        prompt: &PromptId,
        looped: bool,
    ) -> Option<PlayId> {
        // The tenant's own, or a parent's.
        let (owner, _) = self.directory.prompt(&self.tenant, prompt)?;
        let sounds = Arc::clone(self.prompts.get(owner, prompt)?);
        self.play_sounds(node, leg, sounds, looped)
    }

    pub(super) fn play_sounds(
        &mut self,
        node: &mut Node,
        leg: LegId,
        sounds: Sounds,
        looped: bool,
    ) -> Option<PlayId> {
        let (stream, place) = self.leg_mut(leg)?.stream.open()?;
        let play = node.next_play();
        node.media(place.worker, Command::Play { stream, play, sounds, looped });
        Some(play)
    }

    /// Says a value to the caller. `None` if it is none of the kind that it should be, or if there
    /// is no voice for it.
    pub(super) fn say(
        &mut self,
        node: &mut Node,
        say: Saying,
        value: &str,
        language: Option<&str>,
    ) -> Option<PlayId> {
        let tag = language.or_else(|| self.directory.language(&self.tenant)).unwrap_or("en");
        let language = Language::from_tag(tag)?;
        let said = utterance(say, &self.value(value))?;
        let sounds: Option<Sounds> = said
            .fragments(language)
            .into_iter()
            .map(|fragment| self.fragment(language, fragment))
            .collect();
        self.play_sounds(node, self.caller.id, sounds?, false)
    }

    /// A fragment as the tenant, or a parent, recorded it itself (a prompt `say.en.21`), else as
    /// the language's voice has it.
    fn fragment(&self, language: Language, fragment: Fragment) -> Option<Arc<Prompt>> {
        let own = PromptId::new(&format!("say.{}.{fragment}", language.tag())).ok();
        let own = own.and_then(|id| {
            let (owner, _) = self.directory.prompt(&self.tenant, &id)?;
            self.prompts.get(owner, &id)?.first().cloned()
        });
        own.or_else(|| self.prompts.voice(language)?.fragment(fragment).cloned())
    }

    /// What a step's value stands for.
    fn value(&self, written: &str) -> String {
        match written {
            "$caller" => self.from.number.to_string(),
            "$called" => self.to.to_string(),
            _ => written.to_owned(),
        }
    }

    pub(super) fn stop_playing(&self, node: &mut Node) {
        if let Some((stream, place)) = self.caller.stream.open() {
            node.media(place.worker, Command::StopPlaying { stream });
        }
    }
}

fn utterance(say: Saying, value: &str) -> Option<Utterance> {
    match say {
        Saying::Digits => Some(Utterance::Digits(value.to_owned())),
        Saying::Number => Utterance::number(value).ok(),
        Saying::Money => Utterance::money(value).ok(),
        Saying::Date => Utterance::date(value).ok(),
        Saying::Time => Utterance::time(value).ok(),
    }
}
