//! SUBSCRIBE, and the NOTIFYs that follow (RFC 6665 §4.2): each with everything there is to say,
//! one at a time, so that a slow phone gets the newest state and no queue.

use base::{AgentId, Duration, Instant, TenantId};
use routing::{Directory, Tenant, picks_up};
use sip::header::{Event, SubscriptionState, Substate};
use sip::{
    ClientTx, Dialog, DialogId, Flow, Message, Method, Name, Response, ServerTx, StatusCode,
};

use super::{
    AgentDialog, AgentDialogState, LONGEST, Package, SHORTEST, Subscription, dialog_info,
    message_summary,
};
use crate::gate::agent_named;
use crate::node::ALLOW_EVENTS;
use crate::switch::Switch;

/// What a SUBSCRIBE asks for.
struct Wish {
    package: Package,
    event: String,
    target: AgentId,
    lasts: Duration,
}

impl Switch {
    /// A SUBSCRIBE of an agent's that begins a subscription.
    pub(crate) fn on_subscribe(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        (tenant, watcher): (TenantId, AgentId),
    ) {
        let directory = self.node.directory.clone();
        let Some(directory) = directory.filter(|d| d.tenant(&tenant).is_some()) else {
            return self.node.reply(now, tx, StatusCode::FORBIDDEN);
        };
        let wish = match read(&directory, &tenant, &watcher, request) {
            Ok(wish) => wish,
            Err(refusal) => return self.node.endpoint.respond(now, tx, *refusal),
        };
        if !self.node.subscriptions.has_room(&self.node.config.limits, &tenant, &watcher) {
            let full = Response::new(StatusCode::SERVICE_UNAVAILABLE);
            let full = full.header(Name::RETRY_AFTER, 60);
            return self.node.endpoint.respond(now, tx, full);
        }
        let tag = self.node.rng.hex::<8>();
        let Some(contact) = self.node.contact(&flow) else {
            return self.node.reply(now, tx, StatusCode::SERVER_INTERNAL_ERROR);
        };
        let Ok(dialog) = Dialog::uas(request, &tag, contact.clone()) else {
            return self.node.reply(now, tx, StatusCode::BAD_REQUEST);
        };
        let response = Response::new(StatusCode::OK)
            .to_tag(&tag)
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::EXPIRES, wish.lasts.as_secs());
        self.node.endpoint.respond(now, tx, response);
        if wish.package == Package::Dialog {
            self.begin_presence(&tenant);
        }
        let id = self.node.subscriptions.add(Subscription {
            tenant,
            watcher,
            target: wish.target,
            package: wish.package,
            event: wish.event,
            dialog,
            flow,
            until: now + wish.lasts,
            version: 0,
            shown: Vec::new(),
            out: None,
            is_stale: true,
        });
        if wish.lasts.is_zero() {
            // A mere look (RFC 6665 §4.4.3).
            return self.end_subscription(now, id, "timeout");
        }
        self.notify(now, id);
    }

    /// A SUBSCRIBE within a subscription's dialog: it goes on, or ends.
    pub(crate) fn on_resubscribe(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
    ) {
        let dialog = DialogId::of_request(request);
        let id = dialog.and_then(|dialog| self.node.subscriptions.by_dialog.get(&dialog).copied());
        let known = id.and_then(|id| Some((id, self.node.subscriptions.all.get_mut(&id)?)));
        let Some((id, known)) = known else {
            return self.node.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST);
        };
        if let Err(error) = known.dialog.accept(request) {
            return self.node.reply(now, tx, error.status());
        }
        if request.method() != Method::Subscribe {
            return self.node.reply(now, tx, StatusCode::METHOD_NOT_ALLOWED);
        }
        let lasts = match life(request) {
            Ok(lasts) => lasts,
            Err(refusal) => return self.node.endpoint.respond(now, tx, *refusal),
        };
        let response = Response::new(StatusCode::OK).header(Name::EXPIRES, lasts.as_secs());
        let response = match self.node.contact(&flow) {
            Some(contact) => response.header(Name::CONTACT, format_args!("<{contact}>")),
            None => response,
        };
        self.node.endpoint.respond(now, tx, response);
        self.node.subscriptions.extend(id, now + lasts, flow);
        if lasts.is_zero() {
            return self.end_subscription(now, id, "timeout");
        }
        if let Some(known) = self.node.subscriptions.all.get_mut(&id) {
            known.is_stale = true;
        }
        self.notify(now, id);
    }

    /// Tells everybody who watches that of the agent.
    pub(super) fn notify_watchers(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        agent: &AgentId,
        package: Package,
    ) {
        let target = (tenant.clone(), agent.clone(), package);
        let watching = self.node.subscriptions.by_target.get(&target);
        for id in watching.into_iter().flatten().copied().collect::<Vec<_>>() {
            self.notify(now, id);
        }
    }

    /// Says how it is now, unless nothing is new or the last NOTIFY still waits for its answer.
    fn notify(&mut self, now: Instant, id: u64) {
        let Some(known) = self.node.subscriptions.all.get(&id) else { return };
        if known.out.is_some() || !known.is_stale {
            return;
        }
        let left = u32::try_from(known.until.since(now).as_secs()).unwrap_or(0);
        let state = SubscriptionState::lasting(Substate::Active, left);
        if let Some(tx) = self.send_notify(now, id, &state) {
            self.node.subscriptions.clients.insert(tx, id);
            if let Some(known) = self.node.subscriptions.all.get_mut(&id) {
                known.out = Some(tx);
            }
        }
    }

    /// The last NOTIFY, whatever is still out; nobody waits for its answer.
    pub(super) fn end_subscription(&mut self, now: Instant, id: u64, reason: &'static str) {
        self.send_notify(now, id, &SubscriptionState::terminated(reason));
        self.node.subscriptions.remove(id);
    }

    fn send_notify(
        &mut self,
        now: Instant,
        id: u64,
        state: &SubscriptionState,
    ) -> Option<ClientTx> {
        let body = self.document(id);
        let known = self.node.subscriptions.all.get_mut(&id)?;
        let mut notify = known
            .dialog
            .request(Method::Notify)
            .header(Name::EVENT, &known.event)
            .header(Name::SUBSCRIPTION_STATE, state);
        if let Some(body) = body {
            notify = notify.body(known.package.content_type(), body);
            known.version += 1;
        }
        known.is_stale = false;
        Some(self.node.endpoint.request(now, known.flow, notify))
    }

    /// How it is now; `None` when the agent is gone.
    fn document(&mut self, id: u64) -> Option<String> {
        let directory = self.node.directory.clone()?;
        let subscriptions = &mut self.node.subscriptions;
        let known = subscriptions.all.get(&id)?;
        let (tenant, target) = (known.tenant.clone(), known.target.clone());
        directory.agent(&tenant, &target)?;
        let domain = &directory.tenant(&tenant)?.domain;
        let entity = format!("sip:{target}@{domain}");
        if known.package == Package::MessageSummary {
            let waiting = subscriptions.waiting_for(&tenant, &target);
            return Some(message_summary::document(&entity, waiting));
        }
        let now_up = subscriptions.dialogs_of(&tenant, &target);
        let known = subscriptions.all.get_mut(&id)?;
        let is_gone = |old: &&AgentDialog| !now_up.iter().any(|dialog| dialog.id == old.id);
        let over = known.shown.iter().filter(is_gone).cloned();
        let over = over.map(|old| AgentDialog {
            state: AgentDialogState::Terminated,
            dialog: None,
            ..old
        });
        let all: Vec<AgentDialog> = now_up.iter().cloned().chain(over).collect();
        known.shown = now_up;
        let may_pick_up = picks_up(&directory, &tenant, &known.watcher, &target);
        Some(dialog_info::document(&entity, domain, known.version, &all, may_pick_up))
    }

    /// A NOTIFY has been answered, or will not be. True if it was one of ours.
    pub(crate) fn on_notified(
        &mut self,
        now: Instant,
        tx: ClientTx,
        status: Option<StatusCode>,
    ) -> bool {
        if status.is_some_and(|status| !status.is_final()) {
            return self.node.subscriptions.clients.contains_key(&tx);
        }
        let Some(id) = self.node.subscriptions.clients.remove(&tx) else { return false };
        if let Some(known) = self.node.subscriptions.all.get_mut(&id) {
            known.out = None;
        }
        match status {
            Some(status) if status.is_success() => self.notify(now, id),
            // The watcher is gone, or does not want to know (RFC 6665 §4.2.2).
            _ => {
                self.node.subscriptions.remove(id);
            }
        }
        true
    }

    /// Subscriptions whose time is over are told so, and forgotten.
    pub(crate) fn expire_subscriptions(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.node.subscriptions.deadlines.first()
            && due <= now
        {
            self.end_subscription(now, id, "timeout");
        }
    }

    /// A connection is gone, and whoever watched over it.
    pub(crate) fn forget_watchers(&mut self, connection: u64) {
        let subscriptions = &mut self.node.subscriptions;
        let of_connection = (connection, 0)..=(connection, u64::MAX);
        let gone: Vec<u64> =
            subscriptions.by_connection.range(of_connection).map(|&(_, id)| id).collect();
        for id in gone {
            subscriptions.remove(id);
        }
    }

    /// New provisioning: who is no more neither watches nor is watched.
    pub(crate) fn review_subscriptions(&mut self, now: Instant, directory: &Directory) {
        let is_gone = |known: &Subscription| {
            directory.agent(&known.tenant, &known.watcher).is_none()
                || directory.agent(&known.tenant, &known.target).is_none()
        };
        let all = self.node.subscriptions.all.iter();
        let gone: Vec<u64> = all.filter(|(_, k)| is_gone(k)).map(|(id, _)| *id).collect();
        for id in gone {
            self.end_subscription(now, id, "noresource");
        }
        let waiting = &mut self.node.subscriptions.waiting;
        waiting.retain(|(tenant, agent), _| directory.agent(tenant, agent).is_some());
    }
}

