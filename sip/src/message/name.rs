//! Names of header fields: known ones as constants with their compact forms, all others as text
//! (RFC 3261 §7.3.3, §20).

use std::fmt;

/// The name of a header field; compared without regard to case, `v` being `Via`.
#[derive(Clone, Copy)]
pub struct Name<'a>(Inner<'a>);

#[derive(Clone, Copy)]
enum Inner<'a> {
    Known(u8),
    Other(&'a str),
}

/// What [`Name::code`] says of a name without a constant.
pub(crate) const OTHER: u8 = 0;

macro_rules! names {
    ($($code:literal $ident:ident $text:literal $compact:literal;)*) => {
        #[allow(missing_docs, reason = "the constants are the names they spell")]
        impl Name<'static> {
            $(pub const $ident: Self = Name(Inner::Known($code));)*
        }

        /// Canonical and compact text by code; the entry of code 0 is empty.
        const TEXTS: &[(&str, &str)] = &[("", ""), $(($text, $compact),)*];
    };
}

names! {
    1 VIA "Via" "v";
    2 FROM "From" "f";
    3 TO "To" "t";
    4 CALL_ID "Call-ID" "i";
    5 CSEQ "CSeq" "";
    6 CONTACT "Contact" "m";
    7 MAX_FORWARDS "Max-Forwards" "";
    8 CONTENT_LENGTH "Content-Length" "l";
    9 CONTENT_TYPE "Content-Type" "c";
    10 ROUTE "Route" "";
    11 RECORD_ROUTE "Record-Route" "";
    12 EXPIRES "Expires" "";
    13 MIN_EXPIRES "Min-Expires" "";
    14 AUTHORIZATION "Authorization" "";
    15 PROXY_AUTHORIZATION "Proxy-Authorization" "";
    16 WWW_AUTHENTICATE "WWW-Authenticate" "";
    17 PROXY_AUTHENTICATE "Proxy-Authenticate" "";
    18 ALLOW "Allow" "";
    19 SUPPORTED "Supported" "k";
    20 REQUIRE "Require" "";
    21 PROXY_REQUIRE "Proxy-Require" "";
    22 UNSUPPORTED "Unsupported" "";
    23 USER_AGENT "User-Agent" "";
    24 SERVER "Server" "";
    25 ACCEPT "Accept" "";
    26 ACCEPT_ENCODING "Accept-Encoding" "";
    27 ACCEPT_LANGUAGE "Accept-Language" "";
    28 CONTENT_ENCODING "Content-Encoding" "e";
    29 CONTENT_DISPOSITION "Content-Disposition" "";
    30 CONTENT_LANGUAGE "Content-Language" "";
    31 SUBJECT "Subject" "s";
    32 TIMESTAMP "Timestamp" "";
    33 DATE "Date" "";
    34 RETRY_AFTER "Retry-After" "";
    35 WARNING "Warning" "";
    36 REASON "Reason" "";
    37 REFER_TO "Refer-To" "r";
    38 REFERRED_BY "Referred-By" "b";
    39 REPLACES "Replaces" "";
    40 EVENT "Event" "o";
    41 ALLOW_EVENTS "Allow-Events" "u";
    42 SUBSCRIPTION_STATE "Subscription-State" "";
    43 SESSION_EXPIRES "Session-Expires" "x";
    44 MIN_SE "Min-SE" "";
    45 RSEQ "RSeq" "";
    46 RACK "RAck" "";
    47 P_ASSERTED_IDENTITY "P-Asserted-Identity" "";
    48 P_PREFERRED_IDENTITY "P-Preferred-Identity" "";
    49 PRIVACY "Privacy" "";
    50 DIVERSION "Diversion" "";
    51 HISTORY_INFO "History-Info" "";
    52 PATH "Path" "";
    53 SERVICE_ROUTE "Service-Route" "";
    54 MIME_VERSION "MIME-Version" "";
    55 ORGANIZATION "Organization" "";
    56 PRIORITY "Priority" "";
    57 CALL_INFO "Call-Info" "";
    58 ALERT_INFO "Alert-Info" "";
    59 ERROR_INFO "Error-Info" "";
    60 IN_REPLY_TO "In-Reply-To" "";
    61 REPLY_TO "Reply-To" "";
    62 AUTHENTICATION_INFO "Authentication-Info" "";
    63 SIP_ETAG "SIP-ETag" "";
    64 SIP_IF_MATCH "SIP-If-Match" "";
    65 IDENTITY "Identity" "y";
    66 REQUEST_DISPOSITION "Request-Disposition" "d";
    67 ACCEPT_CONTACT "Accept-Contact" "a";
    68 REJECT_CONTACT "Reject-Contact" "j";
    69 USER_TO_USER "User-to-User" "";
    70 RESOURCE_PRIORITY "Resource-Priority" "";
    71 JOIN "Join" "";
}

