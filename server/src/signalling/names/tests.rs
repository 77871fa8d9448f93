//! Questions to a little name server of our own.

use std::net::IpAddr;

use tokio::sync::mpsc;

use self::name_server::{LIFE, NEGATIVE_LIFE, NameServer, Record};
use super::*;
use crate::wake::Bell;

#[allow(clippy::cast_possible_truncation, dead_code)]
#[path = "../../../tests/real_parts/name_server.rs"]
mod name_server;

fn names(server: &NameServer) -> (Names, mpsc::Receiver<Answer>) {
    let (sender, answers) = wake::queue(ANSWERS, &Bell::new().unwrap());
    (Names::new(&[server.at], sender), answers)
}

async fn ask(server: &NameServer, question: Question) -> Answer {
    let (names, mut answers) = names(server);
    assert_eq!(names.ask(question.clone()), None, "the answer comes in its own time");
    let answer = answers.recv().await.unwrap();
    assert_eq!(answer.question, question);
    answer
}

fn seconds_of(life: u32) -> Duration {
    Duration::from_secs(life.into())
}

#[tokio::test]
async fn each_kind_of_record_is_read_with_the_time_it_holds() {
    let server = NameServer::start(vec![
        ("carrier.example", Record::Naptr(10, 20, "s", "SIPS+D2T", "_sips._tcp.carrier.example")),
        ("_sips._tcp.carrier.example", Record::Srv(1, 2, 5061, "sbc.carrier.example")),
        ("_sips._tcp.carrier.example", Record::Srv(9, 0, 5061, ".")),
        ("sbc.carrier.example", Record::Alias("real.carrier.example")),
        ("real.carrier.example", Record::Address("192.0.2.7".parse().unwrap())),
        ("real.carrier.example", Record::Address("2001:db8::7".parse().unwrap())),
    ]);
    let naptr = ask(&server, Question::Naptr("carrier.example".into())).await;
    let expected = Naptr {
        order: 10,
        preference: 20,
        flags: "s".into(),
        service: "SIPS+D2T".into(),
        regexp: "".into(),
        replacement: "_sips._tcp.carrier.example".into(),
    };
    assert_eq!(naptr.records, Ok(Records::Naptr(vec![expected])));
    assert_eq!(naptr.ttl, seconds_of(LIFE));

    let srv = ask(&server, Question::Srv("_sips._tcp.carrier.example".into())).await;
    let target = |priority, weight, target: &str| Srv {
        priority,
        weight,
        port: 5061,
        target: target.into(),
    };
    let expected = vec![target(1, 2, "sbc.carrier.example"), target(9, 0, "")];
    assert_eq!(srv.records, Ok(Records::Srv(expected)));

    let found = ask(&server, Question::Address("sbc.carrier.example".into())).await;
    let Ok(Records::Address(mut found)) = found.records else { panic!("{found:?}") };
    found.sort();
    let expected: [IpAddr; 2] = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    assert_eq!(found, expected, "behind the alias, of both families");
}

#[tokio::test]
async fn a_name_that_does_not_exist_and_one_without_such_records_are_certain_answers() {
    let address = Record::Address("192.0.2.7".parse().unwrap());
    let server = NameServer::start(vec![("host.example", address)]);
    for question in [
        Question::Srv("_sip._udp.nowhere.example".into()),
        Question::Address("nowhere.example".into()),
        Question::Naptr("host.example".into()),
    ] {
        let answer = ask(&server, question).await;
        assert_eq!(answer.records, Err(NoAnswer::NotFound));
        assert_eq!(answer.ttl, seconds_of(NEGATIVE_LIFE));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let server = NameServer::start(Vec::new());
    let start = std::time::Instant::now();
    let answer = ask(&server, Question::Srv("_sip._udp.silent".into())).await;
    assert_eq!(answer.records, Err(NoAnswer::Failed));
    assert!(start.elapsed() < 2 * LONGEST, "{:?}", start.elapsed());
    assert!(server.asked() >= 2, "and is asked again before");
}

#[tokio::test]
async fn what_is_more_than_can_be_asked_at_once_fails_at_once() {
    let server = NameServer::start(Vec::new());
    let (names, _answers) = names(&server);
    let question = |n: usize| Question::Srv(format!("_sip._udp.n{n}.silent").into());
    assert!((0..AT_ONCE).all(|n| names.ask(question(n)).is_none()));
    let refused = names.ask(question(AT_ONCE)).unwrap();
    assert_eq!(refused.records, Err(NoAnswer::Failed));
}
