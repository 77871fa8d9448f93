//! What was provisioned: taken apart into rows, put together again, and the keys to the API.
//!
//! A provisioning is the whole truth: what it does not name is gone, except that a tenant's
//! history stays and its row is marked inactive. Keys are kept as SHA-256 alone; in a
//! provisioning that is read back they stand as `sha256:` and 64 hexadecimal digits, which can be
//! applied again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base::{AgentId, PromptId, TenantId};
use routing::{ApiKey, Provisioning, Role, Secret, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::db::{Row, Scope, Tx, damaged, values};
use crate::rows::{KeyRow, PromptRow, TenantRow};
use crate::{Result, Store, StoreError};

/// The platform's rows: its trunks and its keys. No tenant can have that name.
const PLATFORM: &str = "*";
const DIGEST_PREFIX: &str = "sha256:";

/// The tables of things that a tenant has many of, each with the name of its second key.
const ROOMS: [(&str, &str); 5] = [
    ("numbers", "number"),
    ("agents", "agent_id"),
    ("queues", "queue_id"),
    ("flows", "flow_id"),
    ("prompts", "prompt_id"),
];

impl Store {
    /// Takes over a provisioning that `Directory::build` accepted, with the audio of its prompts,
    /// in one transaction. A prompt whose audio is not given keeps what it had. Applying the same
    /// again changes nothing.
    ///
    /// # Errors
    /// When the database fails; nothing is changed then.
    pub async fn apply(&self, provisioning: &Provisioning, prompts: &[PromptRow]) -> Result<()> {
        let mut tx = self.db.write(Scope::Engine).await?;
        let kept = kept_audio(&mut tx).await?;
        clear(&mut tx).await?;
        for (position, tenant) in (0_u64..).zip(&provisioning.tenants) {
            put_tenant(&mut tx, position, tenant).await?;
        }
        for (position, trunk) in (0_u64..).zip(&provisioning.trunks) {
            let sql = "INSERT INTO trunks (tenant_id, trunk_id, position, document) \
                       VALUES ($1, $2, $3, $4)";
            let row = values![PLATFORM, trunk.id.as_str(), position, json(trunk)?];
            tx.run(sql, &row).await?;
        }
        put_keys(&mut tx, PLATFORM, &provisioning.platform_keys).await?;
        // What was given last wins over what was there.
        let given = prompts.iter().map(|row| ((row.tenant.clone(), row.id.to_string()), &row.wav));
        for ((tenant, prompt), wav) in kept.iter().map(|(key, wav)| (key.clone(), wav)).chain(given)
        {
            let sql = "UPDATE prompts SET wav = $3 WHERE tenant_id = $1 AND prompt_id = $2";
            tx.run(sql, &values![&tenant, &prompt, wav.as_slice()]).await?;
        }
        tx.commit().await
    }

    /// What was applied last, with digests for keys; `None` on a new database.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn provisioning(&self) -> Result<Option<Provisioning>> {
        let mut tx = self.db.read(Scope::Engine).await?;
        let sql = "SELECT document FROM tenants WHERE active ORDER BY position";
        let mut tenants: Vec<Tenant> = documents(&tx.rows(sql, &[]).await?)?;
        let sql = "SELECT document FROM trunks ORDER BY position";
        let trunks = documents(&tx.rows(sql, &[]).await?)?;
        for tenant in &mut tenants {
            fill_tenant(&mut tx, tenant).await?;
        }
        let platform_keys = take_keys(&mut tx, PLATFORM).await?;
        if tenants.is_empty() && platform_keys.is_empty() {
            return Ok(None);
        }
        Ok(Some(Provisioning { trunks, platform_keys, tenants }))
    }

    /// The audio of every prompt of every tenant, as far as it was given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prompts(&self) -> Result<Vec<PromptRow>> {
        let sql = "SELECT tenant_id, prompt_id, wav FROM prompts WHERE wav IS NOT NULL \
                   ORDER BY tenant_id, prompt_id";
        let mut tx = self.db.read(Scope::Engine).await?;
        let prompt = |row: &Row| {
            Ok(PromptRow {
                tenant: row.id("tenant_id")?,
                id: row.id("prompt_id")?,
                wav: row.get("wav")?,
            })
        };
        tx.rows(sql, &[]).await?.iter().map(prompt).collect()
    }

    /// The audio of one prompt of the tenant's own, if it was given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prompt(&self, tenant: &TenantId, prompt: &PromptId) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT wav FROM prompts WHERE tenant_id = $1 AND prompt_id = $2";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let row = tx.row(sql, &values![tenant, prompt.as_str()]).await?;
        Ok(row.map(|row| row.get::<Option<Vec<u8>>>("wav")).transpose()?.flatten())
    }

    /// Every tenant that was ever provisioned, by identifier.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenants(&self) -> Result<Vec<TenantRow>> {
        let sql = "SELECT t.tenant_id, name, domain, parent_id, active, last_sequence \
                   FROM tenants t JOIN sequences s ON s.tenant_id = t.tenant_id \
                   ORDER BY t.tenant_id";
        let mut tx = self.db.read(Scope::Engine).await?;
        let tenant = |row: &Row| {
            Ok(TenantRow {
                id: row.id("tenant_id")?,
                name: row.get("name")?,
                domain: row.get("domain")?,
                parent: row.optional_id("parent_id")?,
                active: row.get("active")?,
                last_sequence: row.count("last_sequence")?,
            })
        };
        tx.rows(sql, &[]).await?.iter().map(tenant).collect()
    }

    /// The key with this SHA-256, if one was provisioned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, digest: &[u8; 32]) -> Result<Option<KeyRow>> {
        let sql = "SELECT tenant_id, digest, name, role, agent_id, loopback_only FROM api_keys \
                   WHERE digest = $1";
        let mut tx = self.db.read(Scope::Engine).await?;
        tx.row(sql, &values![digest.as_slice()]).await?.as_ref().map(key_row).transpose()
    }
}

