//! Certificates that change under a running server: read anew on SIGHUP and when their files
//! change. What cannot be used is refused whole, with an error in the log; the old ones stay.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Tls, TlsFault};
use crate::config;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The certificates of now.
pub(crate) type Keeper = watch::Receiver<Arc<Tls>>;

/// Loads the certificates and keeps them up to date for as long as somebody keeps the result.
///
/// # Errors
/// The first file that cannot be used.
pub(crate) fn keep(config: config::Tls) -> Result<Keeper, TlsFault> {
    // Looked at before they are read: a change between the two is seen as one later.
    let seen = Seen::of(&config);
    let (sender, keeper) = watch::channel(Arc::new(Tls::load(&config)?));
    tokio::spawn(async move {
        if let Err(error) = follow(config, seen, &sender).await {
            tracing::error!(%error, "certificates are not read anew until a restart");
        }
    });
    Ok(keeper)
}

async fn follow(
    config: config::Tls,
    mut seen: Seen,
    sender: &watch::Sender<Arc<Tls>>,
) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut failed = None;
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
            () = sender.closed() => return Ok(()),
        };
        let (config, before) = (config.clone(), seen.clone());
        let look = move || {
            let now = Seen::of(&config);
            (asked || now != before).then(|| (now, Tls::load(&config)))
        };
        let Some((now, loaded)) = tokio::task::spawn_blocking(look).await? else { continue };
        match loaded {
            Ok(tls) => {
                sender.send_replace(Arc::new(tls));
                metrics::counter!("strowger_tls_reloads_total", "outcome" => "taken").increment(1);
                tracing::info!("certificates are read anew");
                failed = None;
            }
            // Half-written files are told once, not at each look.
            Err(fault) if !asked && failed.as_ref() == Some(&fault) => {}
            Err(fault) => {
                metrics::counter!("strowger_tls_reloads_total", "outcome" => "refused")
                    .increment(1);
                tracing::error!(%fault, "new certificates are refused: the old ones stay");
                failed = Some(fault);
            }
        }
        seen = now;
    }
}

/// What files looked like: a renamed, rewritten or re-linked file looks different.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen(Vec<Option<(u64, u64, i64, i64)>>);

impl Seen {
    fn of(config: &config::Tls) -> Self {
        let certificates = config.certificates.iter();
        let own = certificates.flat_map(|one| [Some(&one.chain), Some(&one.key)]);
        let bundles = [config.client_ca.as_ref(), config.server_ca.as_ref()];
        let look = |file: &PathBuf| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
        };
        Self(own.chain(bundles).flatten().map(look).collect())
    }
}
