//! Agents' pages: phones over connections of their own, which close, and come back.

use std::net::SocketAddr;

use media::{Command, StreamId};
use sip::Name;
use switch::Input;

use super::{Phone, Rig};

impl Rig {
    /// A page of an agent's registers over a connection of its own, under the name that it made up.
    #[track_caller]
    pub fn page(&mut self, agent: &str, at: SocketAddr, connection: u64, name: &str) {
        self.pages.push((at, connection));
        let password = format!("{agent}-secret");
        let who = (agent, &*password, "acme.example");
        let contact = format!("Contact: <sip:{name}@{};transport=ws>;expires=600\r\n", at.ip());
        let ok = self.register_as(at, who, &contact);
        assert_eq!(ok.status().unwrap().as_u16(), 200);
    }

    /// A page's WebSocket closes.
    pub fn close_page(&mut self, at: SocketAddr) {
        let flow = self.flow(at);
        self.pages.retain(|(address, _)| *address != at);
        self.input(Input::FlowClosed { flow });
    }

    /// A page answers the INVITE that it got, as pages do that take it by themselves.
    #[track_caller]
    pub fn takes_back(&mut self, at: SocketAddr) -> Phone {
        let phone = Phone::new(at, self.expect(at, "INVITE"));
        assert_eq!(phone.invite.header(Name::new("Answer-Mode")), Some("Auto"));
        assert!(phone.invite.header(Name::new("Call-Info")).unwrap().ends_with(";answer-after=0"));
        let call = self.last_call().to_string();
        assert_eq!(phone.invite.header(Name::new("X-Strowger-Returns")), Some(call.as_str()));
        self.phone_answers(&phone);
        phone
    }

    /// How often an event of that kind was told.
    pub fn told(&self, kind: &str) -> usize {
        self.events_of(kind).len()
    }

    /// Whom music plays to, by the last order about each.
    pub fn music(&self) -> Vec<StreamId> {
        let mut playing = Vec::new();
        for command in &self.commands {
            match command {
                Command::Play { stream, looped: true, .. } => playing.push(*stream),
                Command::StopPlaying { stream } | Command::Close { stream } => {
                    playing.retain(|known| known != stream);
                }
                _ => {}
            }
        }
        playing
    }
}
