//! The dialog with the recording server: what has changed is told by re-INVITE (RFC 7866 §6.1.1,
//! §9.1), and its end. A server that is lost in mid-call is replaced.

use base::{Duration, Instant};
use media::Command;
use sip::{ClientTx, Dialog, Flow, Message, Method, Name, StatusCode, digest, glare_pause};

use super::super::Call;
use super::super::negotiation::{Media, media_of};
use super::super::outside::credentials_of;
use super::{Change, REPLACEMENTS, Shown, State, Up};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::paths::{Ask, PathEvent, PathFor};
use crate::record::{Decided, millis};

impl Call {
    /// Tells the server what it does not know yet; begins with the first one if none was tried.
    pub(super) fn tell_server(&mut self, node: &mut Node, now: Instant) {
        let shown = self.shown_to_server();
        let Some(siprec) = &mut self.siprec else { return };
        let flow = match &siprec.state {
            // Nothing was tried yet, and somebody talks.
            State::Idle if !siprec.next.is_empty() && shown.legs[1].is_some() => {
                return self.next_server(node, now);
            }
            State::Up(up) if up.change.is_none() && up.awaited.is_none() => up.flow,
            _ => return,
        };
        if siprec.told == shown || siprec.retry.is_some() {
            return;
        }
        self.change(node, now, flow, shown);
    }

