//! Keys and roles.

use crate::sample::{ACME, ALICE, GLOBEX, PLATFORM, SUPERVISOR, call, conversation, event};
use crate::stand::Stand;

#[tokio::test]
async fn without_a_key_that_is_ours_nothing_opens() {
    let stand = Stand::new().await;
    let ask = || stand.ask("GET", "/api/v1/calls");
    let asks = [
        ask(),
        ask().key("demo-acme-admi"),
        ask().key(""),
        ask().with("Authorization", "Basic ZGVtbzpkZW1v"),
        ask().with("Authorization", &format!("Bearer{ACME}")),
        ask().key(&"x".repeat(10_000)),
    ];
    for ask in asks {
        let answer = ask.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(ask().with("Authorization", &format!("bearer {ACME}")).answer().await.status, 200);
}

#[tokio::test]
async fn a_key_for_loopback_opens_nothing_through_a_proxy() {
    let stand = Stand::new().await;
    for header in ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"] {
        let ask = stand.ask("GET", "/api/v1/calls").key(ACME).with(header, "203.0.113.9");
        assert_eq!(ask.answer().await.status, 401, "{header}");
    }
}

#[tokio::test]
async fn guessing_keys_is_slowed_down_while_right_ones_go_on() {
    let stand = Stand::new().await;
    let mut statuses = Vec::new();
    for n in 0..40 {
        statuses.push(stand.get("/api/v1/calls", &format!("guess-{n}")).await.status);
    }
    assert_eq!((statuses[0], statuses[39]), (401, 429));
    assert_eq!(stand.get("/api/v1/calls", ACME).await.status, 200);
}

#[tokio::test]
async fn the_platform_names_the_tenant_and_a_tenant_only_itself() {
    let stand = Stand::new().await;
    stand.append(&conversation("globex", 1, call(1))).await;
    let answer = stand.get("/api/v1/calls", PLATFORM).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_PARAMETER"));
    let total = |answer: crate::client::Answer| answer.json()["total"].as_u64();
    assert_eq!(total(stand.get("/api/v1/calls?tenant=globex", PLATFORM).await), Some(1));
    assert_eq!(total(stand.get("/api/v1/calls?tenant=acme", PLATFORM).await), Some(0));
    let header = stand.ask("GET", "/api/v1/calls").key(PLATFORM).with("X-Tenant", "globex");
    assert_eq!(total(header.answer().await), Some(1));
    for nobody in ["initech", "ACME", "*", "a%20b"] {
        let answer = stand.get(&format!("/api/v1/calls?tenant={nobody}"), PLATFORM).await;
        assert_eq!(answer.code(), "TENANT_NOT_FOUND", "{nobody}");
    }
    assert_eq!(stand.get("/api/v1/calls?tenant=globex", ACME).await.code(), "TENANT_NOT_FOUND");
    assert_eq!(total(stand.get("/api/v1/calls?tenant=acme", ACME).await), Some(0));
    let header = stand.ask("GET", "/api/v1/calls").key(ACME).with("X-Tenant", "globex");
    assert_eq!(header.answer().await.code(), "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn each_role_may_do_its_own() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let started = serde_json::json!({"from": "a", "to": "b"});
    stand.append(&[event("acme", 6, call(2), "call.started", started)]).await;
    let own = format!("/api/v1/calls/{}", call(1));
    let others = format!("/api/v1/calls/{}", call(2));
    let end = format!("{own}/end");
    for (method, path, admin, supervisor, agent) in [
        ("GET", "/api/v1/calls", 200, 200, 200),
        ("GET", own.as_str(), 200, 200, 200),
        ("GET", others.as_str(), 200, 200, 404),
        ("GET", "/api/v1/calls?agent=zoe", 200, 200, 403),
        ("POST", end.as_str(), 202, 202, 403),
        ("GET", "/api/v1/agents", 200, 200, 200),
        ("GET", "/api/v1/queues", 200, 200, 403),
        ("GET", "/api/v1/recordings", 200, 200, 403),
        ("POST", "/api/v1/events/ticket", 201, 201, 201),
        ("GET", "/api/v1/events", 0, 0, 0),
        ("GET", "/api/v1/trunks", 200, 200, 403),
        ("GET", "/api/v1/provisioning", 200, 403, 403),
        ("GET", "/api/v1/keys", 200, 403, 403),
        ("POST", "/api/v1/provisioning", 403, 403, 403),
    ] {
        for (key, expected) in [(ACME, admin), (SUPERVISOR, supervisor), (ALICE, agent)] {
            if expected == 0 {
                continue; // A stream without an end.
            }
            let mut ask = stand.ask(method, path).key(key);
            if method == "POST" && path.ends_with("provisioning") {
                ask = ask.json(&serde_json::json!({"provisioning": {}}));
            }
            let answer = ask.answer().await;
            assert_eq!(answer.status, expected, "{key} {method} {path}: {}", answer.text());
        }
    }
    for path in ["/api/v1/agents", "/api/v1/calls"] {
        let (all, own) = (stand.get(path, ACME).await, stand.get(path, ALICE).await);
        assert_eq!((&all.json()["total"], &own.json()["total"]), (&2.into(), &1.into()), "{path}");
    }
}

#[tokio::test]
async fn trunks_are_listed_to_the_platform_with_targets_and_registration() {
    let stand = Stand::new().await;
    let rows = stand.get("/api/v1/trunks", PLATFORM).await.data();
    let row = &rows[0];
    assert_eq!((&row["id"], &row["state"]), (&"carrier-a".into(), &"up".into()));
    assert_eq!(row["targets"][0]["uri"], "sip:carrier.example");
    assert_eq!(row["registration"]["state"], "registered");
    let schemas = &control_api::document()["components"]["schemas"];
    for (row, schema) in [
        (row, "TrunkView"),
        (&row["targets"][0], "TargetView"),
        (&row["registration"], "RegistrationView"),
    ] {
        let fields: Vec<_> = row.as_object().unwrap().keys().collect();
        let said: Vec<_> = schemas[schema]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields, said, "{schema}");
    }
}

