//! The checks on steps that ask for digits: they can be answered, and what they lead to is there.

use std::collections::BTreeSet;

use super::checks::Names;
use super::names::Findings;
use crate::{Choice, Collect, Menu, Patience};

/// The most digits that are asked for at once.
const MOST_DIGITS: u32 = 64;
const LONGEST_CHOICE: usize = 8;
const LONGEST_NAME: usize = 32;

impl Names<'_> {
    pub(super) fn collect(&self, path: &str, asked: &Collect, found: &mut Findings) {
        for (key, prompt) in [("prompt", &asked.prompt), ("invalid", &asked.invalid)] {
            if let Some(prompt) = prompt {
                self.prompt(&format!("{path}.{key}"), prompt, found);
            }
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = &asked.into;
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_name) {
            let cure = "write 1 to 32 letters, digits, \"_\" and \"-\"";
            found.add(format!("{path}.into"), "no name for what is collected", cure);
        }
        if asked.min == 0 || asked.max < asked.min || asked.max > MOST_DIGITS {
            let problem = "no such number of digits can be collected";
            found.add(format!("{path}.max"), problem, "write 1 <= min <= max <= 64");
        }
        if !asked.end.is_empty() && (asked.end.len() != 1 || !are_keys(&asked.end)) {
            let cure = "write one of 0-9, *, #, A-D, or \"\" for none";
            found.add(format!("{path}.end"), "no key that ends the digits", cure);
        }
        patience(path, &asked.wait, found);
    }

    pub(super) fn menu(&self, path: &str, menu: &Menu, found: &mut Findings) {
        for (key, prompt) in [("prompt", &menu.prompt), ("invalid", &menu.invalid)] {
            if let Some(prompt) = prompt {
                self.prompt(&format!("{path}.{key}"), prompt, found);
            }
        }
        if menu.choices.is_empty() && !menu.extensions {
            let cure = "add a choice, such as { digits = \"1\", queue = \"...\" }";
            found.add(format!("{path}.choices"), "nothing can be chosen", cure);
        }
        let mut seen = BTreeSet::new();
        for (at, choice) in menu.choices.iter().enumerate() {
            let path = format!("{path}.choices[{at}]");
            if !seen.insert(&choice.digits) {
                found.add(format!("{path}.digits"), "another choice has the same", "remove one");
            }
            self.choice(&path, choice, found);
        }
        patience(path, &menu.wait, found);
    }

    fn choice(&self, path: &str, choice: &Choice, found: &mut Findings) {
        let digits = &choice.digits;
        if digits.is_empty() || digits.len() > LONGEST_CHOICE || !are_keys(digits) {
            let cure = "write 1 to 8 of 0-9, *, #, A-D";
            found.add(format!("{path}.digits"), "nobody can press that", cure);
        }
        let targets = [choice.flow.is_some(), choice.queue.is_some(), choice.dial.is_some()];
        if targets.into_iter().filter(|is_there| *is_there).count() > 1 {
            let problem = "it leads to more than one place";
            found.add(path, problem, "keep one of flow, queue and dial");
        }
        if let Some(flow) = choice.flow.as_ref().filter(|id| !self.index.flows.contains_key(*id)) {
            let (known, place) = (self.index.flows.keys(), self.place("flows"));
            found.unknown(format!("{path}.flow"), "flow", flow, known, &place);
        }
        if let Some(queue) = choice.queue.as_ref().filter(|id| !self.index.queues.contains_key(*id))
        {
            let (known, place) = (self.index.queues.keys(), self.place("queues"));
            found.unknown(format!("{path}.queue"), "queue", queue, known, &place);
        }
        if choice.dial.as_ref().is_some_and(|to| to.trim().is_empty()) {
            let cure = "name an agent, an extension or a number";
            found.add(format!("{path}.dial"), "nobody is named", cure);
        }
    }
}

fn patience(path: &str, wait: &Patience, found: &mut Findings) {
    for (key, seconds) in [("first_s", wait.first_s), ("next_s", wait.next_s)] {
        if !(1..=60).contains(&seconds) {
            found.add(format!("{path}.wait.{key}"), "a time out of range", "write 1 to 60");
        }
    }
    if !(1..=10).contains(&wait.tries) {
        found.add(format!("{path}.wait.tries"), "it is asked too often or never", "write 1 to 10");
    }
}

fn are_keys(text: &str) -> bool {
    text.chars().all(|key| "0123456789*#ABCD".contains(key))
}