    fn change(&mut self, node: &mut Node, now: Instant, flow: Flow, shown: Shown) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(offer) = self.copies_offer(&flow, shown.active) else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let State::Up(up) = &mut siprec.state else { return };
        let mut request = up.dialog.request(Method::Invite);
        let cseq = up.dialog.local_cseq();
        if let Some(contact) = node.contact(&flow) {
            request.remove(Name::CONTACT);
            request = request.header(Name::CONTACT, format_args!("<{contact}>;+sip.src"));
        }
        let Some(request) = self.with_metadata(node, now, request, &offer, &shown) else { return };
        let tx = node.endpoint.request(now, flow, request.clone());
        node.index.clients.insert(tx, owner);
        if let Some(up) = self.server_up() {
            up.change = Some(Change { tx, request, cseq, offer, shown });
        }
    }

    pub(super) fn server_up(&mut self) -> Option<&mut Up> {
        match &mut self.siprec.as_mut()?.state {
            State::Up(up) => Some(up),
            _ => None,
        }
    }

    /// A response of the server's; `None`: there is none.
    pub(super) fn on_server_response(
        &mut self,
        node: &mut Node,
        now: Instant,
        tx: ClientTx,
        response: Option<&Message>,
    ) {
        let is_final =
            response.is_none_or(|response| response.status().is_some_and(StatusCode::is_final));
        let Some(siprec) = &mut self.siprec else { return };
        match &siprec.state {
            _ if siprec.strays.contains(&tx) => {
                if is_final {
                    self.siprec_stray_over(tx);
                }
            }
            State::Inviting(inviting) if inviting.tx == tx => {
                self.on_invite_answer(node, now, response);
            }
            State::Up(up) if up.change.as_ref().is_some_and(|change| change.tx == tx) => {
                if is_final {
                    self.on_change_answer(node, now, response);
                }
            }
            _ => node.ignored += 1,
        }
    }

    fn on_change_answer(&mut self, node: &mut Node, now: Instant, response: Option<&Message>) {
        let Some(up) = self.server_up() else { return };
        let Some(change) = up.change.take() else { return };
        let status = response.and_then(Message::status).map_or(408, StatusCode::as_u16);
        match (status, response) {
            (200..=299, Some(response)) => self.on_change_taken(node, now, change, response),
            (401 | 407, Some(challenge)) => self.change_again(node, now, change, challenge),
            (491, _) => {
                let pause = glare_pause(true, &mut node.rng);
                self.tell_again_after(node, now, pause);
            }
            // RFC 5057 §5.1: the dialog is gone, or the server is.
            (408 | 481, _) => self.replace_server(node, now, "the server is gone"),
            // It keeps what it had; the next change is told it again.
            _ => self.keep_told(change.shown),
        }
    }

    fn on_change_taken(
        &mut self,
        node: &mut Node,
        now: Instant,
        change: Change,
        response: &Message,
    ) {
        let Change { tx, cseq, offer, shown, .. } = change;
        let Some(up) = self.server_up() else { return };
        // A target that does not parse leaves the one we have.
        let _ = up.dialog.refresh(response);
        let (flow, ack) = (up.flow, up.dialog.ack(cseq));
        node.endpoint.acknowledge(now, tx, flow, ack);
        self.keep_told(shown);
        if let Media::Described(answer) = media_of(response)
            && !self.take_copies(node, &offer, &answer)
        {
            return self.end_siprec(node, now, "the server takes none of the streams any more");
        }
        self.follow_server(node, now);
    }

    /// Its challenge is answered, once.
    fn change_again(
        &mut self,
        node: &mut Node,
        now: Instant,
        mut change: Change,
        challenge: &Message,
    ) {
        let Some(owner) = self.siprec_owner() else { return };
        let server = self.siprec.as_ref().and_then(|siprec| siprec.server.as_ref());
        let trunk = server.and_then(|server| self.directory.trunk(server));
        let answered = trunk.and_then(credentials_of).is_some_and(|credentials| {
            digest::authorize(&mut change.request, challenge, &credentials, &mut node.rng).is_ok()
        });
        let shown = change.shown;
        match self.server_up().filter(|_| answered) {
            Some(up) => {
                up.dialog.again(&mut change.request);
                change.cseq = up.dialog.local_cseq();
                change.tx = node.endpoint.request(now, up.flow, change.request.clone());
                node.index.clients.insert(change.tx, owner);
                up.change = Some(change);
            }
            None => self.keep_told(shown),
        }
    }

    pub(super) fn keep_told(&mut self, shown: Shown) {
        if let Some(siprec) = &mut self.siprec {
            siprec.told = shown;
        }
    }

    pub(super) fn tell_again_after(&mut self, node: &mut Node, now: Instant, pause: Duration) {
        let Some(owner) = self.siprec_owner() else { return };
        if let Some(siprec) = &mut self.siprec {
            siprec.retry = Some(now + pause);
            node.alarms.insert((now + pause, Alarm::Timer(owner.call, owner.leg)));
        }
    }

    /// The server's Contact may be a name that has to be looked up (RFC 3261 §12.2.1.1).
    pub(super) fn follow_server(&mut self, node: &mut Node, now: Instant) {
        let Some(owner) = self.siprec_owner() else { return };
        let identity = self.siprec.as_ref().and_then(|siprec| siprec.server.clone());
        let Some(up) = self.server_up() else { return };
        up.flow = node.toward(&up.dialog, up.flow);
        if let Some(uri) = node.unresolved(&up.dialog, &up.flow) {
            let ask = Ask::new(PathFor::Dialog(owner), vec![uri]);
            node.paths.ask(now, Ask { identity, ..ask });
        }
    }

    /// The connection to the server closed: another one is made.
    pub(super) fn on_server_connection_closed(
        &mut self,
        node: &mut Node,
        now: Instant,
        connection: u64,
    ) {
        let Some(owner) = self.siprec_owner() else { return };
        let identity = self.siprec.as_ref().and_then(|siprec| siprec.server.clone());
        let Some(up) = self.server_up().filter(|up| up.flow.connection == connection) else {
            return;
        };
        let ask = Ask::new(PathFor::Dialog(owner), vec![up.dialog.next_hop()]);
        node.paths.ask(now, Ask { identity, ..ask });
    }

    /// There is another way to the server, or none.
    pub(super) fn on_server_moved(&mut self, node: &mut Node, now: Instant, event: PathEvent) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(up) = self.server_up() else { return };
        match event {
            PathEvent::Ready { flow, .. } => {
                node.index.unbind_connection(&up.flow, owner);
                node.index.bind_connection(&flow, owner);
                up.flow = flow;
            }
            // Over datagrams what there was has to do.
            _ if up.flow.connection == 0 => {}
            _ => self.replace_server(node, now, "the server cannot be reached any more"),
        }
    }

    /// The server is lost: the copies go to another one, or to the same one anew.
    pub(super) fn replace_server(&mut self, node: &mut Node, now: Instant, why: &str) {
        let (queue, trunk) = (self.narrative.queue.clone(), self.trunk.clone());
        let all = self.directory.siprec(&self.tenant, queue.as_ref(), trunk.as_ref());
        let all: Vec<_> = all.cloned().collect();
        self.end_siprec(node, now, why);
        let Some(siprec) = &mut self.siprec else { return };
        siprec.replaced = siprec.replaced.saturating_add(1);
        if siprec.replaced <= REPLACEMENTS {
            // The rest of the way is the review's, which always follows.
            siprec.next = all.into();
        }
    }

    /// Ends it, and tells so if there was anything to end.
    pub(super) fn end_siprec(&mut self, node: &mut Node, now: Instant, why: &str) {
        let Some(siprec) = &self.siprec else { return };
        let was_up = matches!(siprec.state, State::Up(_));
        self.leave_server(node, now);
        self.siprec_over(node, now, why, was_up);
    }

    /// Nothing is out any more, nor is anybody tried.
    pub(super) fn siprec_over(&mut self, node: &mut Node, now: Instant, why: &str, was_up: bool) {
        self.close_sinks(node);
        let Some(siprec) = &mut self.siprec else { return };
        siprec.next.clear();
        let began = siprec.began.take().unwrap_or(now);
        let (Some(server), true) = (siprec.server.take(), was_up) else { return };
        let (why, duration_ms) = (why.to_owned(), millis(now.since(began)));
        let decided = Decided::CopyEnded { server: server.clone(), reason: why.clone() };
        let ended = EventKind::SiprecEnded { server, duration_ms, why };
        self.note_siprec(node, now, decided, ended);
    }

    /// Whatever is out towards the server is taken back: CANCEL or BYE as its dialog needs.
    pub(super) fn leave_server(&mut self, node: &mut Node, now: Instant) {
        let Some(owner) = self.siprec_owner() else { return };
        if self.siprec.as_ref().is_some_and(|siprec| matches!(siprec.state, State::Inviting(_))) {
            self.give_invite_up(node, now);
        }
        if let Some((mut dialog, flow)) = self.drop_server_dialog(node) {
            let bye = node.endpoint.request(now, flow, dialog.request(Method::Bye));
            node.index.clients.insert(bye, owner);
            self.siprec.iter_mut().for_each(|siprec| siprec.strays.push(bye));
        }
        let Some(siprec) = &mut self.siprec else { return };
        if let State::Seeking { path } = std::mem::replace(&mut siprec.state, State::Idle) {
            node.paths.close(path);
        }
        if let Some(at) = siprec.retry.take() {
            node.alarms.remove(&(at, Alarm::Timer(owner.call, owner.leg)));
        }
        if let Some(server) = siprec.server.clone() {
            self.release_trunk(node, &server);
        }
    }

    /// The dialog with the server, taken out of the tables, if it is up.
    pub(super) fn drop_server_dialog(&mut self, node: &mut Node) -> Option<(Dialog, Flow)> {
        let owner = self.siprec_owner()?;
        let siprec = self.siprec.as_mut()?;
        if !matches!(siprec.state, State::Up(_)) {
            return None;
        }
        let State::Up(up) = std::mem::replace(&mut siprec.state, State::Idle) else { return None };
        let Up { dialog, flow, change, awaited } = *up;
        node.index.end_dialog(&self.tenant, dialog.id());
        node.index.unbind_connection(&flow, owner);
        if let Some(change) = change {
            node.index.clients.remove(&change.tx);
        }
        if let Some((tx, _)) = awaited {
            node.index.servers.remove(&tx);
        }
        Some((dialog, flow))
    }

    /// Our streams to the server are closed, and what was copied to them ends with them.
    pub(super) fn close_sinks(&mut self, node: &mut Node) {
        let Some(siprec) = &mut self.siprec else { return };
        for sink in siprec.sinks.drain(..) {
            node.media(sink.place.worker, Command::Close { stream: sink.stream });
            siprec.closing.push(sink.stream);
        }
    }
}
