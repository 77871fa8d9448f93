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
    72 FLOW_TIMER "Flow-Timer" "";
    73 INFO_PACKAGE "Info-Package" "";
    74 RECV_INFO "Recv-Info" "";
}

/// The longest known name.
const LONGEST: usize = 24;

/// A name of at most [`LONGEST`] bytes as three words that together hold each of its bytes.
type Words = [u64; 3];

/// First, middle and last bytes; they overlap.
const fn words(name: &[u8]) -> Words {
    let (_, second) = name.split_at(name.len() / 2);
    let (_, middle) = name.split_at((name.len() / 2).saturating_sub(4));
    match (name.first_chunk(), middle.first_chunk(), name.last_chunk()) {
        (Some(first), Some(middle), Some(last)) => {
            [u64::from_le_bytes(*first), u64::from_le_bytes(*middle), u64::from_le_bytes(*last)]
        }
        _ => match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => {
                [u32::from_le_bytes(*first) as u64, 0, u32::from_le_bytes(*last) as u64]
            }
            _ => match (name, second) {
                ([first, ..], [middle, ..]) => {
                    [*first as u64, *middle as u64, name[name.len() - 1] as u64]
                }
                _ => [0; 3],
            },
        },
    }
}

/// One spelling of a known name.
#[derive(Clone, Copy)]
struct Spelling {
    code: u8,
    length: usize,
    words: Words,
    /// The bits in which the same name may differ: the case of letters.
    case: Words,
}

const EMPTY: Spelling = Spelling { code: OTHER, length: 0, words: [0; 3], case: [0; 3] };

const fn spelling(code: u8, text: &str) -> Spelling {
    let length = text.len();
    assert!(length <= LONGEST);
    let mut case = [0; LONGEST];
    let mut at = 0;
    while at < length {
        if text.as_bytes()[at].is_ascii_alphabetic() {
            case[at] = 0x20;
        }
        at += 1;
    }
    let (case, _) = case.split_at(length);
    Spelling { code, length, words: words(text.as_bytes()), case: words(case) }
}

/// Open-addressed table of all spellings, made by the compiler.
static SLOTS: [Spelling; 256] = slots();

/// The place at which a name is looked for first, whatever its case.
const fn place(length: usize, words: &Words) -> usize {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let mixed = (words[0] | LOWER).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (words[2] | LOWER).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (mixed >> 56) as usize ^ length
}

const fn slots() -> [Spelling; 256] {
    let mut slots = [EMPTY; 256];
    let mut code = 1;
    while code < TEXTS.len() {
        let texts = [TEXTS[code].0, TEXTS[code].1];
        let mut form = 0;
        while form < 2 && !texts[form].is_empty() {
            #[allow(clippy::cast_possible_truncation, reason = "fewer than 256 names")]
            let spelling = spelling(code as u8, texts[form]);
            let mut at = place(spelling.length, &spelling.words);
            while slots[at].code != OTHER {
                at = (at + 1) & 255;
            }
            slots[at] = spelling;
            form += 1;
        }
        code += 1;
    }
    slots
}

/// The code of the name with that text, or [`OTHER`].
#[inline]
pub(crate) fn code_of(name: &[u8]) -> u8 {
    if name.len() > LONGEST {
        return OTHER;
    }
    let words = words(name);
    let mut at = place(name.len(), &words);
    loop {
        let known = &SLOTS[at & 255];
        let differs = |n: usize| (words[n] ^ known.words[n]) & !known.case[n];
        let same = known.length == name.len() && (differs(0) | differs(1) | differs(2)) == 0;
        if same || known.code == OTHER {
            return known.code;
        }
        at += 1;
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

    /// A name that is none of the table's.
    pub(crate) const fn unlisted(text: &'a str) -> Self {
        Self(Inner::Other(text))
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
        // Bit 0x20 is the case of letters only: CR is no lower-case hyphen.
        for text in ["Call\rID", "Call-IDs", "Call-I", "Cell-ID", "Content-Disposition-Or-So"] {
            assert_eq!(code_of(text.as_bytes()), OTHER, "{text}");
        }
    }
}
