//! The list of findings and the names they speak of: how an error says where it is and what was
//! probably meant.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::ProvisioningError;

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Findings(Vec<ProvisioningError>);

impl Findings {
    pub(super) fn add(&mut self, path: impl Display, problem: impl Display, cure: impl Display) {
        self.0.push(ProvisioningError {
            path: path.to_string(),
            problem: problem.to_string(),
            cure: cure.to_string(),
        });
    }

    /// All of it, in the order of the paths.
    pub(super) fn into_errors(mut self) -> Vec<ProvisioningError> {
        self.0.sort();
        self.0
    }

    /// Indexes a list by name and reports names that stand in it twice.
    pub(super) fn index<'a, Id: Ord + Clone + Display + 'a>(
        &mut self,
        list_path: &str,
        ids: impl Iterator<Item = &'a Id>,
    ) -> BTreeMap<Id, usize> {
        let mut index = BTreeMap::new();
        for (at, id) in ids.enumerate() {
            if let Some(first) = index.insert(id.clone(), at) {
                self.add(
                    format_args!("{list_path}[{at}].id"),
                    format_args!(
                        "{id:?} is the name of {list_path}[{first}] already",
                        id = id.to_string()
                    ),
                    "give one of them another name",
                );
                index.insert(id.clone(), first);
            }
        }
        index
    }

    /// Reports a name that stands for nothing, with the names that would.
    pub(super) fn unknown<'a, Id: Ord + Display + 'a>(
        &mut self,
        path: impl Display,
        kind: &str,
        name: &Id,
        known: impl Iterator<Item = &'a Id>,
        place: &str,
    ) {
        let name = name.to_string();
        let mut names: Vec<String> = known.map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        let nearest = names
            .iter()
            .map(|n| (distance(n, &name), n))
            .min()
            .filter(|(d, n)| *d <= 2 && *d < n.len());
        let add = format!("add one with id = {name:?} to {place}");
        let cure = match (nearest, names.len()) {
            (Some((_, meant)), _) => format!("did you mean {meant:?}? if not, {add}"),
            (None, 0) => add,
            (None, 1..=8) => format!("use one of: {}; or {add}", names.join(", ")),
            (None, n) => format!("use one of the {n} that exist, or {add}"),
        };
        self.add(path, format_args!("there is no {kind} {name:?}"), cure);
    }
}

/// Reports a number out of its range.
pub(super) fn within(path: &str, value: u32, range: RangeInclusive<u32>, found: &mut Findings) {
    if !range.contains(&value) {
        let (least, most) = (range.start(), range.end());
        found.add(
            path,
            format_args!("{value} is out of range"),
            format_args!("write a number from {least} to {most}"),
        );
    }
}

/// The number of letters to insert, drop or change to come from one text to the other
/// (Levenshtein); names have at most 63 bytes.
fn distance(from: &str, to: &str) -> usize {
    let to = to.as_bytes();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_between_names_counts_letters() {
        assert_eq!(distance("sales", "sales"), 0);
        assert_eq!(distance("sales", "sale"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