/// SHA-256 of a key as it is presented.
#[must_use]
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// SHA-256 of a key as it is provisioned: of the key, or the one that stands for it as `sha256:...`.
#[must_use]
pub fn provisioned_key_digest(key: &Secret) -> [u8; 32] {
    key.strip_prefix(DIGEST_PREFIX).and_then(from_hex).unwrap_or_else(|| key_digest(key))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn to_hex(digest: &[u8]) -> String {
    digest.iter().fold(String::from(DIGEST_PREFIX), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

type Audio = BTreeMap<(TenantId, String), Vec<u8>>;

async fn kept_audio(tx: &mut Tx) -> Result<Audio> {
    let sql = "SELECT tenant_id, prompt_id, wav FROM prompts WHERE wav IS NOT NULL";
    let audio = |row: &Row| Ok(((row.id("tenant_id")?, row.get("prompt_id")?), row.get("wav")?));
    tx.rows(sql, &[]).await?.iter().map(audio).collect()
}

async fn clear(tx: &mut Tx) -> Result<()> {
    for (table, _) in ROOMS {
        tx.run(format!("DELETE FROM {table}"), &[]).await?;
    }
    tx.run("DELETE FROM api_keys", &[]).await?;
    tx.run("DELETE FROM trunks", &[]).await?;
    tx.run("UPDATE tenants SET active = $1", &values![false]).await?;
    Ok(())
}

async fn put_tenant(tx: &mut Tx, position: u64, tenant: &Tenant) -> Result<()> {
    let bare = Tenant {
        agents: Vec::new(),
        prompts: Vec::new(),
        queues: Vec::new(),
        flows: Vec::new(),
        numbers: Vec::new(),
        api_keys: Vec::new(),
        ..tenant.clone()
    };
    let sql = "INSERT INTO tenants \
               (tenant_id, position, name, domain, parent_id, active, document) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) \
               ON CONFLICT (tenant_id) DO UPDATE SET position = excluded.position, \
               name = excluded.name, domain = excluded.domain, parent_id = excluded.parent_id, \
               active = excluded.active, document = excluded.document";
    let parent = tenant.parent.as_ref().map(TenantId::as_str);
    let (name, domain) = (&tenant.name, &tenant.domain);
    let row = values![&tenant.id, position, name, domain, parent, true, json(&bare)?];
    tx.run(sql, &row).await?;
    let sql = "INSERT INTO sequences (tenant_id, last_sequence) VALUES ($1, $2) \
               ON CONFLICT (tenant_id) DO NOTHING";
    tx.run(sql, &values![&tenant.id, 0_u64]).await?;

    let [numbers, agents, queues, flows, prompts] = ROOMS;
    put_each(tx, numbers, tenant, &tenant.numbers, |number| &number.number).await?;
    put_each(tx, agents, tenant, &tenant.agents, |agent| agent.id.as_str()).await?;
    put_each(tx, queues, tenant, &tenant.queues, |queue| queue.id.as_str()).await?;
    put_each(tx, flows, tenant, &tenant.flows, |flow| flow.id.as_str()).await?;
    put_each(tx, prompts, tenant, &tenant.prompts, |prompt| prompt.id.as_str()).await?;
    put_keys(tx, tenant.id.as_str(), &tenant.api_keys).await
}

async fn put_each<T: Serialize>(
    tx: &mut Tx,
    (table, key): (&'static str, &'static str),
    tenant: &Tenant,
    things: &[T],
    id: fn(&T) -> &str,
) -> Result<()> {
    for (position, thing) in (0_u64..).zip(things) {
        let sql = format!(
            "INSERT INTO {table} (tenant_id, {key}, position, document) VALUES ($1, $2, $3, $4)"
        );
        tx.run(sql, &values![&tenant.id, id(thing), position, json(thing)?]).await?;
    }
    Ok(())
}

async fn put_keys(tx: &mut Tx, owner: &str, keys: &[ApiKey]) -> Result<()> {
    for (position, key) in (0_u64..).zip(keys) {
        let sql = "INSERT INTO api_keys \
                   (tenant_id, digest, position, name, role, agent_id, loopback_only) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let digest = provisioned_key_digest(&key.key);
        let row = values![
            owner,
            digest.as_slice(),
            position,
            &key.name,
            role_word(key.role),
            key.agent.as_ref().map(AgentId::as_str),
            key.loopback_only,
        ];
        tx.run(sql, &row).await?;
    }
    Ok(())
}

async fn fill_tenant(tx: &mut Tx, tenant: &mut Tenant) -> Result<()> {
    let [numbers, agents, queues, flows, prompts] = ROOMS;
    tenant.numbers = take_each(tx, numbers.0, &tenant.id).await?;
    tenant.agents = take_each(tx, agents.0, &tenant.id).await?;
    tenant.queues = take_each(tx, queues.0, &tenant.id).await?;
    tenant.flows = take_each(tx, flows.0, &tenant.id).await?;
    tenant.prompts = take_each(tx, prompts.0, &tenant.id).await?;
    tenant.api_keys = take_keys(tx, tenant.id.as_str()).await?;
    Ok(())
}

async fn take_each<T: DeserializeOwned>(
    tx: &mut Tx,
    table: &'static str,
    tenant: &TenantId,
) -> Result<Vec<T>> {
    let sql = format!("SELECT document FROM {table} WHERE tenant_id = $1 ORDER BY position");
    documents(&tx.rows(sql, &values![tenant]).await?)
}

async fn take_keys(tx: &mut Tx, owner: &str) -> Result<Vec<ApiKey>> {
    let sql = "SELECT tenant_id, digest, name, role, agent_id, loopback_only FROM api_keys \
               WHERE tenant_id = $1 ORDER BY position";
    let keys = tx.rows(sql, &values![owner]).await?;
    keys.iter()
        .map(|row| {
            let KeyRow { name, role, agent, loopback_only, digest, .. } = key_row(row)?;
            Ok(ApiKey { name, key: Secret::new(to_hex(&digest)), role, agent, loopback_only })
        })
        .collect()
}

fn key_row(row: &Row) -> Result<KeyRow> {
    let owner: String = row.get("tenant_id")?;
    let role: String = row.get("role")?;
    let digest: Vec<u8> = row.get("digest")?;
    Ok(KeyRow {
        tenant: if owner == PLATFORM { None } else { Some(row.id("tenant_id")?) },
        name: row.get("name")?,
        role: role_of(&role).ok_or_else(|| damaged("role", &role))?,
        agent: row.optional_id("agent_id")?,
        loopback_only: row.get("loopback_only")?,
        digest: digest.try_into().map_err(|_| damaged("digest", ""))?,
    })
}

const ROLES: [Role; 4] = [Role::Platform, Role::Admin, Role::Supervisor, Role::Agent];

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Platform => "platform",
        Role::Admin => "admin",
        Role::Supervisor => "supervisor",
        Role::Agent => "agent",
    }
}

fn role_of(word: &str) -> Option<Role> {
    ROLES.into_iter().find(|role| role_word(*role) == word)
}

fn json<T: Serialize>(thing: &T) -> Result<String> {
    serde_json::to_string(thing).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The error says where, not what: a document may hold a password.
fn documents<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>> {
    let read = |row: &Row| {
        let text: String = row.get("document")?;
        serde_json::from_str(&text).map_err(|error| {
            StoreError::Damaged(format!("a document, at character {}", error.column()))
        })
    };
    rows.iter().map(read).collect()
}