#[tokio::test]
async fn tenants_are_listed_to_the_platform_and_to_each_its_own() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let names = async |key: &str| -> Vec<String> {
        let rows = stand.get("/api/v1/tenants", key).await.data();
        let name = |row: &serde_json::Value| format!("{} {}", row["id"], row["last_sequence"]);
        rows.as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(names(PLATFORM).await, ["\"acme\" 5", "\"globex\" 0"]);
    assert_eq!(names(GLOBEX).await, ["\"globex\" 0"]);
}

#[tokio::test]
async fn a_page_learns_whose_key_it_has_and_what_that_opens() {
    let stand = Stand::new().await;
    let who = async |key: &str| stand.get("/api/v1/whoami", key).await.data();
    let agent = who(ALICE).await;
    assert_eq!((&agent["role"], &agent["tenant"]), (&"agent".into(), &"acme".into()));
    let alice = serde_json::json!({"id": "alice", "name": "The Agent", "supervises": false});
    assert_eq!(agent["agent"], alice);
    assert_eq!(agent["scopes"], serde_json::json!(["own_calls", "own_agent"]));
    let own = serde_json::json!([{"id": "acme", "name": "ACME"}]);
    assert_eq!(agent["tenants"], own);
    let supervisor = who(SUPERVISOR).await;
    assert_eq!((&supervisor["role"], &supervisor["agent"]), (&"supervisor".into(), &().into()));
    let opens = |who: &serde_json::Value, what: &str| {
        who["scopes"].as_array().unwrap().iter().any(|scope| scope == what)
    };
    assert!(opens(&supervisor, "supervision") && !opens(&supervisor, "captures"));
    let admin = who(ACME).await;
    assert!(opens(&admin, "captures") && !opens(&admin, "provisioning"));
    assert!(stand.get("/api/v1/whoami", "nobody's").await.status == 401);
}

#[tokio::test]
async fn a_platform_key_learns_which_tenants_it_may_name_and_names_one() {
    let stand = Stand::new().await;
    let path = "/api/v1/whoami";
    let who = stand.get(path, PLATFORM).await.data();
    assert_eq!((&who["role"], &who["tenant"]), (&"platform".into(), &().into()));
    let names: Vec<_> =
        who["tenants"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(names, ["acme", "globex"]);
    let named = stand.ask("GET", path).key(PLATFORM).with("X-Tenant", "globex").answer().await;
    assert_eq!(named.data()["tenant"], "globex");
    for (key, tenant) in [(PLATFORM, "initech"), (ACME, "globex")] {
        let answer = stand.ask("GET", path).key(key).with("X-Tenant", tenant).answer().await;
        assert_eq!(answer.code(), "TENANT_NOT_FOUND", "{tenant}");
    }
}
