//! The recorder's real S3 server, for the whole product: on a thread of its own until the tests end.

use std::net::SocketAddr;
use std::path::Path;

// One S3 server for the recorder's tests and for these.
#[allow(dead_code)]
#[path = "../../../recorder/tests/recorder/stage/bucket.rs"]
mod bucket;

pub(crate) const ACCESS_KEY: &str = "recorder";
pub(crate) const SECRET_KEY: &str = "the-right-secret";

/// Serves the folder, with a bucket `recordings` in it, and gives the address.
pub(crate) fn serve(folder: &Path) -> SocketAddr {
    let folder = folder.to_owned();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let bucket = bucket::Bucket::start(&folder).await;
            tell.send(bucket.address()).expect("the test waits");
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("the S3 server's address")
}
