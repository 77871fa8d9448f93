//! What can go wrong between a repository call and the disk, told apart by who has to act.

use base::TenantId;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database answered with an error or not at all: try again, then look at the disk.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought to this version.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address of the database is of no kind we know.
    #[error("{0:?} is no database address; use sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Address(String),
    /// An event does not follow the tenant's last one. Nothing of the batch was stored.
    #[error("tenant {tenant}: event {found} does not follow event {last}")]
    Gap {
        /// Whose log it is.
        tenant: TenantId,
        /// The sequence of the last event in the log, or of the one before in the batch.
        last: u64,
        /// The sequence that was to be appended.
        found: u64,
    },
    /// An event of a tenant that no provisioning ever named. Nothing of the batch was stored.
    #[error("tenant {0} is not provisioned")]
    UnknownTenant(TenantId),
    /// A row holds what this version cannot read: a fault of ours, or of whoever edited the file.
    #[error("a stored row is damaged: {0}")]
    Damaged(String),
}

/// The store's result.
pub type Result<T> = std::result::Result<T, StoreError>;
