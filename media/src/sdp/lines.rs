//! The lines of a description (RFC 8866 §5, §9), borrowed from its body: those that we read, in
//! their sections. All other lines are looked at for their form only.

use std::str::from_utf8;

use super::SdpError;

/// A description as it is written.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Written<'a> {
    /// `o=`; old devices leave it out.
    pub(super) origin: Option<Origin<'a>>,
    /// The address of its own `c=`.
    pub(super) connection: Option<&'a str>,
    /// Its own `a=` lines.
    pub(super) attributes: Vec<Attribute<'a>>,
    /// From one `m=` to the next.
    pub(super) medias: Vec<Media<'a>>,
}

/// `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin<'a> {
    pub(super) sess_id: &'a str,
    pub(super) sess_version: u64,
}

/// `a=<attribute>` or `a=<attribute>:<value>`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Attribute<'a> {
    pub(super) attribute: &'a str,
    pub(super) value: Option<&'a str>,
}

/// `m=<media> <port>[/<number of ports>] <proto> <fmt> ...` and what follows it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Media<'a> {
    pub(super) media: &'a str,
    pub(super) port: u16,
    pub(super) proto: &'a str,
    /// All formats, as they stand.
    pub(super) fmt: &'a str,
    /// The address of its first `c=`.
    pub(super) connection: Option<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// Attributes that a section of a telephone call rarely has more of.
const ATTRIBUTES: usize = 16;

impl<'a> Written<'a> {
    /// Reads all lines. `v=0` is the first; the others may stand in any order before the first
    /// `m=`. Lines that we do not read may hold anything, in any encoding.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, SdpError> {
        let mut lines = body.split(|byte| *byte == b'\n').filter_map(line);
        if lines.next().transpose()? != Some((b'v', b"0")) {
            return Err(malformed("it does not begin with v=0"));
        }
        let mut written = Self::default();
        for line in lines {
            let (key, value) = line?;
            written.take(key, value)?;
        }
        Ok(written)
    }

    fn take(&mut self, key: u8, value: &'a [u8]) -> Result<(), SdpError> {
        match (key, self.medias.last_mut()) {
            (b'm', _) => self.medias.push(Media::read(text(value)?)?),
            (b'a', Some(media)) => media.attributes.push(Attribute::read(text(value)?)),
            (b'a', None) => self.attributes.push(Attribute::read(text(value)?)),
            (b'c', Some(media)) => {
                let address = connection(text(value)?)?;
                media.connection.get_or_insert(address);
            }
            (b'c', None) => once(&mut self.connection, connection(text(value)?)?)?,
            (b'o', None) => once(&mut self.origin, Origin::read(text(value)?)?)?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Origin<'a> {
    fn read(line: &'a str) -> Result<Self, SdpError> {
        let [_, sess_id, version, ..] = words::<6>(line).ok_or_else(|| malformed("o="))?;
        let sess_version = version.parse().map_err(|_| malformed("the version in o="))?;
        Ok(Self { sess_id, sess_version })
    }
}

impl<'a> Attribute<'a> {
    fn read(line: &'a str) -> Self {
        match line.split_once(':') {
            Some((attribute, value)) => Self { attribute, value: Some(value) },
            None => Self { attribute: line, value: None },
        }
    }
}

impl<'a> Media<'a> {
    fn read(line: &'a str) -> Result<Self, SdpError> {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().ok_or_else(|| malformed("m="));
        let (media, ports, proto, fmt) = (next()?, next()?, next()?, next()?);
        let (port, number) = ports.split_once('/').unwrap_or((ports, "1"));
        let (Ok(port), Ok(_)) = (port.parse(), number.parse::<u16>()) else {
            return Err(malformed("the port in m="));
        };
        let attributes = Vec::with_capacity(ATTRIBUTES);
        Ok(Self { media, port, proto, fmt, connection: None, attributes })
    }
}

/// `<nettype> <addrtype> <connection-address>`: the address.
fn connection(line: &str) -> Result<&str, SdpError> {
    words::<3>(line).map(|[_, _, address]| address).ok_or_else(|| malformed("c="))
}

/// A line's letter and value; none for an empty line.
fn line(line: &[u8]) -> Option<Result<(u8, &[u8]), SdpError>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return None;
    }
    if line.iter().any(|byte| matches!(byte, b'\0' | b'\r')) {
        return Some(Err(malformed("a line with NUL or CR")));
    }
    Some(match line {
        [key, b'=', value @ ..] if *key != b'=' => Ok((*key, value)),
        _ => Err(malformed("a line without a letter and =")),
    })
}

/// Exactly so many words, with any number of spaces between.
fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut found = [""; N];
    for place in &mut found {
        *place = words.next()?;
    }
    words.next().is_none().then_some(found)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), SdpError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed("a line that stands once only came twice")),
    }
}

fn text(value: &[u8]) -> Result<&str, SdpError> {
    from_utf8(value).map_err(|_| malformed("a line that is no UTF-8"))
}

