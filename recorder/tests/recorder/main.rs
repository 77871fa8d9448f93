//! The recorder's tests: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aead;
mod archive;
mod keyring;
mod killed;
mod s3;
mod service;
mod speech;
mod stage;
mod timeline;
mod tink;
