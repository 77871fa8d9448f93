//! Digest credentials: challenged, checked, and throttled (RFC 3261 §22, RFC 8760). A name that
//! does not exist costs the same time and gets the same answer as a wrong password.

use base::Instant;
use sip::digest::{Accepted, Verdict};
use sip::{Flow, Message, Method, Name, Patience, Response, Source, StatusCode};

use super::claim::Claim;
use super::{Authenticated, Ruling};
use crate::port::SecurityKind;
use crate::switch::Switch;

/// Phones that fail on any challenge but MD5's instead of passing over it: libre before 2.0.
const MD5_ONLY_PHONES: [&str; 2] = ["baresip v0.", "baresip v1."];

impl Switch {
    /// Whether the credentials prove the claim; the answer if not.
    pub(super) fn check_credentials(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        claim: &Claim,
    ) -> Result<Authenticated, Ruling> {
        let source = Source::of(flow.remote.ip());
        match self.node.gate.throttle.verdict(now, source, &claim.tries) {
            Patience::Check => {}
            Patience::Challenge => {
                self.node.security(now, SecurityKind::Guessing, flow.remote, claim.tenant.clone());
                return Err(self.challenge(now, request, claim, false));
            }
            Patience::Silence => {
                self.node.security(now, SecurityKind::Guessing, flow.remote, claim.tenant.clone());
                return Err(Ruling::Silence);
            }
        }
        let password = claim.password.as_ref().map(routing::Secret::as_str);
        let (authenticator, realm) = (&mut self.node.authenticator, &claim.realm);
        match authenticator.verify(now, request, realm, claim.accepted, password) {
            // Of several credentials those that were checked must be of whoever was claimed: nobody
            // makes another's name known here by the password of their own.
            Verdict::Ok { user } if user == claim.user => {
                self.node.gate.throttle.succeeded(now, source, &claim.tries);
                claim.who.clone().ok_or_else(|| Ruling::status(StatusCode::FORBIDDEN))
            }
            Verdict::Ok { .. } | Verdict::Wrong => {
                self.node.gate.throttle.failed(now, source, &claim.tries);
                let kind = SecurityKind::WrongCredentials;
                self.node.security(now, kind, flow.remote, claim.tenant.clone());
                Err(Ruling::status(StatusCode::FORBIDDEN))
            }
            Verdict::Challenge => Err(self.challenge(now, request, claim, false)),
            Verdict::Stale => Err(self.challenge(now, request, claim, true)),
        }
    }

    /// 401 to a REGISTER, which is for us; 407 to what is for somebody behind us.
    pub(super) fn challenge(
        &mut self,
        now: Instant,
        request: &Message,
        claim: &Claim,
        stale: bool,
    ) -> Ruling {
        let phone = request.header(Name::USER_AGENT).unwrap_or("");
        let is_md5_only = MD5_ONLY_PHONES.iter().any(|known| phone.starts_with(known));
        let accepted = match claim.accepted {
            Accepted::Md5AndSha256 if is_md5_only => Accepted::Md5,
            accepted => accepted,
        };
        let (status, name) = match request.method() {
            Method::Register => (StatusCode::UNAUTHORIZED, Name::WWW_AUTHENTICATE),
            _ => (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Name::PROXY_AUTHENTICATE),
        };
        let (authenticator, realm) = (&mut self.node.authenticator, &claim.realm);
        let challenges = if stale {
            authenticator.stale_challenges(now, realm, accepted)
        } else {
            authenticator.challenges(now, realm, accepted)
        };
        let response = challenges
            .into_iter()
            .fold(Response::new(status), |response, challenge| response.header(name, challenge));
        Ruling::answer(response)
    }
}
