//! Provisioning: what was applied comes back, and keys only as their digests.

use routing::Role;
use serde_json::json;
use store::{PromptRow, key_digest};

use crate::on_both;
use crate::sample::{call, conversation, prompts, provisioning, tenant};

on_both! {
    async fn what_was_applied_comes_back_in_its_order_with_digests_for_keys(backend: &Backend) {
        let store = backend.open().await;
        assert_eq!(store.provisioning().await.unwrap(), None);
        store.apply(&provisioning(), &prompts()).await.unwrap();
        let read = store.provisioning().await.unwrap().unwrap();
        let mut expected = provisioning();
        for (tenant, was) in expected.tenants.iter_mut().zip(&read.tenants) {
            tenant.api_keys.clone_from(&was.api_keys);
        }
        expected.platform_keys.clone_from(&read.platform_keys);
        assert_eq!(read, expected);
        let all = serde_json::to_string(&read).unwrap();
        assert!(!all.contains("demo-acme-admin") && !all.contains("demo-platform"));
        // Applied again as it was read, the same keys still open the same doors.
        store.apply(&read, &[]).await.unwrap();
        assert_eq!(store.provisioning().await.unwrap().unwrap(), read);
        assert!(store.key(&key_digest("demo-acme-admin")).await.unwrap().is_some());
        assert_eq!(store.prompts().await.unwrap(), {
            let mut rows = prompts();
            rows.sort_by(|a, b| (&a.tenant, &a.id).cmp(&(&b.tenant, &b.id)));
            rows
        });
    }

    async fn a_key_is_found_by_its_digest_with_its_owner_and_role(backend: &Backend) {
        let store = backend.provisioned().await;
        let key = store.key(&key_digest("demo-acme-admin")).await.unwrap().unwrap();
        assert_eq!((key.tenant, key.role), (Some(tenant("acme")), Role::Admin));
        assert!(key.loopback_only);
        let root = store.key(&key_digest("demo-platform")).await.unwrap().unwrap();
        assert_eq!((root.tenant, root.role, root.loopback_only), (None, Role::Platform, false));
        assert_eq!(store.key(&key_digest("demo-initech-admin")).await.unwrap(), None);
    }

    async fn what_is_no_longer_named_is_gone_but_history_stays(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("globex", 1, call(1))).await.unwrap();
        let mut smaller = provisioning();
        smaller.tenants.remove(0);
        smaller.tenants[0].agents.truncate(1);
        smaller.tenants[0].prompts.truncate(1);
        store.apply(&smaller, &[]).await.unwrap();
        let read = store.provisioning().await.unwrap().unwrap();
        assert_eq!((read.tenants.len(), read.tenants[0].agents.len()), (1, 1));
        assert_eq!(store.prompts().await.unwrap().len(), 1);
        assert_eq!(store.key(&key_digest("demo-globex-admin")).await.unwrap(), None);
        assert!(store.call(&tenant("globex"), call(1)).await.unwrap().is_some());
        let tenants = store.tenants().await.unwrap();
        let shown: Vec<_> = tenants.iter().map(|row| (row.id.as_str(), row.active)).collect();
        assert_eq!(shown, [("acme", true), ("globex", false)]);
        assert_eq!(tenants[1].last_sequence, 6);
        // Back again, its log goes on where it was.
        store.apply(&provisioning(), &[]).await.unwrap();
        assert_eq!(store.last_sequence(&tenant("globex")).await.unwrap(), 6);
    }

    async fn new_audio_replaces_a_prompt_and_the_others_keep_theirs(backend: &Backend) {
        let store = backend.provisioned().await;
        let new = PromptRow { wav: b"RIFF new".to_vec(), ..prompts()[0].clone() };
        store.apply(&provisioning(), std::slice::from_ref(&new)).await.unwrap();
        let read = store.prompts().await.unwrap();
        assert_eq!(read.len(), 3);
        assert!(read.contains(&new) && read.contains(&prompts()[1]));
    }

    async fn a_provisioning_that_fails_half_way_changes_nothing(backend: &Backend) {
        let store = backend.provisioned().await;
        let mut broken = provisioning();
        broken.tenants[1].numbers[0].number = "+15550200".to_owned();
        assert!(store.apply(&broken, &[]).await.is_err());
        let read = store.provisioning().await.unwrap().unwrap();
        assert_eq!(read.tenants[1].numbers[0].number, "+15550100");
        assert_eq!(json!(store.prompts().await.unwrap().len()), json!(3));
    }
}
