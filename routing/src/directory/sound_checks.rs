//! The checks on what a tenant plays and says: its prompts, its language, and the values of its
//! flows' announcements, as far as they can be read without the audio.

use std::path::Component;

use super::checks::Names;
use super::names::Findings;
use crate::PromptFile;

/// The tones that every country has.
const TONES: [&str; 7] =
    ["dial", "ringing", "busy", "congestion", "call_waiting", "information", "beep"];
/// The languages that values are said in.
const LANGUAGES: [&str; 2] = ["en", "de"];

impl Names<'_> {
    pub(super) fn prompt_file(&self, prompt: &PromptFile, found: &mut Findings) {
        let path = |key: &str| self.path(format_args!("prompts.{}{key}", prompt.id));
        let said = [prompt.file.is_some(), !prompt.playlist.is_empty(), prompt.tone.is_some()];
        if said.iter().filter(|said| **said).count() != 1 {
            let problem = "it must be one thing: a file, a playlist or a tone";
            return found.add(
                path(""),
                problem,
                "write `file`, `playlist` or `tone`, and only one",
            );
        }
        if let Some(file) = &prompt.file {
            let below = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
            if file.as_os_str().is_empty() {
                found.add(path(".file"), "the file has no name", "write the WAV file's name");
            } else if !file.components().all(below) {
                found.add(
                    path(".file"),
                    format_args!("{file:?} lies outside the provisioning file's folder"),
                    "put the file beside the provisioning file or below it, and write it from there",
                );
            }
        }
        if let Some(tone) = &prompt.tone
            && !TONES.contains(&tone.as_str())
        {
            let cure = format!("write one of {}", TONES.join(", "));
            found.add(path(".tone"), format_args!("there is no tone {tone:?}"), cure);
        }
        for (at, part) in prompt.playlist.iter().enumerate() {
            let path = path(&format!(".playlist[{at}]"));
            self.prompt(&path, part, found);
            if self.playlists.contains(part) {
                found.add(path, "a playlist in a playlist", "name the prompts it is made of");
            }
        }
    }

    /// A language that values are said in.
    pub(super) fn language(&self, path: String, language: Option<&str>, found: &mut Findings) {
        let Some(language) = language else { return };
        let primary = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        if !LANGUAGES.contains(&primary.as_str()) {
            let cure = format!("write one of {}", LANGUAGES.join(", "));
            found.add(path, format_args!("nothing can be said in {language:?}"), cure);
        }
    }
}
