//! message/sipfrag: how far a call that a REFER asked for has come, as the body of a NOTIFY
//! (RFC 3420, RFC 3515 §2.4.5).

use crate::StatusCode;

/// The content type.
pub const CONTENT_TYPE: &str = "message/sipfrag;version=2.0";

/// The body: the status line alone, so that nothing of the other leg is told.
#[must_use]
pub fn body(status: StatusCode) -> String {
    format!("SIP/2.0 {status} {}\r\n", status.reason())
}

/// The status that a body tells, if it has a status line.
#[must_use]
pub fn status(body: &[u8]) -> Option<StatusCode> {
    let line = body.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_ascii();
    let mut words = line.split_ascii_whitespace();
    let is_sip = words.next()?.eq_ignore_ascii_case("SIP/2.0");
    let number = words.next().filter(|word| is_sip && word.len() == 3)?;
    StatusCode::new(number.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_back_and_what_is_none_does_not() {
        assert_eq!(body(StatusCode::BUSY_HERE), "SIP/2.0 486 Busy Here\r\n");
        for number in [100, 180, 200, 486, 603] {
            let code = StatusCode::new(number).unwrap();
            assert_eq!(status(body(code).as_bytes()), Some(code));
        }
        assert_eq!(status(b"SIP/2.0 200"), Some(StatusCode::OK));
        assert_eq!(status(b"SIP/2.0 200 OK\r\nVia: x\r\n"), Some(StatusCode::OK));
        for bad in ["", "SIP/2.0", "HTTP/1.1 200 OK", "SIP/2.0 99 x", "SIP/2.0 +20 x", "\r\n200"] {
            assert_eq!(status(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(status(&[0xff, 0xfe]), None);
    }
}
