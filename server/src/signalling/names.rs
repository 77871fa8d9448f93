//! The domain name system (RFC 1035), asked on tokio for the signalling thread: questions out,
//! answers through its queue. Bounded: what cannot be asked at once is answered at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use sip::resolve::{Answer, Naptr, NoAnswer, Question, Records, Srv};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::wake;

/// Questions asked at once.
const AT_ONCE: usize = 256;
/// Answers that may wait for the signalling thread: one for each question.
pub(super) const ANSWERS: usize = AT_ONCE;
/// A server has this long; then the next one, or the same once more.
const TRY: Duration = Duration::from_millis(1_500);
const TRIES: usize = 2;
/// However many servers there are, a question takes no longer.
const LONGEST: Duration = Duration::from_secs(5);
/// Records taken from one answer.
const RECORDS: usize = 64;
/// How long answers hold whose own time is shorter or longer, or that have none.
const SHORTEST_LIFE: u32 = 5;
const LONGEST_LIFE: u32 = 86_400;
const NEGATIVE_LIFE: u32 = 30;
const FAILURE_LIFE: u32 = 5;

/// Who turns a host's name into addresses.
#[derive(Clone)]
pub(super) struct NameSource(Result<TokioResolver, Box<str>>);

impl NameSource {
    /// The addresses of a host, at most so many as are taken from one answer.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let resolver = self.0.as_ref().map_err(|why| why.to_string())?;
        let name = absolute(host).map_err(|error| error.to_string())?;
        let found = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
        Ok(taken(found.as_lookup().answers(), |data| data.ip_addr()))
    }
}

/// Who answers the switch's questions.
pub(super) struct Names {
    runtime: Handle,
    resolver: Result<TokioResolver, Box<str>>,
    places: Arc<Semaphore>,
    answers: wake::Sender<Answer>,
}

impl Names {
    /// Asks `servers`, or those of `/etc/resolv.conf`. Without either every question fails.
    pub(super) fn new(servers: &[SocketAddr], answers: wake::Sender<Answer>) -> Self {
        let resolver = resolver(servers).map_err(|error| {
            tracing::warn!(%error, "names cannot be resolved: set dns.servers");
            error.to_string().into()
        });
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { runtime: Handle::current(), resolver, places, answers }
    }

    /// For others that need names.
    pub(super) fn source(&self) -> NameSource {
        NameSource(self.resolver.clone())
    }

    /// Asks; the answer is here already when nobody can be asked.
    pub(super) fn ask(&self, question: Question) -> Option<Answer> {
        let resolver = match &self.resolver {
            Ok(resolver) => resolver.clone(),
            Err(why) => return Some(failed(question, why)),
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            metrics::counter!("strowger_dns_questions_total", "outcome" => "refused").increment(1);
            return Some(failed(question, "too many questions at once"));
        };
        let answers = self.answers.clone();
        self.runtime.spawn(async move {
            let answer = match timeout(LONGEST, lookup(&resolver, &question)).await {
                Ok(Ok((records, life))) => Answer { question, records: Ok(records), ttl: life },
                Ok(Err(error)) => no_answer(question, &error),
                Err(_) => failed(question, "no answer in time"),
            };
            let outcome = match &answer.records {
                Ok(_) => "found",
                Err(NoAnswer::NotFound) => "none",
                Err(NoAnswer::Failed) => "failed",
            };
            metrics::counter!("strowger_dns_questions_total", "outcome" => outcome).increment(1);
            // The signalling thread may have ended meanwhile.
            let _ = answers.send(answer).await;
            drop(place);
        });
        None
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder: ResolverBuilder<TokioRuntimeProvider> = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // The switch remembers answers itself, by their own time.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = TRY;
    options.attempts = TRIES;
    builder.build()
}

async fn lookup(
    resolver: &TokioResolver,
    question: &Question,
) -> Result<(Records, Duration), NetError> {
    let (records, life) = match question {
        Question::Naptr(name) => {
            let found = resolver.lookup(absolute(name)?, RecordType::NAPTR).await?;
            (Records::Naptr(taken(found.answers(), naptr)), life(found.answers()))
        }
        Question::Srv(name) => {
            let found = resolver.srv_lookup(absolute(name)?).await?;
            (Records::Srv(taken(found.answers(), srv)), life(found.answers()))
        }
        Question::Address(name) => {
            // A host without a dot is of this network: resolv.conf says where to look.
            let name = if name.contains('.') { absolute(name)? } else { Name::from_utf8(name)? };
            let found = resolver.lookup_ip(name).await?;
            let answers = found.as_lookup().answers();
            (Records::Address(taken(answers, |data| data.ip_addr())), life(answers))
        }
    };
    Ok((records, life))
}

fn absolute(name: &str) -> Result<Name, NetError> {
    let mut name = Name::from_utf8(name)?;
    name.set_fqdn(true);
    Ok(name)
}

/// The records of that kind: others, such as the CNAME on the way, are not asked for.
fn taken<T>(answers: &[Record], of_kind: impl Fn(&RData) -> Option<T>) -> Vec<T> {
    answers.iter().filter_map(|record| of_kind(&record.data)).take(RECORDS).collect()
}

fn life(answers: &[Record]) -> Duration {
    let shortest = answers.iter().map(|record| record.ttl).min();
    seconds(shortest.unwrap_or(NEGATIVE_LIFE))
}

fn seconds(life: u32) -> Duration {
    Duration::from_secs(u64::from(life.clamp(SHORTEST_LIFE, LONGEST_LIFE)))
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
    Some(Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        service: text(&record.services),
        regexp: text(&record.regexp),
        replacement: host(&record.replacement),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(record) = data else { return None };
    let (priority, weight, port) = (record.priority, record.weight, record.port);
    Some(Srv { priority, weight, port, target: host(&record.target) })
}

fn host(name: &Name) -> Box<str> {
    name.to_ascii().trim_end_matches('.').into()
}

fn no_answer(question: Question, error: &NetError) -> Answer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code: ResponseCode::NXDomain | ResponseCode::NoError,
            negative_ttl,
            ..
        })) => {
            let ttl = seconds(negative_ttl.unwrap_or(NEGATIVE_LIFE));
            Answer { question, records: Err(NoAnswer::NotFound), ttl }
        }
        error => failed(question, &error.to_string()),
    }
}

fn failed(question: Question, why: &str) -> Answer {
    tracing::debug!(?question, why, "a name is not resolved");
    let records = Err(NoAnswer::Failed);
    Answer { question, records, ttl: Duration::from_secs(u64::from(FAILURE_LIFE)) }
}

#[cfg(test)]
mod tests;
