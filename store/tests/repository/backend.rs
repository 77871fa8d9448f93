//! A fresh database for a test, of either kind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use store::Store;

use crate::postgres_server;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A new, empty database, gone when the test is over.
pub(crate) struct Backend {
    url: String,
    folder: Option<PathBuf>,
}

impl Backend {
    pub(crate) async fn sqlite() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("strowger-store-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite:{}", folder.join("strowger.db").display());
        Self { url, folder: Some(folder) }
    }

    /// `None`, and a word on the terminal, where no PostgreSQL is installed.
    pub(crate) async fn postgres() -> Option<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let url = postgres_server::new_database(&format!("room_{number}")).await?;
        Some(Self { url, folder: None })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Opens the database; a second time is what a restart does.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// Opens it with the sample provisioning applied.
    pub(crate) async fn provisioned(&self) -> Store {
        let store = self.open().await;
        store.apply(&crate::sample::provisioning(), &crate::sample::prompts()).await.unwrap();
        store
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
