//! Bencode, as rtpengine's control protocol has it.

use std::collections::BTreeMap;

/// A value of the protocol.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    List(Vec<Value>),
    Dictionary(BTreeMap<String, Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Value {
    /// A dictionary of these pairs.
    pub(crate) fn dictionary(pairs: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Dictionary(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A list of strings.
    pub(crate) fn list(texts: &[&str]) -> Self {
        Self::List(texts.iter().map(|text| Self::from(*text)).collect())
    }

    /// The string of a key of this dictionary.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let Self::Dictionary(entries) = self else { return None };
        match entries.get(key)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_text(text, into),
            Self::Number(number) => into.extend_from_slice(format!("i{number}e").as_bytes()),
            Self::List(values) => {
                into.push(b'l');
                values.iter().for_each(|value| value.write(into));
                into.push(b'e');
            }
            Self::Dictionary(entries) => {
                into.push(b'd');
                for (key, value) in entries {
                    write_text(key, into);
                    value.write(into);
                }
                into.push(b'e');
            }
        }
    }

    /// Reads one value off the front.
    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        match bytes.first()? {
            b'i' => {
                let end = bytes.iter().position(|byte| *byte == b'e')?;
                let number = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
                *bytes = &bytes[end + 1..];
                Some(Self::Number(number))
            }
            b'l' => {
                let mut values = Vec::new();
                *bytes = &bytes[1..];
                while *bytes.first()? != b'e' {
                    values.push(Self::read(bytes)?);
                }
                *bytes = &bytes[1..];
                Some(Self::List(values))
            }
            b'd' => {
                let mut entries = BTreeMap::new();
                *bytes = &bytes[1..];
                while *bytes.first()? != b'e' {
                    let Self::Text(key) = Self::read(bytes)? else { return None };
                    entries.insert(key, Self::read(bytes)?);
                }
                *bytes = &bytes[1..];
                Some(Self::Dictionary(entries))
            }
            _ => {
                let colon = bytes.iter().position(|byte| *byte == b':')?;
                let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
                let rest = &bytes[colon + 1..];
                let (text, rest) = rest.split_at_checked(length)?;
                *bytes = rest;
                Some(Self::Text(String::from_utf8_lossy(text).into_owned()))
            }
        }
    }
}

fn write_text(text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(format!("{}:{text}", text.len()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_its_bytes() {
        let inner = Value::dictionary([("transcode", Value::list(&["opus"]))]);
        let command = Value::dictionary([
            ("command", "offer".into()),
            ("codec", inner),
            ("n", Value::Number(-7)),
        ]);
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        assert_eq!(bytes, b"d5:codecd9:transcodel4:opusee7:command5:offer1:ni-7ee");
        assert_eq!(Value::read(&mut &bytes[..]), Some(command));
        assert_eq!(Value::read(&mut &b"d3:cow"[..]), None);
    }
}
