//! What a trunk's rules do to header fields.

use crate::{Direction, HeaderAction, HeaderRule, Trunk};

/// What is to be done to the header fields of a request that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Fields to put in, instead of any of that name: name and value, in order.
    pub set: Vec<(String, String)>,
    /// Fields to take out if we put them in ourselves.
    pub remove: Vec<String>,
}

/// The fields that make a SIP message what it is: no rule sets, removes or passes them.
const OURS: &[&str] = &[
    "accept",
    "allow",
    "authorization",
    "call-id",
    "contact",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-type",
    "cseq",
    "event",
    "expires",
    "from",
    "identity",
    "max-forwards",
    "min-expires",
    "min-se",
    "p-asserted-identity",
    "p-preferred-identity",
    "path",
    "privacy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-require",
    "rack",
    "reason",
    "record-route",
    "refer-to",
    "referred-by",
    "replaces",
    "require",
    "route",
    "rseq",
    "service-route",
    "session-expires",
    "subscription-state",
    "supported",
    "to",
    "unsupported",
    "via",
    "www-authenticate",
];

/// The short forms of fields (RFC 3261 §7.3.3): a rule must write the whole name.
const SHORT: usize = 1;

/// What the trunk's rules do to an INVITE. `arriving` gives the values of a field of the INVITE
/// that came in: for `inbound` the trunk's own, whose fields go on to the agent; for `outbound`
/// the agent's, whose fields go on to the trunk.
#[must_use]
pub fn header_changes(
    trunk: &Trunk,
    direction: Direction,
    arriving: &dyn Fn(&str) -> Vec<String>,
) -> HeaderChanges {
    let mut changes = HeaderChanges::default();
    for rule in trunk.headers.iter().filter(|rule| rule.direction == direction) {
        changes.forget(&rule.name);
        match (rule.action, &rule.value) {
            (HeaderAction::Set, value) => {
                changes.put(&rule.name, value.clone().unwrap_or_default());
            }
            (HeaderAction::Remove, _) => changes.remove.push(rule.name.clone()),
            (HeaderAction::Pass, _) => {
                for value in arriving(&rule.name) {
                    changes.put(&rule.name, value);
                }
            }
        }
    }
    changes
}

impl HeaderChanges {
    /// A later rule about the same field stands for an earlier one.
    fn forget(&mut self, name: &str) {
        self.set.retain(|(of, _)| !of.eq_ignore_ascii_case(name));
        self.remove.retain(|of| !of.eq_ignore_ascii_case(name));
    }

    /// What a peer sent may hold what would end the field: then it does not go on.
    fn put(&mut self, name: &str, value: String) {
        if is_value(&value) {
            self.set.push((name.to_owned(), value));
        }
    }
}

/// Why a header rule cannot be: problem and cure.
pub(crate) fn fault(rule: &HeaderRule) -> Option<(String, &'static str)> {
    let name = &rule.name;
    if name.len() <= SHORT || !name.bytes().all(is_token) {
        return Some((
            format!("{name:?} is not the whole name of a header field"),
            "write a name such as \"X-Account\"",
        ));
    }
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return Some((
            format!("{name} is a field that SIP itself needs"),
            "remove the rule: rules are for fields of your own, such as \"X-Account\"",
        ));
    }
    match (rule.action, &rule.value) {
        (HeaderAction::Set, None) => {
            Some(("a rule that sets a field needs its value".to_owned(), "write value = \"...\""))
        }
        (HeaderAction::Set, Some(value)) if !is_value(value) || value.is_empty() => Some((
            format!("{value:?} cannot be a field's value"),
            "write one line of 1 to 512 characters",
        )),
        (HeaderAction::Remove | HeaderAction::Pass, Some(_)) => Some((
            "only a rule that sets a field has a value".to_owned(),
            "remove the value, or write action = \"set\"",
        )),
        _ => None,
    }
}

/// RFC 3261 §25.1, token.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

fn is_value(value: &str) -> bool {
    value.len() <= 512 && !value.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(rules: &str) -> Trunk {
        toml::from_str(&format!("id = \"carrier\"\nheaders = [{rules}]")).unwrap()
    }

    #[test]
    fn rules_set_remove_and_pass_fields_one_way_each() {
        let trunk = trunk(
            r#"{ direction = "outbound", action = "set", name = "X-Account", value = "4711" },
               { direction = "outbound", action = "remove", name = "User-Agent" },
               { direction = "outbound", action = "pass", name = "X-Ticket" },
               { direction = "inbound", action = "pass", name = "X-Campaign" }"#,
        );
        let arriving = |name: &str| match name {
            "X-Ticket" => vec!["1".to_owned(), "2".to_owned()],
            "X-Campaign" => vec!["spring\r\nVia: forged".to_owned()],
            _ => vec![],
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let out = header_changes(&trunk, Direction::Outbound, &arriving);
        assert_eq!(
            out.set,
            [pair("X-Account", "4711"), pair("X-Ticket", "1"), pair("X-Ticket", "2")]
        );
        assert_eq!(out.remove, ["User-Agent"]);
        let inbound = header_changes(&trunk, Direction::Inbound, &arriving);
        assert_eq!(inbound, HeaderChanges::default(), "what would end the field does not go on");
    }

    #[test]
    fn the_last_rule_about_a_field_holds() {
        let trunk = trunk(
            r#"{ direction = "outbound", action = "set", name = "X-A", value = "1" },
               { direction = "outbound", action = "remove", name = "x-a" }"#,
        );
        let changes = header_changes(&trunk, Direction::Outbound, &|_| vec![]);
        assert_eq!((changes.set.len(), changes.remove.len()), (0, 1));
    }

    #[test]
    fn no_rule_touches_a_field_that_sip_needs() {
        assert!(OURS.is_sorted());
        for name in ["Via", "CALL-ID", "v", "", "X Account", "X-Ä", "content-length"] {
            let rule =
                format!("{{ direction = \"outbound\", action = \"remove\", name = \"{name}\" }}");
            assert!(fault(&trunk(&rule).headers[0]).is_some(), "{name}");
        }
        let good = r#"{ direction = "outbound", action = "remove", name = "User-Agent" }"#;
        assert_eq!(fault(&trunk(good).headers[0]), None);
    }
}
