//! PostgreSQL over TLS: it must be who it says it is, if the URL says so.

use crate::certificates::Authority;
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, carrier};
use crate::postgres::Postgres;
use crate::second_server::second;
use crate::strowger::{ACME, Folder, Setup, Strowger};

/// An address that no other test listens on.
const DATABASE: &str = "127.0.77.1";

#[test]
fn the_database_is_reached_over_tls_and_only_where_its_certificate_is_believed() {
    let folder = Folder::new("database-tls");
    let Some(mut database) = Postgres::start(folder.path()) else { return };
    let authority = Authority::new(folder.path(), "authority");
    let stranger = Authority::new(folder.path(), "stranger");
    let own = authority.certify(folder.path(), "database", &[DATABASE]);
    database.serve_tls(DATABASE, &own);
    let config = |believed: &str| {
        let url = format!("postgres://strowger@{DATABASE}/calls?{believed}");
        format!("[database]\nurl = \"{url}\"\n")
    };
    let of = |authority: &Authority| {
        config(&format!("sslmode=verify-full&sslrootcert={}", authority.file.display()))
    };
    for (refused, why) in
        [(of(&stranger), "ertificate"), (config("sslmode=disable"), "pg_hba.conf")]
    {
        let output = second(folder.path(), "other", &refused);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(why), "{told}");
    }
    let setup = Setup { config: of(&authority), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.calls_are(ACME, 1, "queued");
    caller.hang_up();
    caller.succeed(LIMIT);
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["trunk"], "carrier-a");
    assert_eq!(server.stop(), 0);
}
