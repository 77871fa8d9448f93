//! The whole product against foreign parts: SIPp, baresip and linphone as carrier and agents, a
//! real S3 server, Google's Tink. Every test starts its own server on free ports and stops it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod abuse;
mod announcing;
mod audio;
mod baresip;
mod browser;
mod canary;
mod capturing;
mod certificates;
mod codecs;
mod commands;
mod database_tls;
mod dtmf;
mod floor;
mod garbage;
mod handed_over;
mod hep;
mod kamailio;
mod kept_flows;
mod lateness;
mod linphone;
#[allow(clippy::cast_possible_truncation, dead_code)]
mod name_server;
mod net;
mod outage;
mod overload;
mod packet_ways;
mod pages;
mod parts;
mod phones;
mod postgres;
#[path = "../../../store/tests/repository/postgres_programs.rs"]
mod postgres_programs;
mod queueing;
mod recording;
mod refusals;
mod retention;
mod rfc3665;
mod s3;
mod scenario;
mod second_server;
mod silent;
mod sip_client;
mod sipp;
mod siprec;
mod srtp;
mod stir;
mod stopping;
mod strowger;
mod subscribers;
mod supervise;
mod survival;
mod talking;
mod tls;
mod torture;
mod trunk_streams;
mod trunk_tls;
mod trunks;
mod ua;
mod unheard;
mod voice;
mod websocket;
mod wildcard;
mod wire;