fn malformed(what: &'static str) -> SdpError {
    SdpError::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use base::Rng;

    use super::*;

    const BODY: &str = "v=0\r\no=- 17 3 IN IP4 192.0.2.1\r\ns=call\r\nc=IN IP4 192.0.2.1\r\n\
        b=AS:64\r\nt=0 0\r\na=sendrecv\r\nm=audio 4000/2 RTP/AVP 0 8 101\r\n\
        c=IN IP6 2001:db8::1\r\nc=IN IP6 2001:db8::2\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=ptime:20\r\nm=video 0 RTP/AVP 31\r\ni=a picture\r\na=inactive\r\n";

    /// Every value that we take, as `sdp-types` reads it.
    fn theirs(body: &[u8]) -> Option<String> {
        let read = sdp_types::Session::parse(body).ok()?;
        let attributes = |all: &[sdp_types::Attribute]| {
            all.iter().map(|a| format!("{}|{:?};", a.attribute, a.value)).collect::<String>()
        };
        let address = |c: &sdp_types::Connection| c.connection_address.clone();
        let origin = format!("{} {}", read.origin.sess_id, read.origin.sess_version);
        let medias: String = read
            .medias
            .iter()
            .map(|m| {
                let (at, lines) = (m.connections.first().map(address), attributes(&m.attributes));
                format!("{} {} {} {} {at:?} {lines}\n", m.media, m.port, m.proto, m.fmt)
            })
            .collect();
        let (at, lines) = (read.connection.as_ref().map(address), attributes(&read.attributes));
        Some(format!("{origin} {at:?} {lines}\n{medias}"))
    }

    /// The same as we read it.
    fn ours(body: &[u8]) -> Option<String> {
        let read = Written::read(body).ok()?;
        let attributes = |all: &[Attribute<'_>]| {
            all.iter().map(|a| format!("{}|{:?};", a.attribute, a.value)).collect::<String>()
        };
        let origin = read.origin.map_or("0 0".to_owned(), |origin| {
            format!("{} {}", origin.sess_id, origin.sess_version)
        });
        let medias: String = read
            .medias
            .iter()
            .map(|m| {
                let (at, lines) = (m.connection, attributes(&m.attributes));
                format!("{} {} {} {} {at:?} {lines}\n", m.media, m.port, m.proto, m.fmt)
            })
            .collect();
        let lines = attributes(&read.attributes);
        Some(format!("{origin} {:?} {lines}\n{medias}", read.connection))
    }

    #[test]
    fn each_line_is_read_in_its_section() {
        let read = Written::read(BODY.as_bytes()).unwrap();
        assert_eq!(read.origin.unwrap(), Origin { sess_id: "17", sess_version: 3 });
        assert_eq!(read.connection, Some("192.0.2.1"));
        let [audio, video] = read.medias.as_slice() else { unreachable!("two sections") };
        assert_eq!((audio.port, audio.fmt), (4000, "0 8 101"));
        assert_eq!(audio.connection, Some("2001:db8::1"));
        assert_eq!(audio.attributes[1], Attribute { attribute: "ptime", value: Some("20") });
        assert_eq!(video.attributes, [Attribute { attribute: "inactive", value: None }]);
        assert_eq!(ours(BODY.as_bytes()), theirs(BODY.as_bytes()));
    }

    #[test]
    fn what_sdp_types_reads_we_read_alike() {
        let mut rng = Rng::from_seed(7);
        let mut readable = 0;
        for _ in 0..20_000 {
            let mut body = BODY.as_bytes().to_vec();
            for _ in 0..=rng.below(3) {
                let place = usize::try_from(rng.below(body.len() as u64)).unwrap();
                let with = b" :/=\r\n\0amco019-\xc3\xa4"[usize::try_from(rng.below(17)).unwrap()];
                match rng.below(3) {
                    0 => body[place] = with,
                    1 => body.insert(place, with),
                    _ => drop(body.remove(place)),
                }
            }
            let Some(expected) = theirs(&body) else { continue };
            readable += 1;
            assert_eq!(ours(&body), Some(expected), "{}", String::from_utf8_lossy(&body));
        }
        assert!(readable > 5_000, "{readable}");
    }

    #[test]
    fn lines_that_break_the_form_are_refused() {
        for (good, bad) in [
            ("v=0", "v=1"),
            ("v=0\r\n", ""),
            ("s=call", "call"),
            ("s=call", "=call"),
            ("s=call", "s=ca\0ll"),
            ("17 3 IN", "17 x IN"),
            ("17 3 IN", "17 IN"),
            ("c=IN IP4 192.0.2.1", "c=IN IP4"),
            ("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1 more"),
            ("b=AS:64", "c=IN IP4 192.0.2.9"),
            ("audio 4000/2", "audio 70000"),
            ("audio 4000/2", "audio 4000/x"),
            ("RTP/AVP 31", "RTP/AVP"),
        ] {
            assert!(ours(BODY.replacen(good, bad, 1).as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn free_text_may_be_in_any_encoding() {
        let body = [&b"v=0\ns=caf\xe9\n"[..], &BODY.as_bytes()[5..]].concat();
        assert_eq!(Written::read(&body).unwrap().medias.len(), 2);
    }
}