/// Reads a SUBSCRIBE, or says what is wrong with it.
fn read(
    directory: &Directory,
    tenant: &TenantId,
    watcher: &AgentId,
    request: &Message,
) -> Result<Wish, Box<Response>> {
    let refuse = |status| Box::new(Response::new(status));
    let event = Event::of(request).map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
    let package = event.as_ref().and_then(|event| Package::named(&event.package));
    let (Some(event), Some(package)) = (event, package) else {
        let bad = Response::new(StatusCode::BAD_EVENT).header(Name::ALLOW_EVENTS, ALLOW_EVENTS);
        return Err(Box::new(bad));
    };
    let accepted: Vec<&str> = request.list(Name::ACCEPT).collect();
    let takes = |kind: &&str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case(package.content_type()) || matches!(kind, "*/*" | "application/*")
    };
    if !accepted.is_empty() && !accepted.iter().any(takes) {
        return Err(refuse(StatusCode::NOT_ACCEPTABLE));
    }
    let lasts = life(request)?;
    let of = directory.tenant(tenant).ok_or_else(|| refuse(StatusCode::FORBIDDEN))?;
    let target = target(of, request).ok_or_else(|| refuse(StatusCode::NOT_FOUND))?;
    // A mailbox is its owner's alone.
    if package == Package::MessageSummary && target != *watcher {
        return Err(refuse(StatusCode::FORBIDDEN));
    }
    Ok(Wish { package, event: event.to_string(), target, lasts })
}

/// Who is to be watched: an agent of the same tenant, by name or extension.
fn target(tenant: &Tenant, request: &Message) -> Option<AgentId> {
    let uri = request.uri().ok()?;
    let is_own = uri.host().eq_ignore_ascii_case(&tenant.domain) || uri.ip().is_some();
    let user = uri.user_unescaped().filter(|_| is_own)?;
    agent_named(tenant, &user).map(|agent| agent.id.clone())
}

/// For how long; refused when that is too short to be worth it.
fn life(request: &Message) -> Result<Duration, Box<Response>> {
    let asked = request.expires().map_or(LONGEST, |s| Duration::from_secs(s.into()));
    if !asked.is_zero() && asked < SHORTEST {
        let brief = Response::new(StatusCode::INTERVAL_TOO_BRIEF);
        return Err(Box::new(brief.header(Name::MIN_EXPIRES, SHORTEST.as_secs())));
    }
    Ok(asked.min(LONGEST))
}
