//! The OpenAPI document: made from the routes themselves, with what they all share added once.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

use crate::fault::ErrorBody;
use crate::routes;

const ABOUT: &str = "Every success is `{\"data\", \"message\"}`, every list a page with `data`, \
    `current_page`, `last_page`, `per_page`, `total`, `next_page_url` and `prev_page_url`, every \
    error `{\"error\", \"code\", \"details\"}`. A POST with an `Idempotency-Key` can be repeated \
    for 24 hours: it is done once and answered the same. `X-Request-Id` comes back. What belongs \
    to another tenant is not found.";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The document the routes are added to.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Strowger")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The whole document (OpenAPI 3.1).
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        // utoipa's own types into memory: it cannot fail.
        let mut document = serde_json::to_value(routes::documented()).unwrap_or_default();
        add_components(&mut document);
        if let Some(paths) = document["paths"].as_object_mut() {
            for (path, item) in paths {
                for method in METHODS {
                    if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                        add_shared(path, method, operation);
                    }
                }
            }
        }
        document
    })
}

fn add_components(document: &mut Value) {
    let error = serde_json::to_value(<ErrorBody as utoipa::PartialSchema>::schema());
    document["components"]["schemas"]["ErrorBody"] = error.unwrap_or_default();
    document["components"]["securitySchemes"]["key"] =
        json!({"type": "http", "scheme": "bearer", "description": "An API key"});
}

/// What every operation of the API has: the key, the error form, and on POST the idempotency key.
fn add_shared(path: &str, method: &str, operation: &mut Map<String, Value>) {
    if !path.starts_with("/api/") {
        return;
    }
    operation.insert("security".to_owned(), json!([{"key": []}]));
    let error = json!({
        "description": "An error: 400, 401, 403, 404, 409, 413, 415, 422, 429, 500 or 503",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
    });
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        responses.insert("default".to_owned(), error);
    }
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else { return };
    let about_tenant = !path.ends_with("/provisioning") && !path.ends_with("/tenants");
    if about_tenant && !parameters.iter().any(|known| known["name"] == "tenant") {
        parameters.push(parameter("tenant", "query", "Whose, with a platform key."));
    }
    if about_tenant {
        parameters.push(parameter("X-Tenant", "header", "The same as `tenant`."));
    }
    if method == "post" {
        let about = "Makes it safe to repeat: 1 to 255 visible characters.";
        parameters.push(parameter("Idempotency-Key", "header", about));
    }
}

fn parameter(name: &str, place: &str, about: &str) -> Value {
    json!({
        "name": name, "in": place, "required": false, "description": about,
        "schema": {"type": "string"},
    })
}
