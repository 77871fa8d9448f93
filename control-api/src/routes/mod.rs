//! Every route. A file each for what the paths are about; all of them stand in the document.

mod agents;
mod answering_machine;
mod audio;
mod call_control;
mod call_csv;
mod call_list;
mod call_notes;
mod call_quality;
mod call_views;
mod calling;
mod calls;
mod captures;
mod desk;
mod digits;
mod events;
mod explain;
mod keys;
mod leg_views;
mod own;
mod pages;
mod participants;
mod prompts;
mod provisioning;
mod queue_alarms;
mod queues;
mod recording_pause;
mod recordings;
mod refused;
mod sip_token;
mod statistics;
mod supervision;
mod tenants;
mod things;
mod trunks;
mod welcome;
mod whereabouts;
mod whoami;
mod wrap_up;

pub(crate) use leg_views::Discretion;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fault::Fault;
use crate::state::{Api, ApiState, Shared};
use crate::{idempotency, openapi, watch};

/// Requests are small; a provisioning brings its prompts' audio along.
const SMALL_BODY: usize = 64 << 10;
const PROVISIONING_BODY: usize = 64 << 20;

/// All of the API. Whoever serves it answers with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or no key for loopback only opens, and
/// may put pages of its own behind it with [`Router::fallback`].
pub fn router(state: ApiState) -> Router {
    let api = Shared::new(state);
    let (routes, _) = all().split_for_parts();
    routes
        .route("/api/{*rest}", any(no_such_path))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(api.clone(), idempotency::replay))
        .layer(from_fn_with_state(api.clone(), watch::watch))
        .with_state(api)
}

/// The paths with their document.
pub(crate) fn documented() -> OpenApi {
    all().split_for_parts().1
}

fn all() -> OpenApiRouter<Api> {
    let provisioning = OpenApiRouter::new()
        .routes(routes!(provisioning::apply, things::read))
        .routes(routes!(prompts::hear, prompts::replace))
        .layer(DefaultBodyLimit::max(PROVISIONING_BODY));
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(whoami::whoami))
        .routes(routes!(agents::list))
        .routes(routes!(agents::one))
        .routes(routes!(agents::set_state))
        .routes(routes!(calling::set_do_not_disturb))
        .routes(routes!(calling::forward, calling::set_forward))
        .routes(routes!(calling::set_messages_waiting))
        .routes(routes!(sip_token::issue))
        .routes(routes!(whereabouts::whereabouts))
        .routes(routes!(queues::list))
        .routes(routes!(queue_alarms::set))
        .routes(routes!(statistics::queues))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::one))
        .routes(routes!(audio::audio))
        .routes(routes!(events::stream))
        .routes(routes!(events::socket))
        .routes(routes!(events::ticket))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::suspend))
        .routes(routes!(trunks::list))
        .routes(routes!(trunks::history))
        .routes(routes!(refused::list))
        .routes(routes!(things::put, things::delete))
        .routes(routes!(explain::explain))
        .routes(routes!(keys::list, keys::make))
        .routes(routes!(keys::revoke))
        .routes(routes!(welcome::show))
        .routes(routes!(welcome::sign_in))
        .routes(routes!(welcome::play))
        .routes(routes!(pages::alive))
        .routes(routes!(pages::ready))
        .routes(routes!(pages::metrics))
        .routes(routes!(pages::openapi))
        .routes(routes!(pages::docs))
        .merge(of_calls())
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .merge(provisioning)
}

/// What calls are asked, and asked about.
fn of_calls() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(call_list::list))
        .routes(routes!(call_list::search))
        .routes(routes!(call_list::export))
        .routes(routes!(calls::one, call_control::set_priority))
        .routes(routes!(calls::events))
        .routes(routes!(calls::ladder))
        .routes(routes!(calls::why))
        .routes(routes!(calls::end))
        .routes(routes!(call_quality::quality))
        .routes(routes!(call_quality::export))
        .routes(routes!(call_notes::list, call_notes::add))
        .routes(routes!(call_control::make))
        .routes(routes!(call_control::transfer))
        .routes(routes!(call_control::hold))
        .routes(routes!(call_control::resume))
        .routes(routes!(supervision::supervise))
        .routes(routes!(supervision::change, supervision::end))
        .routes(routes!(participants::list, participants::add))
        .routes(routes!(participants::remove))
        .routes(routes!(participants::mute))
        .routes(routes!(participants::unmute))
        .routes(routes!(participants::hold))
        .routes(routes!(participants::resume))
        .routes(routes!(digits::press, digits::read))
        .routes(routes!(digits::secure))
        .routes(routes!(desk::history))
        .routes(routes!(desk::tell))
        .routes(routes!(recording_pause::pause))
        .routes(routes!(recording_pause::resume))
        .routes(routes!(wrap_up::form, wrap_up::say))
        .routes(routes!(wrap_up::finish))
        .routes(routes!(wrap_up::extend))
        .routes(routes!(captures::start, captures::fetch, captures::forget))
        .routes(routes!(captures::stop))
        .routes(routes!(call_control::pickup))
}

/// The most bytes that a body of this path may have.
pub(crate) fn body_limit(path: &str) -> usize {
    let is_prompt = path.starts_with("/api/v1/prompts/");
    let is_large = path == "/api/v1/provisioning" || is_prompt;
    if is_large { PROVISIONING_BODY } else { SMALL_BODY }
}

async fn no_such_path() -> Fault {
    Fault::not_found("path")
}

async fn no_such_method() -> Fault {
    let error = "the path does not have this method";
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", error)
}
