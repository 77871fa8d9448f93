//! `/api/v1/provisioning/explain`: what would happen if that number were called now.

use axum::extract::State;
use routing::{Trunk, route_among};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::Params;
use crate::provisioned::shown;
use crate::state::Api;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// What is dialled, as the trunk would write it.
    #[param(example = "+15550100")]
    number: String,
    /// Over which trunk it comes; whichever may call it if absent.
    trunk: Option<String>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// Where such a call goes, or why it goes nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedView {
    /// The number as it is provisioned; null if the call is refused.
    number: Option<String>,
    /// The trunk that it would come over.
    trunk: Option<String>,
    /// The flow that it takes.
    flow: Option<String>,
    /// What that flow says.
    #[schema(value_type = Option<Vec<Object>>)]
    steps: Option<Value>,
    /// How that was found, a sentence a step.
    reasons: Vec<String>,
    /// Why it goes nowhere.
    refusal: Option<String>,
}

impl ExplainedView {
    fn refused(why: String) -> Self {
        let (number, trunk, flow, steps, reasons) = (None, None, None, None, Vec::new());
        Self { number, trunk, flow, steps, reasons, refusal: Some(why) }
    }
}

/// What would happen to a call: the rules that a real one goes by, and no call. For the roles
/// `admin` and `platform`.
#[utoipa::path(get, path = "/api/v1/provisioning/explain", tag = "platform", params(ExplainQuery),
    responses((status = 200, description = "Where it goes", body = Answer<ExplainedView>)))]
pub(crate) async fn explain(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<ExplainQuery>,
) -> Result<Answer<ExplainedView>, Fault> {
    scoped.administers()?;
    let directory = api.directory();
    let is_asked = |trunk: &&Trunk| {
        query.trunk.as_deref().is_none_or(|id| trunk.id.as_str() == id)
            && directory.trunk_serves(trunk, &scoped.tenant)
    };
    let trunks: Vec<&Trunk> = directory.provisioning().trunks.iter().filter(is_asked).collect();
    let view = if directory.is_suspended(&scoped.tenant) {
        ExplainedView::refused("the tenant is suspended".to_owned())
    } else if trunks.is_empty() {
        ExplainedView::refused("no trunk brings calls to this tenant".to_owned())
    } else {
        match route_among(&directory, &trunks, query.number.trim()) {
            // Whose it is instead is nobody's business here.
            Ok((_, route)) if route.tenant != scoped.tenant => {
                ExplainedView::refused(format!("the tenant has no number {}", route.number))
            }
            Ok((trunk, route)) => ExplainedView {
                steps: directory.flow(&scoped.tenant, &route.flow).map(|flow| shown(&flow.steps)),
                number: Some(route.number.to_string()),
                trunk: Some(trunk.id.to_string()),
                flow: Some(route.flow.to_string()),
                reasons: route.reasons,
                refusal: None,
            },
            Err(refusal) => ExplainedView::refused(refusal.to_string()),
        }
    };
    Ok(Answer::new(view, "what would happen to such a call"))
}
