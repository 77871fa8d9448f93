//! The keyring file: who can unwrap what.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::stage::{folder, tenant};
use base::RecordingId;
use recorder::{KeyError, KeyProvider, Keyring};

#[test]
fn a_wrapped_key_opens_for_its_own_tenant_and_recording_alone() {
    let keys = crate::stage::Stage::keys(&folder("keyring-own"));
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    let (one, two) = (RecordingId::from_u128(1), RecordingId::from_u128(2));
    let (key, wrapped) = keys.generate(&acme, one).unwrap();
    keys.generate(&globex, one).unwrap();
    assert_eq!(keys.unwrap(&acme, one, &wrapped).unwrap().as_bytes(), key.as_bytes());
    assert!(matches!(keys.unwrap(&globex, one, &wrapped), Err(KeyError::Unknown { .. })));
    assert!(matches!(keys.unwrap(&acme, two, &wrapped), Err(KeyError::Wrong)));
    let mut renamed = wrapped.clone();
    renamed.key_id = keys.generate(&globex, two).unwrap().1.key_id;
    assert!(matches!(keys.unwrap(&globex, one, &renamed), Err(KeyError::Wrong)));
    let mut flipped = wrapped.clone();
    flipped.wrapped.replace_range(40..41, if &wrapped.wrapped[40..41] == "0" { "1" } else { "0" });
    assert!(matches!(keys.unwrap(&acme, one, &flipped), Err(KeyError::Wrong)));
}

#[test]
fn after_a_rotation_new_keys_are_wrapped_anew_and_old_ones_still_open_after_a_restart() {
    let root = folder("keyring-rotation");
    let path = root.join("keyring.json");
    let ring = Keyring::open(&path).unwrap();
    let keys = KeyProvider::Local(ring.clone());
    let (acme, one) = (tenant("acme"), RecordingId::from_u128(1));
    let (old, old_wrapped) = keys.generate(&acme, one).unwrap();
    let id = ring.rotate(&acme).unwrap();
    let (_, new_wrapped) = keys.generate(&acme, one).unwrap();
    assert_eq!(new_wrapped.key_id, id);
    assert_ne!(old_wrapped.key_id, id);
    let again = KeyProvider::Local(Keyring::open(&path).unwrap());
    assert_eq!(again.unwrap(&acme, one, &old_wrapped).unwrap().as_bytes(), old.as_bytes());
}

#[test]
fn the_file_is_its_owners_alone_and_one_that_others_may_read_is_refused_with_the_cure() {
    let root = folder("keyring-mode");
    let path = root.join("keyring.json");
    drop(Keyring::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refusal = Keyring::open(&path).unwrap_err().to_string();
    assert!(refusal.contains("640") && refusal.contains("chmod 600"), "{refusal}");
}

#[test]
fn what_tokens_are_made_with_is_the_same_after_a_restart_and_each_keyrings_own() {
    let root = folder("keyring-tokens");
    let open = |name: &str| Keyring::open(&root.join(name)).unwrap();
    let ring = open("one.json");
    let secret = ring.token_secret().unwrap();
    ring.rotate(&tenant("acme")).unwrap();
    assert_eq!(ring.token_secret().unwrap(), secret);
    assert_eq!(open("one.json").token_secret().unwrap(), secret);
    assert_ne!(open("two.json").token_secret().unwrap(), secret);
}
