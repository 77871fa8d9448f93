//! Agents and callers: who calls when, who talks, who waits.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use phone::{Manner, PhoneConfig, PhoneEvent};
use server::demo::{Bank, Order, PhoneId, Sockets};
use tokio::time::{Instant, timeout};

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NUMBER: &str = "+15550100";
/// The harness looks at its clock this often.
const TICK: Duration = Duration::from_millis(2);

/// Where a caller stands.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Free,
    Dialled(Instant),
    /// Answered by the engine and in the queue, or already talking; hangs up then.
    Talks(Option<Instant>),
    Leaving,
}

/// What became of the calls so far.
pub(crate) struct Counts {
    pub(crate) connected: usize,
    pub(crate) refused: usize,
    /// Calls that no caller was free to make.
    pub(crate) not_made: usize,
    pub(crate) median_setup_ms: f64,
}

/// All phones: callers first, then as many agents.
pub(crate) struct Crowd {
    bank: Bank,
    callers: Vec<Caller>,
    free: VecDeque<usize>,
    talk: Option<Duration>,
    agents_talking: usize,
    connected: usize,
    refused: usize,
    not_made: usize,
    setups: Vec<f64>,
}

impl Crowd {
    pub(crate) fn start(server: SocketAddr, agents: usize) -> Result<Self, String> {
        let phone = |address, user: String, password| {
            let sockets = Sockets::bind(address)?;
            let config = PhoneConfig {
                sip: sockets.sip()?,
                rtp: sockets.rtp()?,
                server,
                user,
                domain: "load.example".to_owned(),
                password,
                speech: Arc::default(),
                manner: Manner::Answer(Duration::ZERO),
                listens: false,
                encryption: media::sdp::Encryption::Off,
            };
            std::io::Result::Ok((config, sockets))
        };
        let callers = (0..agents).map(|n| phone(CARRIER, format!("+1555{n:07}"), None));
        let agents_phones = (0..agents)
            .map(|n| phone(OFFICE, format!("agent-{n}"), Some(format!("load-secret-{n}"))));
        let phones: Result<Vec<_>, _> = callers.chain(agents_phones).collect();
        let phones = phones.map_err(|error| error.to_string())?;
        let bank = Bank::start(phones, server::random::seeded());
        Ok(Self {
            bank: bank.map_err(|error| error.to_string())?,
            callers: vec![Caller::Free; agents],
            free: (0..agents).collect(),
            talk: None,
            agents_talking: 0,
            connected: 0,
            refused: 0,
            not_made: 0,
            setups: Vec::new(),
        })
    }

    /// Registers every agent.
    pub(crate) async fn register(&mut self) -> Result<(), String> {
        let callers = self.callers.len();
        for agent in callers..2 * callers {
            self.tell(agent, Order::Register).await?;
            match timeout(Duration::from_secs(10), self.bank.next_event()).await {
                Ok(Some((_, PhoneEvent::Registered))) => {}
                other => return Err(format!("an agent could not register: {other:?}")),
            }
        }
        Ok(())
    }

    /// Starts calls at a rate for a time; each ends after `talk`. Waits for the last one's end.
    pub(crate) async fn call_at(
        &mut self,
        rate: f64,
        seconds: u64,
        talk: Duration,
    ) -> Result<(), String> {
        self.talk = Some(talk);
        let began = Instant::now();
        let until = Duration::from_secs(seconds);
        let mut started = 0.0;
        while began.elapsed() < until {
            while started < began.elapsed().as_secs_f64() * rate {
                started += 1.0;
                self.dial().await?;
            }
            self.live().await?;
        }
        let patience = Instant::now() + talk + Duration::from_secs(10);
        while self.free.len() < self.callers.len() && Instant::now() < patience {
            self.live().await?;
        }
        Ok(())
    }

    /// Brings `calls` calls up, 50 a second, to stay.
    pub(crate) async fn fill(&mut self, calls: usize) -> Result<(), String> {
        self.talk = None;
        for _ in 0..calls {
            self.dial().await?;
            let next = Instant::now() + Duration::from_millis(20);
            while Instant::now() < next {
                self.live().await?;
            }
        }
        Ok(())
    }

    /// Hangs everything up.
    pub(crate) async fn empty(&mut self) -> Result<(), String> {
        for caller in 0..self.callers.len() {
            self.tell(caller, Order::HangUp).await?;
        }
        Ok(())
    }

    /// Agents who talk now.
    pub(crate) fn up(&self) -> usize {
        self.agents_talking
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut setups = self.setups.clone();
        setups.sort_by(f64::total_cmp);
        let median_setup_ms = setups.get(setups.len() / 2).copied().unwrap_or(0.0);
        let (connected, refused, not_made) = (self.connected, self.refused, self.not_made);
        Counts { connected, refused, not_made, median_setup_ms }
    }

    async fn dial(&mut self) -> Result<(), String> {
        let Some(caller) = self.free.pop_front() else {
            self.not_made += 1;
            return Ok(());
        };
        self.callers[caller] = Caller::Dialled(Instant::now());
        self.tell(caller, Order::Dial(NUMBER.to_owned())).await
    }

    /// Takes what happened, for one tick; hangs up whose time has come.
    async fn live(&mut self) -> Result<(), String> {
        while let Ok(event) = timeout(TICK, self.bank.next_event()).await {
            let (phone, event) = event.ok_or("the phones' thread has ended")?;
            self.take(phone.0, &event);
        }
        let now = Instant::now();
        for caller in 0..self.callers.len() {
            if matches!(self.callers[caller], Caller::Talks(Some(end)) if end <= now) {
                self.callers[caller] = Caller::Leaving;
                self.tell(caller, Order::HangUp).await?;
            }
        }
        Ok(())
    }

    fn take(&mut self, phone: usize, event: &PhoneEvent) {
        if phone >= self.callers.len() {
            match event {
                PhoneEvent::Connected => {
                    self.agents_talking += 1;
                    self.connected += 1;
                }
                PhoneEvent::Ended => self.agents_talking = self.agents_talking.saturating_sub(1),
                _ => {}
            }
            return;
        }
        match (event, self.callers[phone]) {
            (PhoneEvent::Connected, Caller::Dialled(at)) => {
                self.setups.push(at.elapsed().as_secs_f64() * 1000.0);
                let end = self.talk.map(|talk| Instant::now() + talk);
                self.callers[phone] = Caller::Talks(end);
            }
            (PhoneEvent::Refused(_), _) => {
                self.refused += 1;
                self.release(phone);
            }
            (PhoneEvent::Ended, _) => self.release(phone),
            _ => {}
        }
    }

    fn release(&mut self, caller: usize) {
        if self.callers[caller] != Caller::Free {
            self.callers[caller] = Caller::Free;
            self.free.push_back(caller);
        }
    }

    async fn tell(&self, phone: usize, order: Order) -> Result<(), String> {
        let told = self.bank.tell(PhoneId(phone), order).await;
        told.map_err(|_| "the phones' thread has ended".to_owned())
    }
}