/// Open-addressed table from a hash of a name to its code, made by the compiler.
static SLOTS: [u8; 256] = slots();

const fn hash(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let first = (name[0] | 0x20) as usize;
    let last = (name[name.len() - 1] | 0x20) as usize;
    let middle = (name[name.len() / 2] | 0x20) as usize;
    (name.len().wrapping_mul(31) ^ first.wrapping_mul(7) ^ last.wrapping_mul(13) ^ (middle << 2))
        & 255
}

const fn slots() -> [u8; 256] {
    let mut slots = [OTHER; 256];
    let mut code = 1;
    while code < TEXTS.len() {
        let mut form = 0;
        while form < 2 {
            let text = if form == 0 { TEXTS[code].0 } else { TEXTS[code].1 };
            if !text.is_empty() {
                let mut at = hash(text.as_bytes());
                while slots[at] != OTHER {
                    at = (at + 1) & 255;
                }
                #[allow(clippy::cast_possible_truncation, reason = "fewer than 256 names")]
                {
                    slots[at] = code as u8;
                }
            }
            form += 1;
        }
        code += 1;
    }
    slots
}

/// The code of the name with that text, or [`OTHER`].
pub(crate) fn code_of(name: &[u8]) -> u8 {
    let mut at = hash(name);
    loop {
        let code = SLOTS[at];
        if code == OTHER {
            return OTHER;
        }
        let (canonical, compact) = TEXTS[usize::from(code)];
        if name.eq_ignore_ascii_case(canonical.as_bytes())
            || (name.len() == 1 && name.eq_ignore_ascii_case(compact.as_bytes()))
        {
            return code;
        }
        at = (at + 1) & 255;
    }
}

impl<'a> Name<'a> {
    /// The name with that text, known or not.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        match code_of(text.as_bytes()) {
            OTHER => Self(Inner::Other(text)),
            code => Self(Inner::Known(code)),
        }
    }

    /// The full text, in the RFC's spelling if the name is known.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        match self.0 {
            Inner::Known(code) => TEXTS[usize::from(code)].0,
            Inner::Other(text) => text,
        }
    }

    pub(crate) const fn by_code(code: u8) -> Name<'static> {
        Name(Inner::Known(code))
    }

    pub(crate) const fn code(&self) -> u8 {
        match self.0 {
            Inner::Known(code) => code,
            Inner::Other(_) => OTHER,
        }
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Inner::Known(a), Inner::Known(b)) => a == b,
            (Inner::Other(a), Inner::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_by_its_compact_form() {
        for (code, (canonical, compact)) in TEXTS.iter().enumerate().skip(1) {
            assert_eq!(usize::from(code_of(canonical.as_bytes())), code, "{canonical}");
            assert_eq!(usize::from(code_of(canonical.to_uppercase().as_bytes())), code);
            if !compact.is_empty() {
                assert_eq!(usize::from(code_of(compact.to_uppercase().as_bytes())), code);
            }
        }
    }

    #[test]
    fn an_unknown_name_keeps_its_text_and_compares_without_case() {
        assert_eq!(Name::new("X-Tenant"), Name::new("x-tenant"));
        assert_ne!(Name::new("X-Tenant"), Name::VIA);
        assert_eq!(Name::new("V"), Name::VIA);
        assert_eq!(code_of(b""), OTHER);
    }
}
