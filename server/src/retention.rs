//! Forgets what is to be kept for a time only: the SIP messages of calls, and the recordings of
//! tenants that say how long they keep them.

use std::sync::Arc;

use base::{Duration, TenantId, UnixTime};
use recorder::Archive;
use routing::Directory;
use store::Store;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Recordings asked for at once.
const CHUNK: u32 = 200;

/// What forgetting needs to know.
pub(crate) struct Forgetting {
    store: Store,
    archive: Archive,
    directory: watch::Receiver<Arc<Directory>>,
    clock: Clock,
    /// Days that ladders are kept; for ever with 0.
    ladder_days: u32,
}

impl Forgetting {
    pub(crate) fn new(
        store: &Store,
        archive: &Archive,
        directory: &watch::Receiver<Arc<Directory>>,
        clock: Clock,
        config: &Config,
    ) -> Self {
        Self {
            store: store.clone(),
            archive: archive.clone(),
            directory: directory.clone(),
            clock,
            ladder_days: config.database.ladder_days,
        }
    }

    /// Deletes what is too old, now and each hour, until it is aborted.
    pub(crate) async fn run(self) {
        loop {
            self.look().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn look(&self) {
        if self.ladder_days > 0 {
            self.ladders().await;
        }
        let directory = self.directory.borrow().clone();
        for tenant in directory.tenants() {
            let days = directory.limits(&tenant.id).and_then(|limits| limits.retention_days);
            if let Some(days) = days {
                self.recordings(&tenant.id, days).await;
            }
        }
    }

    fn days_ago(&self, days: u32) -> UnixTime {
        let micros = i64::try_from((DAY * days).as_micros()).unwrap_or(i64::MAX);
        UnixTime::from_micros(self.clock.unix().as_micros().saturating_sub(micros))
    }

    async fn ladders(&self) {
        match self.store.forget_ladders(self.days_ago(self.ladder_days)).await {
            Ok(0) => {}
            Ok(ladders) => {
                tracing::info!(ladders, self.ladder_days, "forgot the SIP messages of old calls");
            }
            Err(error) => tracing::warn!(%error, "old ladders could not be deleted: tried again"),
        }
    }

    /// One tenant's. What cannot be deleted now is tried again with the next look; it does not
    /// keep the others.
    async fn recordings(&self, tenant: &TenantId, days: u32) {
        let before = self.days_ago(days);
        let (mut deleted, mut kept) = (0_u64, 0_u64);
        loop {
            let rows = match self.store.recordings_before(tenant, before, CHUNK).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(%tenant, %error, "old recordings cannot be asked for");
                    break;
                }
            };
            let is_last = rows.len() < CHUNK as usize;
            for row in rows {
                let Some(location) = row.location else { continue };
                if let Err(error) = self.archive.delete(&location).await {
                    tracing::warn!(recording = %row.id, %error, "it could not be deleted");
                    kept += 1;
                } else if let Err(error) = self.store.recording_deleted(tenant, row.id).await {
                    tracing::warn!(recording = %row.id, %error, "its deletion was not noted");
                    kept += 1;
                } else {
                    deleted += 1;
                }
            }
            // What was kept would come again and again.
            if is_last || kept > 0 {
                break;
            }
        }
        if deleted > 0 {
            tracing::info!(%tenant, deleted, days, "deleted recordings that are too old");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use base::{CallId, RecordingId};
    use recorder::{KeyProvider, Keyring, ObjectStore, ObjectStoreConfig};
    use routing::Provisioning;
    use store::{Append, RecordingRow, RecordingState};

    use super::*;

    /// Acme keeps recordings for a week, its subtenant for ever, which is a week too; globex keeps
    /// them for ever.
    const TENANTS: &str = r#"
        [[tenants]]
        id = "acme"
        domain = "acme.example"
        limits = { retention_days = 7 }
        [[tenants]]
        id = "agency"
        domain = "agency.example"
        parent = "acme"
        [[tenants]]
        id = "globex"
        domain = "globex.example"
    "#;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    struct Stand {
        folder: PathBuf,
        objects: ObjectStore,
        forgetting: Forgetting,
    }

    impl Stand {
        async fn new(name: &str) -> Self {
            let folder = format!("strowger-retention-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            let url = format!("sqlite:{}", folder.join("s.db").display());
            let store = Store::open(&url).await.unwrap();
            let provisioning: Provisioning = toml::from_str(TENANTS).unwrap();
            store.apply(&provisioning, &[]).await.unwrap();
            let path = folder.join("archive");
            let config = ObjectStoreConfig::Folder { path, prefix: String::new() };
            let objects = ObjectStore::open(&config).unwrap();
            let keys = KeyProvider::Local(Keyring::open(&folder.join("keyring.json")).unwrap());
            let (_, directory) = watch::channel(Arc::new(Directory::build(provisioning).unwrap()));
            let archive = Archive::new(objects.clone(), keys);
            let clock = Clock::start();
            let forgetting = Forgetting { store, archive, directory, clock, ladder_days: 0 };
            Self { folder, objects, forgetting }
        }

        /// A recording that began so many days ago, with its object and its sidecar.
        async fn keep(&self, of: &str, number: u128, days: u32) -> PathBuf {
            let key = format!("{of}-{number}.wav.tink");
            let location = self.objects.location(&key);
            let object = PathBuf::from(location.strip_prefix("file://").unwrap());
            std::fs::write(&object, b"sealed").unwrap();
            std::fs::write(sidecar(&object), b"{}").unwrap();
            let row = RecordingRow {
                tenant: tenant(of),
                id: RecordingId::from_u128(number),
                call: CallId::from_u128(number),
                state: RecordingState::Completed,
                started_at: self.forgetting.days_ago(days),
                completed_at: None,
                location: Some(location),
                wrapped_key: Some(vec![1]),
                duration_ms: Some(2000),
                bytes: Some(6),
                gaps_ms: Some(0),
                failure: None,
            };
            self.forgetting.store.append(&[Append::Recording(Box::new(row))]).await.unwrap();
            object
        }

        async fn row(&self, of: &str, number: u128) -> RecordingRow {
            let id = RecordingId::from_u128(number);
            self.forgetting.store.recording(&tenant(of), id).await.unwrap().unwrap()
        }
    }

    fn sidecar(object: &Path) -> PathBuf {
        PathBuf::from(format!("{}.json", object.display()))
    }

    #[tokio::test]
    async fn recordings_older_than_their_tenant_keeps_them_are_deleted_and_no_others() {
        let stand = Stand::new("old").await;
        let old = stand.keep("acme", 1, 8).await;
        let young = stand.keep("acme", 2, 6).await;
        let agencys = stand.keep("agency", 3, 8).await;
        let kept = stand.keep("globex", 4, 800).await;
        stand.forgetting.look().await;
        for gone in [&old, &agencys] {
            assert!(!gone.exists() && !sidecar(gone).exists(), "{gone:?}");
        }
        for there in [&young, &kept] {
            assert!(there.exists() && sidecar(there).exists(), "{there:?}");
        }
        let row = stand.row("acme", 1).await;
        assert_eq!(
            (row.state, row.location, row.wrapped_key),
            (RecordingState::Deleted, None, None)
        );
        assert_eq!(row.duration_ms, Some(2000), "that there was a recording stays known");
        assert_eq!(stand.row("acme", 2).await.state, RecordingState::Completed);
        stand.forgetting.look().await;
        std::fs::remove_dir_all(stand.folder).unwrap();
    }

    #[tokio::test]
    async fn a_recording_that_cannot_be_deleted_now_is_tried_again_and_keeps_no_other() {
        let stand = Stand::new("stuck").await;
        let stuck = stand.keep("acme", 1, 9).await;
        let other = stand.keep("acme", 2, 8).await;
        // A folder in the object's place: it cannot be removed as a file.
        std::fs::remove_file(&stuck).unwrap();
        std::fs::create_dir(&stuck).unwrap();
        stand.forgetting.look().await;
        assert!(!other.exists());
        assert_eq!(stand.row("acme", 1).await.state, RecordingState::Completed);
        std::fs::remove_dir(&stuck).unwrap();
        stand.forgetting.look().await;
        assert_eq!(stand.row("acme", 1).await.state, RecordingState::Deleted);
        assert!(!sidecar(&stuck).exists());
        std::fs::remove_dir_all(stand.folder).unwrap();
    }
}
