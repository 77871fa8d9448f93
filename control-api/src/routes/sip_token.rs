//! `POST /api/v1/agents/{name}/sip-token`: what a page registers its agent's phone with, so that no
//! page ever holds a password.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use base::Duration;
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest};
use utoipa::ToSchema;

use super::agents::strange;
use super::calling::own;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::Body;
use crate::state::{Api, Shared};

/// How long a token is good: at least, unless told, and at most.
const SHORTEST_S: u32 = 60;
const USUAL_S: u32 = 3600;
const LONGEST_S: u32 = 12 * 3600;

/// For how long it is to be good.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lifetime {
    /// Seconds, 60 to 43200.
    #[serde(default = "usual")]
    lifetime_s: u32,
}

fn usual() -> u32 {
    USUAL_S
}

/// All that JsSIP or SIP.js needs for an agent's phone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Where SIP over WebSocket is.
    #[schema(example = "wss://pbx.example.com/sip")]
    ws_url: String,
    /// The agent's address.
    #[schema(example = "sip:alice@acme.example")]
    uri: String,
    /// The digest realm, and the domain of all addresses.
    realm: String,
    /// What people call the agent.
    display_name: String,
    /// The user of the digest, in place of the agent's name.
    #[schema(example = "1795226400:alice")]
    username: String,
    /// Its password.
    password: String,
    /// Until when a phone can register with it.
    expires_at: String,
    /// The same, in seconds from now.
    expires_in_s: u32,
}

/// Makes credentials that register an agent's phone for a time.
///
/// They are void when the agent is gone or has another password, and when the engine starts anew.
/// A key with the role `agent` gets its own agent's alone.
#[utoipa::path(post, path = "/api/v1/agents/{name}/sip-token", tag = "agents",
    request_body = Lifetime, params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "The credentials", body = Answer<Token>)))]
pub(crate) async fn issue(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(wish): Body<Lifetime>,
) -> Result<Answer<Token>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    if !(SHORTEST_S..=LONGEST_S).contains(&wish.lifetime_s) {
        let problem = format!("must be {SHORTEST_S} to {LONGEST_S}");
        return Err(Fault::invalid("lifetime_s", problem));
    }
    let lifetime = Duration::from_secs(u64::from(wish.lifetime_s));
    let asked = ApiRequest::SipToken { agent: agent.clone(), lifetime };
    let reply = api.engine.ask(&scoped.tenant, "agent", asked).await?;
    let ApiReply::SipToken(made) = reply else { return Err(strange(&reply)) };
    let token = Token {
        ws_url: ws_url(&api, &headers),
        uri: format!("sip:{agent}@{}", made.domain),
        realm: made.domain,
        display_name: made.display_name,
        username: made.token.username,
        password: made.token.password,
        expires_at: made.token.expires.to_string(),
        expires_in_s: wish.lifetime_s,
    };
    Ok(Answer::new(token, "register with it within its time"))
}

/// Where whoever asks has reached us, for SIP. It is told to nobody else, so it may be believed.
fn ws_url(api: &Shared, headers: &HeaderMap) -> String {
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let secure = api.https || told("x-forwarded-proto") == Some("https");
    let scheme = if secure { "wss" } else { "ws" };
    let host = told("x-forwarded-host").or_else(|| told("host")).unwrap_or("localhost");
    format!("{scheme}://{host}/sip")
}
