//! A real S3 server in this process (`s3s-fs`), which verifies signatures and can be switched off.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use recorder::{ObjectStore, ObjectStoreConfig, S3Config};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The server's folder, with bucket `recordings` in it.
pub(crate) struct Bucket {
    folder: std::path::PathBuf,
    address: SocketAddr,
    running: Option<JoinHandle<()>>,
}

impl Bucket {
    pub(crate) async fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("recordings")).unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let mut bucket = Self { folder: folder.to_owned(), address, running: None };
        bucket.switch_on().await;
        bucket
    }

    pub(crate) async fn switch_on(&mut self) {
        // Its port may still be held by what was switched off.
        let deadline = Instant::now() + Duration::from_secs(30);
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{}: {error}", self.address),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.address = listener.local_addr().unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(&self.folder).unwrap());
        builder.set_auth(SimpleAuth::from_single("recorder", "the-right-secret"));
        let service = builder.build();
        self.running = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let io = TokioIo::new(socket);
                    let _ = http1::Builder::new().serve_connection(io, service).await;
                });
            }
        }));
    }

    /// Stops listening and drops every connection.
    pub(crate) async fn switch_off(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn store(&self, secret: &str) -> ObjectStore {
        ObjectStore::open(&ObjectStoreConfig::S3(S3Config {
            bucket: "recordings".to_owned(),
            endpoint: Some(format!("http://{}", self.address())),
            region: "eu-central-1".to_owned(),
            prefix: "strowger/test".to_owned(),
            path_style: true,
            access_key: Some("recorder".to_owned()),
            secret_key: Some(secret.to_owned()),
            session_token: None,
        }))
        .unwrap()
    }
}
