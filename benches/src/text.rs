//! Just enough of a SIP message to play both ends of a call: the first line and fields by name.

/// A received message; it is trusted, since both it and its reader are part of the measurement.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub &'a [u8]);

/// What the first line says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Start<'a> {
    /// Its method.
    Request(&'a [u8]),
    /// Its status.
    Response(u16),
}

impl<'a> Text<'a> {
    /// What the first line says.
    #[must_use]
    pub fn start(&self) -> Option<Start<'a>> {
        let line = self.lines().next()?;
        if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
            let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
            return Some(Start::Response(digits.parse().ok()?));
        }
        Some(Start::Request(line.split(|byte| *byte == b' ').next()?))
    }

    /// The lines up to the body.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lines = self.0.split(|byte| *byte == b'\n');
        lines
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .take_while(|line| !line.is_empty())
    }

    /// The first field of that name, without its name.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.lines().find_map(|line| field(line, name))
    }

    /// Which request a response answers.
    pub fn answers(&self, method: &str) -> bool {
        self.value("CSeq").is_some_and(|cseq| cseq.ends_with(method.as_bytes()))
    }
}

/// The value if this line is of that field.
pub fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (own, value) = line.split_at_checked(name.len())?;
    if !own.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    Some(value.trim_ascii_start().strip_prefix(b":")?.trim_ascii())
}

/// The digits that follow the first `mark` in a value.
pub fn number_after(value: &[u8], mark: &str) -> Option<usize> {
    let at = value.windows(mark.len()).position(|window| window == mark.as_bytes())?;
    number(&value[at + mark.len()..])
}

/// The digits that a value begins with.
pub fn number(value: &[u8]) -> Option<usize> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    let mut digits = digits.map(|byte| usize::from(byte - b'0')).peekable();
    digits.peek()?;
    digits.try_fold(0_usize, |number, digit| number.checked_mul(10)?.checked_add(digit))
}

/// What is between the angle brackets.
pub fn uri(value: &[u8]) -> &[u8] {
    let from = value.iter().position(|byte| *byte == b'<').map_or(0, |at| at + 1);
    let rest = &value[from..];
    &rest[..rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Text<'_> = Text(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1\r\n\
          From: <sip:+12120000017@127.0.0.2>;tag=c17\r\nTo: <sip:bob@x>;tag=a17-2\r\n\
          CSeq: 1 INVITE\r\nContact: <sip:bob@127.0.0.1:5070;transport=udp>;expires=3\r\n\r\n\
          Via: in the body\r\n",
    );

    #[test]
    fn a_response_is_read_by_its_fields() {
        assert_eq!(OK.start(), Some(Start::Response(200)));
        assert!(OK.answers("INVITE") && !OK.answers("BYE"));
        assert_eq!(OK.lines().filter_map(|line| field(line, "via")).count(), 1);
        assert_eq!(number_after(OK.value("From").unwrap(), "+1212"), Some(17));
        assert_eq!(number_after(OK.value("To").unwrap(), ";tag=a"), Some(17));
        assert_eq!(uri(OK.value("Contact").unwrap()), b"sip:bob@127.0.0.1:5070;transport=udp");
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(Text(b"BYE sip:x SIP/2.0\r\n\r\n").start(), Some(Start::Request(b"BYE")));
        assert_eq!(Text(b"").start(), None);
        assert_eq!(OK.value("Record-Route"), None);
        assert_eq!(number_after(b"<sip:bob@x>;tag=z", ";tag=a"), None);
    }
}
