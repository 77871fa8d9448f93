//! `POST /api/v1/provisioning`: takes a whole provisioning live, with the audio of its prompts.

use axum::extract::State;
use base::{PromptId, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use routing::Provisioning;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::PromptRow;
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::fault::Fault;
use crate::params::Body;
use crate::provisioned::problems;
use crate::state::Api;

/// All that is provisioned from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parcel {
    /// What a provisioning file says, as JSON.
    #[schema(value_type = Object)]
    provisioning: Provisioning,
    /// The audio of prompts; those without keep what they had.
    #[serde(default)]
    prompts: Vec<PromptParcel>,
}

/// The audio of one prompt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptParcel {
    /// Whose.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// Which.
    #[schema(value_type = String)]
    id: PromptId,
    /// The WAV file in base64.
    wav_base64: String,
}

/// How much is live now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provisioned {
    tenants: usize,
    trunks: usize,
    numbers: usize,
    agents: usize,
    queues: usize,
    prompts: usize,
}

/// Applies a provisioning.
///
/// It is the whole truth: what it does not name is gone (the history of a tenant stays). Applying
/// the same again changes nothing. Calls that are up go on. For platform keys.
#[utoipa::path(post, path = "/api/v1/provisioning", tag = "platform", request_body = Parcel,
    responses((status = 200, description = "It is live", body = Answer<Provisioned>),
        (status = 422, description = "It is wrong; details.problems says where, each with a cure",
            body = crate::fault::ErrorBody)))]
pub(crate) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    Body(parcel): Body<Parcel>,
) -> Result<Answer<Provisioned>, Fault> {
    caller.platform()?;
    let Parcel { provisioning, prompts } = parcel;
    let prompts = prompts.into_iter().map(PromptParcel::open).collect::<Result<Vec<_>, _>>()?;
    check(&provisioning, &prompts)?;
    let counted = count(&provisioning);
    api.replace(provisioning, prompts).await?;
    Ok(Answer::new(counted, "the provisioning is live"))
}

impl PromptParcel {
    fn open(self) -> Result<PromptRow, Fault> {
        let name = format!("prompts: {}/{}", self.tenant, self.id);
        let wav = STANDARD
            .decode(self.wav_base64.as_bytes())
            .map_err(|_| Fault::invalid(&name, "wav_base64 is not base64"))?;
        Ok(PromptRow { tenant: self.tenant, id: self.id, wav })
    }
}

fn check(provisioning: &Provisioning, prompts: &[PromptRow]) -> Result<(), Fault> {
    let directory = crate::provisioned::check(provisioning)?;
    let named = |row: &&PromptRow| {
        let tenant = directory.tenant(&row.tenant);
        tenant.is_none_or(|tenant| tenant.prompts.iter().all(|prompt| prompt.id != row.id))
    };
    match prompts.iter().find(named) {
        None => Ok(()),
        Some(row) => Err(problems(vec![json!({
            "path": format!("prompts: {}/{}", row.tenant, row.id),
            "problem": "the provisioning names no such prompt",
            "cure": "name it under the tenant's prompts, or leave its audio out",
        })])),
    }
}

fn count(provisioning: &Provisioning) -> Provisioned {
    let tenants = &provisioning.tenants;
    Provisioned {
        tenants: tenants.len(),
        trunks: provisioning.trunks.len(),
        numbers: tenants.iter().map(|tenant| tenant.numbers.len()).sum(),
        agents: tenants.iter().map(|tenant| tenant.agents.len()).sum(),
        queues: tenants.iter().map(|tenant| tenant.queues.len()).sum(),
        prompts: tenants.iter().map(|tenant| tenant.prompts.len()).sum(),
    }
}
