//! The repository on real databases: every test here runs on SQLite and on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backend;
mod calls;
mod explorer;
mod isolation;
mod log;
mod migrations;
mod postgres_programs;
mod postgres_server;
mod provisioning;
mod recordings;
mod recovery;
mod sample;
mod settings;
mod told;
mod wrap_ups;

/// Writes each test twice: once on SQLite, once on PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($backend:ident: &Backend) $body:block)*) => {
        $(async fn $name($backend: &$crate::backend::Backend) $body)*

        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::backend::Backend::sqlite().await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let Some(backend) = $crate::backend::Backend::postgres().await else { return };
                super::$name(&backend).await;
            })*
        }
    };
}
pub(crate) use on_both;
