//! One leg's end: the part that is checked, and, if it is a full one, the checks that it makes.

use base::{Instant, Rng};

use super::checker::Checker;
use super::{Checked, Credentials, Lite, Reach, Request, Response, Tag, TransportAddress};

/// The end.
#[derive(Debug)]
pub(crate) struct End {
    lite: Lite,
    /// Of a full end.
    checker: Option<Box<Checker>>,
    tag: Tag,
}

impl End {
    /// A lite one. `tag` begins the transactions of its leg.
    pub(crate) fn new(ours: Credentials, tag: Tag) -> Self {
        Self { lite: Lite::new(ours), checker: None, tag }
    }

    /// It checks from now on. What it has said of itself must not say that it is lite, unless the
    /// far end is.
    pub(crate) fn become_full(&mut self, rng: &mut Rng) {
        let ours = self.lite.current();
        let tag = self.tag;
        self.checker.get_or_insert_with(|| Box::new(Checker::new(ours, tag, rng)));
    }

    /// Other credentials from now on (RFC 8445 §9); the ones before them hold beside them. What
    /// was chosen stays chosen. Those that are of no use any more.
    pub(crate) fn restart(&mut self, ours: Credentials) -> Option<Credentials> {
        if let Some(checker) = &mut self.checker {
            checker.restart(ours);
        }
        self.lite.restart(ours)
    }

    /// The far end's SDP is there. If it is lite, it is for us to check the way to it.
    pub(crate) fn set_peer(
        &mut self,
        now: Instant,
        fragment: &str,
        reach: Option<&Reach>,
        rng: &mut Rng,
    ) {
        if reach.is_some_and(|reach| reach.lite) {
            self.become_full(rng);
        }
        if let Some(checker) = self.checker.as_mut().filter(|_| self.lite.is_lost(now)) {
            // What consented no more is not used again, unless it is found anew (RFC 7675 §5.1).
            checker.deselect();
            self.lite.forget_choice();
        }
        self.lite.set_peer(now, fragment, self.checker.is_none());
        if let (Some(checker), Some(reach)) = (&mut self.checker, reach) {
            checker.set_peer(now, fragment, reach);
        }
    }

    /// Our credentials that somebody may still use.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = Credentials> {
        self.lite.credentials()
    }

    /// A Binding request. The answer, if there is one, is appended.
    pub(crate) fn handle_check(
        &mut self,
        now: Instant,
        from: TransportAddress,
        request: &Request<'_>,
        into: &mut Vec<u8>,
    ) -> Checked {
        let checker = self.checker.as_deref_mut();
        let checked = self.lite.handle_check(now, from, request, checker, into);
        self.note_selected(now);
        checked
    }

    /// A response to a check of ours.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        from: TransportAddress,
        response: &Response<'_>,
    ) -> Checked {
        let Some(checker) = &mut self.checker else { return Checked::Ignored };
        match checker.handle_response(now, from, response) {
            None => Checked::Ignored,
            Some(false) => Checked::Refused,
            Some(true) => {
                self.note_selected(now);
                Checked::Known { forgotten: self.lite.consented(now, from) }
            }
        }
    }

    fn note_selected(&mut self, now: Instant) {
        if let Some(at) = self.checker.as_ref().and_then(|checker| checker.selected()) {
            self.lite.choose(now, at);
        }
    }

    /// The next message of ours that is due: appended, and where it goes.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        into: &mut Vec<u8>,
    ) -> Option<TransportAddress> {
        if self.is_lost(now) {
            return None;
        }
        self.checker.as_mut()?.poll_transmit(now, into)
    }

    /// When to call [`End::poll_transmit`], or to look whether the far end is lost.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let consent = self.lite.consent_until().filter(|until| *until > now);
        let checks = self.checker.as_ref().filter(|_| !self.is_lost(now));
        [consent, checks.and_then(|checker| checker.poll_timeout())].into_iter().flatten().min()
    }

    /// A packet of the far end's, authentic, from an address that is known.
    pub(crate) fn hear(&mut self, now: Instant, from: TransportAddress) {
        if self.checker.is_none() {
            self.lite.hear(now, from);
        }
    }

    /// Where the far end wants its audio, while it consents.
    pub(crate) fn destination(&self, now: Instant) -> Option<TransportAddress> {
        self.lite.destination(now)
    }

    /// The addresses that are known to be the far end's.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = TransportAddress> {
        self.lite.addresses()
    }

    /// Whether it has not consented for too long.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        self.lite.is_lost(now)
    }

    /// Whether our checks have found no way to it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.checker.as_ref().is_some_and(|checker| checker.is_stuck())
    }
}
