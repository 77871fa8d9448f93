//! The people whom `demo --keep` leaves on the stage for a newcomer: a customer who calls, and a
//! colleague who takes the newcomer's own call. Both say their line, then give back what they hear.

use std::sync::Arc;
use std::time::Duration;

use control_api::{Scene, Stage};
use phone::PhoneEvent;
use store::EventRow;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::bank::{Bank, Order, PhoneId};
use super::scene::NUMBER;
use super::{embedded, scene};
use crate::node::Node;

const CUSTOMER: PhoneId = PhoneId(0);
const COLLEAGUE: PhoneId = PhoneId(1);
/// Who the newcomer is, and who the colleague.
const NEWCOMER: &str = "bob";
const COLLEAGUE_ID: &str = scene::ALICE_ID;
const CUSTOMERS_NUMBER: &str = "+15551234567";
/// The colleague lets the newcomer hear some of the hold music.
const PICKS_UP_AFTER: Duration = Duration::from_secs(5);
/// A scene that nobody ends is over after this.
const LONGEST: Duration = Duration::from_secs(180);
/// What is given back comes in pieces of this length.
const ECHO: Duration = Duration::from_secs(3);
/// Of a phone that is told to register.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine tells.
type Log = broadcast::Receiver<Arc<EventRow>>;

/// Puts them on the stage, and plays what the page asks for until the node ends.
///
/// # Errors
/// When the system gives no sockets or thread.
pub(super) fn enter(node: &Node) -> Result<(), String> {
    let bank =
        scene::phones(node, CUSTOMERS_NUMBER, PICKS_UP_AFTER).map_err(|error| error.to_string())?;
    let (scenes, wanted) = mpsc::channel(1);
    let id = |name: &str| name.parse().map_err(|_| format!("{name} is no agent"));
    node.welcome().open(Stage {
        number: NUMBER.to_owned(),
        agent: id(NEWCOMER)?,
        colleague: id(COLLEAGUE_ID)?,
        sip: node.addresses().sip_udp.first().map(ToString::to_string).unwrap_or_default(),
        scenes,
    });
    tokio::spawn(play(bank, wanted, node.events()));
    Ok(())
}

async fn play(mut bank: Bank, mut wanted: mpsc::Receiver<Scene>, log: Log) {
    while let Some(scene) = wanted.recv().await {
        let speech = match scene {
            Scene::CustomerCalls => embedded::caller_speech(),
            Scene::ColleagueAnswers => embedded::agent_speech(),
        };
        let Ok(speech) = speech else { return };
        let over = match scene {
            Scene::CustomerCalls => customer_calls(&mut bank, log.resubscribe(), speech).await,
            Scene::ColleagueAnswers => {
                colleague_answers(&mut bank, log.resubscribe(), speech).await
            }
        };
        if over.is_none() {
            return;
        }
    }
}

/// `None` when the phones' thread has ended.
async fn customer_calls(bank: &mut Bank, log: Log, speech: Arc<[i16]>) -> Option<()> {
    bank.tell(CUSTOMER, Order::Dial(NUMBER.to_owned())).await.ok()?;
    converse(bank, CUSTOMER, log, speech).await?;
    bank.tell(CUSTOMER, Order::HangUp).await.ok()
}

async fn colleague_answers(bank: &mut Bank, log: Log, speech: Arc<[i16]>) -> Option<()> {
    bank.tell(COLLEAGUE, Order::Register).await.ok()?;
    let _ = timeout(PATIENCE, told(bank, COLLEAGUE, &PhoneEvent::Registered)).await;
    converse(bank, COLLEAGUE, log, speech).await?;
    bank.tell(COLLEAGUE, Order::HangUp).await.ok()?;
    bank.tell(COLLEAGUE, Order::Unregister).await.ok()?;
    let _ = timeout(PATIENCE, told(bank, COLLEAGUE, &PhoneEvent::Registered)).await;
    Some(())
}

/// From the moment at which an agent is there to the end of the call.
async fn converse(bank: &mut Bank, who: PhoneId, mut log: Log, speech: Arc<[i16]>) -> Option<()> {
    let until = Instant::now() + LONGEST;
    loop {
        // The customer's phone is connected when the greeting begins: the log knows better.
        tokio::select! {
            event = log.recv() => match event {
                Ok(event) if event.kind == "call.connected" => break,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            told = next(bank, who, until) => match told? {
                Told::Ended | Told::Nothing => return Some(()),
                Told::Other => {}
            },
        }
    }
    let mut silent_at = Instant::now() + length(&speech) + ECHO;
    bank.tell(who, Order::Speak(speech)).await.ok()?;
    bank.heard(who).await;
    loop {
        match next(bank, who, silent_at.min(until)).await? {
            Told::Ended => return Some(()),
            Told::Nothing if Instant::now() >= until => return Some(()),
            Told::Nothing => {
                let heard = bank.heard(who).await;
                silent_at = Instant::now() + length(&heard).max(ECHO);
                bank.tell(who, Order::Speak(heard.into())).await.ok()?;
            }
            Told::Other => {}
        }
    }
}

fn length(speech: &[i16]) -> Duration {
    Duration::from_micros(125 * speech.len() as u64)
}

enum Told {
    Ended,
    Other,
    /// Until then.
    Nothing,
}

/// What happens to that phone next; `None` when the phones' thread has ended.
async fn next(bank: &mut Bank, who: PhoneId, until: Instant) -> Option<Told> {
    let Ok(event) = timeout_at(until, bank.next_event()).await else {
        return Some(Told::Nothing);
    };
    let (phone, event) = event?;
    Some(match event {
        PhoneEvent::Ended | PhoneEvent::Refused(_) if phone == who => Told::Ended,
        _ => Told::Other,
    })
}

async fn told(bank: &mut Bank, who: PhoneId, what: &PhoneEvent) {
    while let Some((phone, event)) = bank.next_event().await {
        if phone == who && event == *what {
            return;
        }
    }
}
