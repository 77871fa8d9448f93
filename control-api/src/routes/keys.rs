//! `/api/v1/keys`: a tenant's keys to the API. A key is told once, when it is made; what is kept,
//! and shown, is its name, its role, and the beginning of its hash.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::AgentId;
use routing::{ApiKey, Role, Secret};
use serde::{Deserialize, Serialize};
use store::{key_digest, provisioned_key_digest};
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::Body;
use crate::provisioned::tenant_of;
use crate::state::{Api, hex};

const LONGEST_NAME: usize = 100;
const MOST_KEYS: usize = 500;
/// Bytes of the hash that name a key.
const NAMED_BY: usize = 8;

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// What it is called by here: the beginning of its SHA-256.
    #[schema(example = "9f86d081884c7d65")]
    id: String,
    /// What it is for.
    name: String,
    /// `admin`, `supervisor` or `agent`.
    #[schema(value_type = String)]
    role: Role,
    /// The agent it speaks for, with the role `agent`.
    agent: Option<String>,
    /// Whether it opens the API only to this machine's own programs.
    loopback_only: bool,
    /// Whether it is the one that asks.
    own: bool,
}

impl KeyView {
    fn new(key: &ApiKey, asks: &[u8; 32]) -> Self {
        let digest = provisioned_key_digest(&key.key);
        Self {
            id: name_of(&digest),
            name: key.name.clone(),
            role: key.role,
            agent: key.agent.as_ref().map(ToString::to_string),
            loopback_only: key.loopback_only,
            own: digest == *asks,
        }
    }
}

fn name_of(digest: &[u8; 32]) -> String {
    hex(&digest[..NAMED_BY])
}

/// The keys of a tenant. For the roles `admin` and `platform`.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys",
    responses((status = 200, description = "The keys", body = Answer<Vec<KeyView>>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
) -> Result<Answer<Vec<KeyView>>, Fault> {
    scoped.administers()?;
    let directory = api.directory();
    let tenant = directory.tenant(&scoped.tenant).ok_or_else(|| Fault::not_found("tenant"))?;
    let view = |key: &ApiKey| KeyView::new(key, &scoped.caller.digest);
    Ok(Answer::new(tenant.api_keys.iter().map(view).collect(), "the keys"))
}

/// A key that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyWish {
    /// What it is for; 1 to 100 characters.
    #[schema(example = "the wallboard on the wall")]
    name: String,
    /// `admin`, `supervisor` or `agent`.
    #[schema(value_type = String)]
    role: Role,
    /// The agent it speaks for, with the role `agent`.
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// Whether it opens the API only to this machine's own programs.
    #[serde(default)]
    loopback_only: bool,
}

/// A key that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeKey {
    /// What it is called by here.
    id: String,
    /// The key itself, told this once.
    #[schema(example = "strowger_6f1e...")]
    key: String,
}

/// Makes a key. It is told in this answer and never again. For the roles `admin` and `platform`.
///
/// A provisioning that is applied as a whole later has to name it, or it is gone.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = KeyWish,
    responses((status = 201, description = "The key", body = Answer<MadeKey>)))]
pub(crate) async fn make(
    State(api): State<Api>,
    scoped: Scoped,
    Body(wish): Body<KeyWish>,
) -> Result<(StatusCode, Answer<MadeKey>), Fault> {
    scoped.administers()?;
    let name = wish.name.trim().to_owned();
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(Fault::invalid("name", format!("must have 1 to {LONGEST_NAME} characters")));
    }
    let key = format!("strowger_{}", api.random_hex::<24>()?);
    let digest = key_digest(&key);
    let KeyWish { role, agent, loopback_only, .. } = wish;
    let kept = Secret::new(format!("sha256:{}", hex(&digest)));
    let kept = ApiKey { name, key: kept, role, agent, loopback_only };
    api.change(false, Vec::new(), |provisioning| {
        let tenant = tenant_of(provisioning, &scoped.tenant)?;
        if tenant.api_keys.len() >= MOST_KEYS {
            let error = format!("a tenant has {MOST_KEYS} keys at most");
            return Err(Fault::conflict("KEYS_FULL", error));
        }
        tenant.api_keys.push(kept);
        Ok(())
    })
    .await?;
    let made = MadeKey { id: name_of(&digest), key };
    Ok((StatusCode::CREATED, Answer::new(made, "keep it: it is not told again")))
}

/// Revokes a key, at once. For the roles `admin` and `platform`; not the one that asks.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key, as the list calls it")),
    responses((status = 200, description = "It opens nothing any more", body = Answer<KeyView>)))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<KeyView>, Fault> {
    scoped.administers()?;
    let asks = scoped.caller.digest;
    let gone = api
        .change(false, Vec::new(), |provisioning| {
            let keys = &mut tenant_of(provisioning, &scoped.tenant)?.api_keys;
            let is_it = |key: &ApiKey| name_of(&provisioned_key_digest(&key.key)) == id;
            let at = keys.iter().position(is_it).ok_or_else(|| Fault::not_found("key"))?;
            let view = KeyView::new(&keys[at], &asks);
            if view.own {
                let error = "that is the key you ask with: revoke it with another";
                return Err(Fault::conflict("OWN_KEY", error));
            }
            keys.remove(at);
            Ok(view)
        })
        .await?;
    Ok(Answer::new(gone, "it opens nothing any more"))
}
