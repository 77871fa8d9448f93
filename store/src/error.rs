//! What can go wrong between a repository call and the disk, told apart by who has to act.

use base::TenantId;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database answered with an error or not at all: try again, then look at the disk.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The same of SQLite, where it is driven in place.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The schema could not be brought to this version.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address of the database is of no kind we know.
    #[error("{0:?} is no database address; use sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Address(String),
    /// Another server is on it already.
    #[error("another server is running on this: {0}; one server only on a folder and a database")]
    Taken(String),
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

impl StoreError {
    /// Whether the rows themselves are at fault: trying them again changes nothing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Gap { .. } | Self::UnknownTenant(_) | Self::Damaged(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| is_of_rows(&code))
            }
            Self::Database(error) => matches!(error, sqlx::Error::Encode(_)),
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                is_of_rows(&error.extended_code.to_string())
            }
            Self::Sqlite(_) => false,
            Self::Migration(_) | Self::Address(_) | Self::Taken(_) => false,
        }
    }
}

/// PostgreSQL's classes 22 (data exception) and 23 (integrity constraint violation); SQLite's
/// TOOBIG, CONSTRAINT and MISMATCH, which are the low byte of its extended codes.
fn is_of_rows(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("22") || code.starts_with("23");
    }
    code.parse::<u32>().is_ok_and(|code| (18..=20).contains(&(code & 0xff)))
}

/// The store's result.
pub type Result<T> = std::result::Result<T, StoreError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_constraint_is_the_rows_fault_and_a_full_disk_is_not() {
        for code in ["23505", "23503", "22P02", "22021", "19", "2067", "787", "18", "3091"] {
            assert!(is_of_rows(code), "{code}");
        }
        for code in ["53100", "57P01", "08006", "40001", "42501", "5", "13", "10", "266"] {
            assert!(!is_of_rows(code), "{code}");
        }
    }
}
