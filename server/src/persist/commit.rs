//! Rows into the store, in order, whatever is among them: while the store is down they wait, and a
//! row that it refuses for good is set aside instead of holding up those behind it.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use base::{Duration, TenantId};
use metrics::Histogram;
use store::{Append, EventRow, Store, StoreError};
use tokio::time::Instant;

use super::Rejected;

/// A commit that takes longer counts as failed, and the journal takes over.
const COMMIT: Duration = Duration::from_secs(5);
/// Rows in one transaction.
pub(super) const BATCH: usize = 1024;
/// Numbers that are made up for with placeholders at most; beyond, the row is set aside.
const GAP: u64 = 100_000;
/// The event in place of one that was set aside or never came: numbers stay dense.
const PLACEHOLDER: &str = "event.missing";

/// What became of some rows.
pub(super) struct Committed {
    /// In the store now, placeholders included.
    pub(super) done: Vec<Append>,
    /// Not yet, in order; empty unless the store is out.
    pub(super) rest: Vec<Append>,
    /// Why the store is out.
    pub(super) outage: Option<String>,
}

/// The way into the store.
pub(super) struct Committer {
    store: Store,
    rejected: Rejected,
    seconds: Histogram,
}

impl Committer {
    pub(super) fn new(store: Store, rejected: Rejected) -> Self {
        let seconds = metrics::histogram!("strowger_store_commit_seconds");
        Self { store, rejected, seconds }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Commits all rows but those that the store refuses. A batch with a refused row is halved
    /// until the row is alone.
    pub(super) async fn commit(&self, rows: Vec<Append>) -> Committed {
        let mut done = Vec::new();
        let mut parts = VecDeque::from([rows]);
        let mut filled = BTreeSet::new();
        while let Some(mut part) = parts.pop_front() {
            let error = match self.append(&part).await {
                Ok(()) => {
                    done.append(&mut part);
                    continue;
                }
                Err(error) => error,
            };
            let outage = match error {
                Refusal::Outage(why) => Some(why),
                Refusal::Rows(_) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push_front(second);
                    parts.push_front(part);
                    continue;
                }
                Refusal::Rows(error) => match self.refuse(&part, &error, &mut filled) {
                    Ok(instead) => {
                        instead.into_iter().rev().for_each(|part| parts.push_front(part));
                        continue;
                    }
                    Err(disk) => Some(disk.to_string()),
                },
            };
            parts.push_front(part);
            return Committed { done, rest: parts.into_iter().flatten().collect(), outage };
        }
        Committed { done, rest: Vec::new(), outage: None }
    }

    async fn append(&self, rows: &[Append]) -> Result<(), Refusal> {
        let began = Instant::now();
        let result = tokio::time::timeout(COMMIT, self.store.append(rows)).await;
        self.seconds.record(began.elapsed().as_secs_f64());
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_refusal() => Err(Refusal::Rows(error)),
            Ok(Err(error)) => Err(Refusal::Outage(error.to_string())),
            Err(_) => Err(Refusal::Outage(format!("no answer within {} s", COMMIT.as_secs()))),
        }
    }

    /// What to commit instead of a single refused row: an event's number must not be left out, or
    /// the store would refuse every later one of its tenant.
    fn refuse(
        &self,
        row: &[Append],
        error: &StoreError,
        filled: &mut BTreeSet<TenantId>,
    ) -> std::io::Result<Vec<Vec<Append>>> {
        let Some(row) = row.first() else { return Ok(Vec::new()) };
        if let (Append::Event(event), StoreError::Gap { last, found, .. }) = (row, error)
            && *found > *last + 1
            && *found - *last <= GAP
            && filled.insert(event.tenant.clone())
        {
            tracing::error!(%error, "events are missing: placeholders take their numbers");
            let missing: Vec<u64> = (*last + 1..*found).collect();
            let places = missing.chunks(BATCH).map(|numbers| {
                numbers.iter().map(|number| placeholder(event, *number, "it never came")).collect()
            });
            return Ok(places.chain([vec![row.clone()]]).collect());
        }
        let why = error.to_string();
        self.rejected.row(row, &why)?;
        match row {
            Append::Event(event) if event.kind != PLACEHOLDER && !is_about_numbers(error) => {
                Ok(vec![vec![placeholder(event, event.sequence, "the store refused it")]])
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Why rows were not stored.
enum Refusal {
    /// The store does not answer, or not now: all waits.
    Outage(String),
    /// The rows themselves.
    Rows(StoreError),
}

/// Whether a placeholder with the same number would be refused just so.
fn is_about_numbers(error: &StoreError) -> bool {
    matches!(error, StoreError::Gap { .. } | StoreError::UnknownTenant(_))
}

fn placeholder(of: &EventRow, sequence: u64, why: &str) -> Append {
    let kind = (of.sequence == sequence).then(|| of.kind.as_ref());
    Append::Event(EventRow {
        tenant: of.tenant.clone(),
        sequence,
        call: None,
        at: of.at,
        kind: Cow::Borrowed(PLACEHOLDER),
        data: serde_json::json!({ "type": kind, "why": why }).to_string(),
    })
}
