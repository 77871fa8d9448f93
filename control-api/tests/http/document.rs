//! The OpenAPI document: every route, every schema, and a page to read it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sample::ACME;
use crate::stand::Stand;

const ROUTES: [&str; 85] = [
    "delete /api/v1/calls/{id}/capture",
    "delete /api/v1/calls/{id}/participants/{leg}",
    "delete /api/v1/calls/{id}/supervise/{agent}",
    "delete /api/v1/keys/{id}",
    "delete /api/v1/provisioning/{kind}/{id}",
    "get /api/v1/agents",
    "get /api/v1/agents/{name}",
    "get /api/v1/agents/{name}/calls/{id}",
    "get /api/v1/agents/{name}/forward",
    "get /api/v1/calls",
    "get /api/v1/calls/export",
    "get /api/v1/calls/search",
    "get /api/v1/calls/{id}",
    "get /api/v1/calls/{id}/capture",
    "get /api/v1/calls/{id}/digits",
    "get /api/v1/calls/{id}/events",
    "get /api/v1/calls/{id}/export",
    "get /api/v1/calls/{id}/history",
    "get /api/v1/calls/{id}/ladder",
    "get /api/v1/calls/{id}/notes",
    "get /api/v1/calls/{id}/participants",
    "get /api/v1/calls/{id}/quality",
    "get /api/v1/calls/{id}/why",
    "get /api/v1/calls/{id}/wrap-up",
    "get /api/v1/events",
    "get /api/v1/events/ws",
    "get /api/v1/keys",
    "get /api/v1/prompts/{id}/audio",
    "get /api/v1/provisioning",
    "get /api/v1/provisioning/explain",
    "get /api/v1/queues",
    "get /api/v1/queues/statistics",
    "get /api/v1/recordings",
    "get /api/v1/recordings/{id}",
    "get /api/v1/recordings/{id}/audio",
    "get /api/v1/refused-calls",
    "get /api/v1/tenants",
    "get /api/v1/trunks",
    "get /api/v1/trunks/history",
    "get /api/v1/welcome",
    "get /api/v1/whoami",
    "get /docs",
    "get /healthz",
    "get /metrics",
    "get /openapi.json",
    "get /readyz",
    "patch /api/v1/calls/{id}",
    "patch /api/v1/calls/{id}/supervise/{agent}",
    "post /api/v1/agents/{name}/sip-token",
    "post /api/v1/agents/{name}/wrap-up/extend",
    "post /api/v1/agents/{name}/wrap-up/finish",
    "post /api/v1/calls",
    "post /api/v1/calls/{id}/capture",
    "post /api/v1/calls/{id}/capture/stop",
    "post /api/v1/calls/{id}/digits",
    "post /api/v1/calls/{id}/end",
    "post /api/v1/calls/{id}/hold",
    "post /api/v1/calls/{id}/notes",
    "post /api/v1/calls/{id}/participants",
    "post /api/v1/calls/{id}/participants/{leg}/hold",
    "post /api/v1/calls/{id}/participants/{leg}/mute",
    "post /api/v1/calls/{id}/participants/{leg}/resume",
    "post /api/v1/calls/{id}/participants/{leg}/unmute",
    "post /api/v1/calls/{id}/pickup",
    "post /api/v1/calls/{id}/recording/pause",
    "post /api/v1/calls/{id}/recording/resume",
    "post /api/v1/calls/{id}/resume",
    "post /api/v1/calls/{id}/secure",
    "post /api/v1/calls/{id}/supervise",
    "post /api/v1/calls/{id}/transfer",
    "post /api/v1/events/ticket",
    "post /api/v1/keys",
    "post /api/v1/provisioning",
    "post /api/v1/welcome/scenes",
    "post /api/v1/welcome/sign-in",
    "put /api/v1/agents/{name}/do-not-disturb",
    "put /api/v1/agents/{name}/forward",
    "put /api/v1/agents/{name}/messages-waiting",
    "put /api/v1/agents/{name}/state",
    "put /api/v1/calls/{id}/known",
    "put /api/v1/calls/{id}/wrap-up",
    "put /api/v1/prompts/{id}/audio",
    "put /api/v1/provisioning/{kind}/{id}",
    "put /api/v1/queues/{queue}/alarms",
    "put /api/v1/tenants/{id}/suspension",
];

fn documented(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| {
        let path = path.clone();
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(move |(method, _)| format!("{method} {path}"))
    };
    paths.iter().flat_map(methods).collect()
}

#[tokio::test]
async fn the_document_has_every_route_and_every_route_is_there() {
    let stand = Stand::new().await;
    let document = stand.ask("GET", "/openapi.json").answer().await.json();
    let expected = ROUTES.iter().map(ToString::to_string);
    assert_eq!(documented(&document), expected.collect());
    for route in documented(&document) {
        let (method, path) = route.split_once(' ').unwrap();
        let answer = stand.ask(&method.to_uppercase(), path).answer().await;
        let code = answer.status;
        assert!(code != 405 && code != 404, "{route} is documented and answers {code}");
    }
    // No route is put in beside the documented ones: `.route(` stands once, for paths of nobody.
    let source = include_str!("../../src/routes/mod.rs");
    assert_eq!(source.matches(".route(").count(), 1);
    assert!(source.contains(".route(\"/api/{*rest}\", any(no_such_path))"));
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = control_api::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let named: BTreeSet<_> = text
        .split("#/components/schemas/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(named.len() >= 15, "{named:?}");
    for name in named {
        assert!(schemas.contains_key(name), "{name} is named and not there");
    }
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn every_operation_has_a_summary_a_security_and_the_error_form() {
    let paths = control_api::document()["paths"].as_object().unwrap();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            if path.starts_with("/api/") {
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
                assert!(operation["security"].is_array(), "{method} {path}");
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<_> = parameters.map(|one| one["name"].as_str().unwrap()).collect();
            let idempotent = names.contains(&"Idempotency-Key");
            assert_eq!(idempotent, method == "post", "{method} {path}: {names:?}");
            let unique: BTreeSet<_> = names.iter().collect();
            assert_eq!(unique.len(), names.len(), "{method} {path}: {names:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_has_the_fields_its_schema_says() {
    let stand = Stand::new().await;
    let batch = crate::sample::conversation("acme", 1, crate::sample::call(1));
    stand.append(&batch).await;
    let schemas = &control_api::document()["components"]["schemas"];
    for (path, schema) in [
        ("/api/v1/calls", "CallView"),
        ("/api/v1/agents", "AgentView"),
        ("/api/v1/queues", "QueueView"),
        ("/api/v1/tenants", "TenantView"),
    ] {
        let row = stand.get(path, ACME).await.data()[0].take();
        let fields: BTreeSet<_> = row.as_object().unwrap().keys().cloned().collect();
        let said = schemas[schema]["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, said, "{path}");
    }
}

#[tokio::test]
async fn the_page_names_every_path_and_loads_nothing_from_anywhere() {
    let stand = Stand::new().await;
    let answer = stand.ask("GET", "/docs").answer().await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let html = answer.text();
    for route in ROUTES.iter().filter_map(|route| route.split_once(' ')) {
        assert!(html.contains(route.1), "{} is not on the page", route.1);
    }
    for foreign in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "the page has {foreign}");
    }
}
