//! Faulty files and what the operator is told.

use std::path::Path;

use super::*;

fn fault(text: &str) -> String {
    match Config::parse(Path::new("strowger.toml"), text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = Config::parse(Path::new("x"), "").unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.rtp.range(), Ok(Some(20_000..=29_999)));
    assert_eq!(config.database_url(), "sqlite:./data/strowger.db");
}

#[test]
fn a_misspelt_key_is_named_with_file_line_and_the_key_that_was_meant() {
    assert_eq!(
        fault("[sip]\nudp = [\"0.0.0.0:5060\"]\ntpc = []\n"),
        "strowger.toml:3: sip.tpc: unknown key `tpc`; did you mean `tcp`?"
    );
}

#[test]
fn an_address_without_a_port_is_refused_with_its_line_and_an_example() {
    let fault = fault("data_dir = \"x\"\n[http]\nlisten = \"localhost\"\n");
    assert!(fault.starts_with("strowger.toml:3: http.listen: "), "{fault}");
    assert!(fault.contains("127.0.0.1:5060"), "{fault}");
}

#[test]
fn a_backward_port_range_is_refused_at_its_line() {
    let fault = fault("[rtp]\n# the ports\nports = \"30000-20000\"\n");
    assert!(fault.starts_with("strowger.toml:3: rtp.ports: "), "{fault}");
}

#[test]
fn a_bucket_without_credentials_is_refused_and_the_environment_can_give_them() {
    let text = "[recordings.s3]\nbucket = \"b\"\n";
    let fault = fault(text);
    assert!(fault.starts_with("strowger.toml:1: recordings.s3: "), "{fault}");
    assert!(fault.contains("STROWGER_S3_SECRET_KEY"), "{fault}");
    let mut config: Config = toml::from_str(text).unwrap();
    config.take_environment(|name| Some(format!("value of {name}")));
    let s3 = config.recordings.s3.unwrap();
    assert_eq!(s3.secret_key, "value of STROWGER_S3_SECRET_KEY");
}

#[test]
fn two_destinations_for_recordings_are_refused() {
    let text = "[recordings]\nfolder = \"a\"\n[recordings.s3]\nbucket = \"b\"\n\
                access_key = \"a\"\nsecret_key = \"b\"\n";
    assert!(fault(text).starts_with("strowger.toml:2: recordings.folder: "));
}

#[test]
fn sip_over_ipv6_needs_audio_over_ipv6_and_one_wildcard_carries_both() {
    let sip = "[sip]\nudp = [\"0.0.0.0:5060\", \"[::]:5060\"]\n";
    let told = fault(&format!("{sip}[rtp]\naddress = \"0.0.0.0\"\n"));
    assert!(told.starts_with("strowger.toml:4: rtp.address: "), "{told}");
    let both = format!("{sip}[rtp]\naddress = \"::\"\n");
    assert!(Config::parse(Path::new("x"), &both).is_ok());
}

#[test]
fn sdp_shows_what_is_written_or_else_the_address_that_the_peer_reached() {
    let shown = |text: &str| {
        let config = Config::parse(Path::new("x"), text).unwrap();
        config.rtp.shown(config.sip.advertised).map(|ip| ip.to_string())
    };
    assert_eq!(shown(""), None);
    assert_eq!(shown("[sip]\nadvertised = \"192.0.2.7\"\n").unwrap(), "192.0.2.7");
    assert_eq!(shown("[rtp]\naddress = \"192.0.2.8\"\n").unwrap(), "192.0.2.8");
    let all = "[sip]\nadvertised = \"192.0.2.7\"\n[rtp]\nadvertised = \"192.0.2.9\"\n";
    assert_eq!(shown(all).unwrap(), "192.0.2.9");
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let fault = fault("[sip\nudp = 1\n");
    assert!(fault.starts_with("strowger.toml:1: "), "{fault}");
}

#[test]
fn tls_without_a_certificate_is_refused_wherever_it_is_wanted() {
    assert!(fault("[sip]\ntls = [\"0.0.0.0:5061\"]\n").starts_with("strowger.toml:2: sip.tls: "));
    let told = fault("[http]\ntls = true\n");
    assert!(told.starts_with("strowger.toml:2: http.tls: "), "{told}");
    assert!(told.contains("[[tls.certificates]]"), "{told}");
}

#[test]
fn with_a_certificate_sip_listens_on_the_port_of_tls_unless_it_is_told_otherwise() {
    let own = "[[tls.certificates]]\nchain = \"a.pem\"\nkey = \"a.key\"\n";
    let listeners = |text: &str| Config::parse(Path::new("x"), text).unwrap().sip_tls();
    assert_eq!(listeners(own), ["0.0.0.0:5061".parse().unwrap()]);
    assert!(listeners(&format!("[sip]\ntls = []\n{own}")).is_empty());
    assert!(listeners("").is_empty());
}

#[test]
fn a_host_is_no_origin() {
    let told = fault("[http]\nsip_origins = [\"crm.example\"]\n");
    assert!(told.starts_with("strowger.toml:2: http.sip_origins: "), "{told}");
}

#[test]
fn the_password_of_homer_is_shown_to_nobody() {
    let config = Config::parse(Path::new("x"), "[hep]\npassword = \"geheim\"\n").unwrap();
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn an_interface_has_an_address_ports_and_networks_of_its_own() {
    let inside = |rest: &str| {
        format!("[rtp]\ndscp = 34\n[[rtp.interfaces]]\naddress = \"10.0.0.5\"\n{rest}\n")
    };
    let good = inside("ports = \"30000-30999\"\nnetworks = [\"10.0.0.0/8\"]");
    let config = Config::parse(Path::new("x"), &good).unwrap();
    let interface = &config.rtp.interfaces[0];
    assert_eq!((config.rtp.dscp, interface.range()), (34, Some(30_000..=30_999)));
    assert!(interface.blocks()[0].contains("10.9.9.9".parse().unwrap()));
    for (rest, problem) in [
        ("ports = \"29998-30999\"\nnetworks = [\"10.0.0.0/8\"]", "ports of another address"),
        ("ports = \"30000-30999\"\nnetworks = []", "nobody is to use 10.0.0.5"),
        ("ports = \"30000-30999\"\nnetworks = [\"10.0.0.1/8\"]", "bits set behind the prefix"),
        ("ports = \"x\"\nnetworks = [\"10.0.0.0/8\"]", "not a range of ports"),
    ] {
        let told = fault(&inside(rest));
        assert!(told.contains("rtp.interfaces: ") && told.contains(problem), "{told}");
    }
    assert!(fault("[rtp]\ndscp = 64\n").contains("rtp.dscp: 64 is no class of service"));
    assert!(fault("[rtp]\ngather_us = 5001\n").contains("rtp.gather_us: 5001 is too long"));
    assert!(fault("[rtp]\nnice = -21\n").contains("rtp.nice: -21 is no nice level"));
}
