//! The recorder's IO: spool folder, object store, keyring file, and the threads that serve them.
//!
//! The only place in this crate with a clock, files, sockets, threads and the operating system's
//! randomness.

mod archive;
mod decrypt;
mod disk;
pub mod keyring;
mod live;
mod manifest;
mod object;
mod priority;
mod recover;
mod s3;
mod service;
mod spool;
mod turns;
mod upload;

pub use archive::{Archive, ArchiveError, OpenRecording};
pub use decrypt::{DecryptError, decrypt};
pub use manifest::Sidecar;
pub use object::{Folder, ObjectStore, ObjectStoreConfig, StoreError};
pub use s3::S3Config;
pub use service::{Remaining, Service, ServiceConfig, ServiceError};
