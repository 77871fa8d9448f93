//! What agents' phones are set to: the last word of each agent is there after a restart.

use store::{AgentSettingsRow, Append, Store};

use crate::on_both;
use crate::sample::tenant;

fn settings(owner: &str, agent: &str, new: u32) -> AgentSettingsRow {
    AgentSettingsRow {
        tenant: tenant(owner),
        agent: agent.parse().unwrap(),
        do_not_disturb: new % 2 == 1,
        forward: (new > 1).then(|| "{\"always\":\"102\"}".to_owned()),
        waiting_new: new,
        waiting_old: u32::MAX,
    }
}

async fn kept(store: &Store, owner: &str) -> Vec<AgentSettingsRow> {
    store.agent_settings(&tenant(owner)).await.unwrap()
}

on_both! {
    async fn the_last_settings_of_each_agent_are_kept_and_are_its_tenants_alone(backend: &Backend) {
        let store = backend.provisioned().await;
        let all = [("acme", "alice", 1), ("globex", "alice", 2), ("acme", "zoe", 0)];
        let rows = all.map(|(owner, agent, new)| Append::Settings(settings(owner, agent, new)));
        store.append(&rows).await.unwrap();
        let alice = Append::Settings(settings("acme", "alice", 4));
        store.append(&[alice.clone(), alice]).await.unwrap();
        let acme = [settings("acme", "alice", 4), settings("acme", "zoe", 0)];
        assert_eq!(kept(&store, "acme").await, acme);
        assert_eq!(kept(&store, "globex").await, [settings("globex", "alice", 2)]);
    }
}
