//! What a registrar answers (RFC 3261 §10.2.4, §10.2.8).

use base::{Duration, Instant};

use super::{LONGEST, Next, Registration, RegistrationFailure, RegistrationState};
use crate::{Message, Name, Request, UriBuf};

impl Registration {
    /// A response to our REGISTER.
    pub fn on_response(&mut self, now: Instant, response: &Message) -> Next {
        let Some(status) = response.status().filter(|status| status.is_final()) else {
            return Next::Wait;
        };
        let Some((request, contact)) = self.open.take() else { return Next::Over };
        match status.as_u16() {
            200..=299 => {
                self.succeed(now, &contact, response);
                Next::Over
            }
            401 | 407 => match self.prove(request, &contact, response) {
                Ok(again) => again,
                Err(failure) => self.over(now, failure),
            },
            423 => match self.longer(response) {
                Some(longer) => {
                    self.expires = longer;
                    Next::Again(Box::new(self.begin(&contact)))
                }
                None => self.over(now, RegistrationFailure::Refused(status)),
            },
            // The hop's trouble, not the registrar's word (RFC 3263 §4.3).
            408 | 500..=599 => {
                self.pause = response.retry_after();
                self.hop_failure = Some(RegistrationFailure::Refused(status));
                Next::NextHop
            }
            _ => self.over(now, RegistrationFailure::Refused(status)),
        }
    }

    fn over(&mut self, now: Instant, failure: RegistrationFailure) -> Next {
        self.fail(now, failure);
        Next::Over
    }

    /// Answers a challenge.
    fn prove(
        &mut self,
        mut request: Request,
        contact: &UriBuf,
        response: &Message,
    ) -> Result<Next, RegistrationFailure> {
        let unproven = |why: String| RegistrationFailure::Unproven(why);
        let authorizer =
            self.authorizer.as_mut().ok_or_else(|| unproven("no credentials".to_owned()))?;
        request.next_cseq();
        self.cseq = self.cseq.saturating_add(1);
        authorizer
            .challenged(&mut request, response)
            .map_err(|problem| unproven(problem.to_string()))?;
        self.open = Some((request.clone(), contact.clone()));
        Ok(Next::Again(Box::new(request)))
    }

    /// The interval that a registrar wants at the least, if that is one we did not offer already.
    fn longer(&self, response: &Message) -> Option<Duration> {
        let least: u64 = response.header(Name::MIN_EXPIRES)?.trim().parse().ok()?;
        let least = Duration::from_secs(least);
        (least > self.expires && least <= LONGEST).then_some(least)
    }

    fn succeed(&mut self, now: Instant, contact: &UriBuf, response: &Message) {
        (self.failure, self.hop_failure, self.pause) = (None, None, None);
        if self.leaving && self.open_was_leaving(response, contact) {
            return self.be_gone();
        }
        let Some(granted) = granted(response, contact, self.expires) else {
            return self.fail(now, RegistrationFailure::NotKept);
        };
        self.failures = 0;
        self.contact = Some(contact.clone());
        self.state = RegistrationState::Registered { until: now + granted };
        self.service_route =
            response.list(Name::SERVICE_ROUTE).take(8).map(str::to_owned).collect();
        self.due = Some(now + if self.leaving { Duration::ZERO } else { granted * 9 / 10 });
    }

    /// Whether the success is that of giving back: our contact is not among those kept.
    fn open_was_leaving(&self, response: &Message, contact: &UriBuf) -> bool {
        let own = response.contacts().flatten().find(|one| is_ours(&one.uri(), contact));
        own.is_none_or(|own| own.params().value("expires").is_some_and(|text| text.trim() == "0"))
    }
}

/// For how long the registrar keeps our contact; `None` if it does not. A registrar that lists no
/// contact at all is believed to have taken ours.
fn granted(response: &Message, contact: &UriBuf, asked: Duration) -> Option<Duration> {
    let mut some = false;
    let mut own = None;
    for one in response.contacts().flatten() {
        some = true;
        if is_ours(&one.uri(), contact) {
            own = Some(one.params().value("expires").and_then(|text| text.trim().parse().ok()));
        }
    }
    if some && own.is_none() {
        return None;
    }
    let seconds: Option<u64> = own.flatten().or_else(|| response.expires().map(u64::from));
    let granted = seconds.map_or(asked, Duration::from_secs);
    (!granted.is_zero()).then_some(granted)
}

/// Registrars behind an address translator rewrite a contact's host: the user is enough then, but
/// the whole URI is better.
fn is_ours(listed: &crate::Uri<'_>, ours: &UriBuf) -> bool {
    let own = ours.as_uri();
    let same_user = listed.user().is_some() && listed.user() == own.user();
    listed.is_equivalent(&own) || same_user
}
