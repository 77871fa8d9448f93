//! What is provisioned, read and changed one thing at a time; keys; prompts; and a newcomer's way
//! in.

use control_api::{Scene, Stage};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::Answer;
use crate::sample::{ACME, ALICE, GLOBEX, PLATFORM, SUPERVISOR};
use crate::stand::Stand;

async fn put(stand: &Stand, key: &str, path: &str, body: Value) -> Answer {
    let path = format!("/api/v1/provisioning/{path}");
    stand.ask("PUT", &path).key(key).json(&body).answer().await
}

/// The tenant acme as it was provisioned last.
fn acme(stand: &Stand) -> Value {
    let provisioned = stand.provisioned.lock().unwrap();
    let last = &provisioned.last().expect("something was provisioned").provisioning;
    let tenant = last.tenants.iter().find(|tenant| tenant.id.as_str() == "acme").unwrap();
    serde_json::to_value(tenant).unwrap()
}

#[tokio::test]
async fn what_is_provisioned_is_read_without_its_secrets() {
    let stand = Stand::new().await;
    let own = stand.get("/api/v1/provisioning", ACME).await;
    let text = own.text();
    for secret in ["secret-of", "demo-", "password", "api_keys", "sha256"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let own = own.data();
    assert_eq!(own["tenant"]["queues"][0]["id"], "sales");
    assert_eq!((&own["trunks"], &own["whole"]), (&json!(null), &json!(false)));
    let whole = stand.get("/api/v1/provisioning?tenant=globex", PLATFORM).await.data();
    assert_eq!((&whole["tenant"]["id"], &whole["whole"]), (&json!("globex"), &json!(true)));
    assert_eq!(whole["trunks"][0]["id"], "carrier-a");
    for key in [SUPERVISOR, ALICE] {
        assert_eq!(stand.get("/api/v1/provisioning", key).await.status, 403);
    }
}

#[tokio::test]
async fn one_thing_is_changed_and_all_else_stays() {
    let stand = Stand::new().await;
    let queue = json!({"id": "sales", "needs": ["sales"], "music": "music", "wrap_up_s": 7});
    let changed = put(&stand, ACME, "queues/sales", queue).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.data()["thing"]["wrap_up_s"], 7);
    assert_eq!(acme(&stand)["queues"][0]["wrap_up_s"], 7);
    assert_eq!(acme(&stand)["agents"][0]["password"], "secret-of-the-agent");
    let made =
        put(&stand, ACME, "queues/support", json!({"id": "support", "music": "music"})).await;
    assert_eq!(made.status, 201);
    assert_eq!(stand.provisioned.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn secrets_that_are_left_out_stay_and_a_new_agent_gets_one_that_nobody_knows() {
    let stand = Stand::new().await;
    let renamed = put(&stand, ACME, "agents/zoe", json!({"id": "zoe", "name": "Zoe"})).await;
    assert_eq!(renamed.status, 200);
    assert!(!renamed.text().contains("secret"), "{}", renamed.text());
    assert_eq!(acme(&stand)["agents"][1]["password"], "secret-of-zoe");
    let made = put(&stand, ACME, "agents/max", json!({"id": "max"})).await;
    assert_eq!(made.status, 201);
    assert_eq!(acme(&stand)["agents"][2]["password"].as_str().unwrap().len(), 48);
}

#[tokio::test]
async fn a_mistake_names_its_field_and_a_cure_and_a_check_changes_nothing() {
    let stand = Stand::new().await;
    let problem = |answer: &Answer| answer.json()["details"]["problems"][0].take();
    let wrong = put(&stand, ACME, "queues/sales", json!({"id": "sales", "music": "x"})).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (422, "INVALID_PROVISIONING"));
    let said = problem(&wrong);
    assert!(said["path"].as_str().unwrap().ends_with("music"), "{said}");
    assert!(said["cure"].is_string());
    let unknown =
        put(&stand, ACME, "queues/sales", json!({"id": "sales", "music": "music", "musik": "x"}))
            .await;
    assert_eq!((unknown.status, &problem(&unknown)["path"]), (422, &json!("queues.sales.musik")));
    let other = put(&stand, ACME, "queues/sales", json!({"id": "support", "music": "music"})).await;
    assert_eq!(other.status, 422);
    let right =
        put(&stand, ACME, "queues/new?check=true", json!({"id": "new", "music": "music"})).await;
    assert_eq!((right.status, &right.data()["live"]), (200, &json!(false)));
    assert!(stand.provisioned.lock().unwrap().is_empty());
    let needed = stand.ask("DELETE", "/api/v1/provisioning/flows/main").key(ACME).answer().await;
    assert_eq!(needed.status, 422, "a number leads there");
}

#[tokio::test]
async fn what_cannot_be_read_of_a_flow_is_told_with_its_step() {
    let stand = Stand::new().await;
    let flow = json!({"id": "new", "steps": [{"do": "queue", "queue": "sales"},
        {"do": "menu", "choices": [{"digits": "1", "queue": ""}]}, {"do": "play"}]});
    let wrong = put(&stand, ACME, "flows/new", flow).await;
    assert_eq!(wrong.status, 422);
    let problems = wrong.json()["details"]["problems"].take();
    let paths = [&problems[0]["path"], &problems[1]["path"]];
    assert_eq!(paths, ["flows.new.steps[1].choices[0].queue", "flows.new.steps[2].prompt"]);
}

#[tokio::test]
async fn thresholds_of_alarms_are_set_by_supervisors_and_provisioned() {
    let stand = Stand::new().await;
    let limits = json!({"longest_wait_s": 90, "waiting": 5, "service_level_percent": 80,
        "no_agent": false});
    let set = async |key: &str, queue: &str, limits: &Value| {
        let path = format!("/api/v1/queues/{queue}/alarms");
        stand.ask("PUT", &path).key(key).json(limits).answer().await
    };
    let answer = set(SUPERVISOR, "sales", &limits).await;
    assert_eq!((answer.status, answer.data()), (200, limits.clone()));
    assert_eq!(acme(&stand)["queues"][0]["alarms"], limits);
    let mut wrong = limits.clone();
    wrong["service_level_percent"] = json!(120);
    let refused = set(ACME, "sales", &wrong).await;
    assert_eq!(refused.status, 422);
    let path = refused.json()["details"]["problems"][0]["path"].take();
    assert_eq!(path, "tenants.acme.queues.sales.alarms.service_level_percent");
    assert_eq!(set(ALICE, "sales", &limits).await.status, 403);
    assert_eq!(set(GLOBEX, "nowhere", &limits).await.status, 404);
    let rows = stand.get("/api/v1/queues", SUPERVISOR).await.data();
    assert_eq!(rows[0]["alarms"], json!([]));
    assert!(rows[0]["alarm_limits"]["longest_wait_s"].is_u64());
}

#[tokio::test]
async fn what_would_happen_to_a_call_is_told_without_one() {
    let stand = Stand::new().await;
    let ask = async |key: &str, query: &str| {
        stand.get(&format!("/api/v1/provisioning/explain?{query}"), key).await
    };
    let found = ask(ACME, "number=15550100").await.data();
    assert_eq!((&found["number"], &found["flow"]), (&json!("+15550100"), &json!("main")));
    assert!(found["steps"][0]["do"].is_string() && found["refusal"].is_null(), "{found}");
    assert!(found["reasons"].as_array().unwrap().len() >= 2);
    let nobody = ask(ACME, "number=%2B4930123456").await.data();
    assert!(nobody["refusal"].as_str().unwrap().contains("+4930123456"), "{nobody}");
    let foreign = ask(GLOBEX, "number=%2B15550100").await.data();
    assert!(foreign["flow"].is_null() && foreign["refusal"].is_string(), "{foreign}");
    assert_eq!(ask(SUPERVISOR, "number=15550100").await.status, 403);
    let history = stand.get("/api/v1/trunks/history", SUPERVISOR).await;
    assert_eq!((history.status, history.data()), (200, json!([])));
}

#[tokio::test]
async fn a_tenant_points_its_numbers_elsewhere_but_gives_itself_none() {
    let stand = Stand::new().await;
    let number = |number: &str| json!({"number": number, "flow": "main"});
    let own = put(&stand, ACME, "numbers/+15550100", number("+1 555 0100")).await;
    assert_eq!(own.status, 200);
    let new = put(&stand, ACME, "numbers/+15550199", number("+15550199")).await;
    assert_eq!(new.status, 403);
    let path = "/api/v1/provisioning/numbers/+15550100";
    assert_eq!(stand.ask("DELETE", path).key(ACME).answer().await.status, 403);
    let path = "numbers/+15550199?tenant=acme";
    assert_eq!(put(&stand, PLATFORM, path, number("+15550199")).await.status, 201);
    let trunk = json!({"id": "carrier-b", "sources": ["127.0.0.3"]});
    assert_eq!(put(&stand, ACME, "trunks/carrier-b", trunk.clone()).await.status, 403);
    assert_eq!(put(&stand, PLATFORM, "trunks/carrier-b?tenant=acme", trunk).await.status, 201);
    assert_eq!(put(&stand, SUPERVISOR, "queues/x", json!({"id": "x"})).await.status, 403);
    assert_eq!(put(&stand, ACME, "limits/x", json!({"id": "x"})).await.status, 404);
    assert_eq!(
        put(&stand, GLOBEX, "queues/sales", json!({"id": "sales", "music": "music"})).await.status,
        200
    );
    assert_eq!(acme(&stand)["queues"][0]["needs"], json!(["sales"]), "another tenant's");
}

#[tokio::test]
async fn a_key_is_told_once_kept_as_its_hash_and_revoked() {
    let stand = Stand::new().await;
    let wish = json!({"name": "the wallboard", "role": "supervisor"});
    let made = stand.ask("POST", "/api/v1/keys").key(ACME).json(&wish).answer().await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"));
    let key = made.data()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("strowger_") && key.len() == 57, "{key}");
    let kept = acme(&stand)["api_keys"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&kept["name"], &kept["role"]), (&json!("the wallboard"), &json!("supervisor")));
    assert!(kept["key"].as_str().unwrap().starts_with("sha256:"));

    let list = stand.get("/api/v1/keys", ACME).await;
    assert!(!list.text().contains("demo-"));
    let list = list.data();
    let rows = list.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let of = |role: &str| rows.iter().find(|row| row["role"] == role).unwrap();
    let id = |role: &str| of(role)["id"].as_str().unwrap().to_owned();
    assert_eq!((&of("admin")["own"], &of("agent")["own"]), (&json!(true), &json!(false)));
    let revoke = async |id: &str| {
        stand.ask("DELETE", &format!("/api/v1/keys/{id}")).key(ACME).answer().await
    };
    assert_eq!(revoke(&id("supervisor")).await.status, 200);
    assert_eq!(revoke(&id("admin")).await.code(), "OWN_KEY");
    assert_eq!(revoke("0000000000000000").await.status, 404);

    let wrong = [
        json!({"name": "", "role": "admin"}),
        json!({"name": "x", "role": "platform"}),
        json!({"name": "x", "role": "agent"}),
    ];
    for wish in wrong {
        let answer = stand.ask("POST", "/api/v1/keys").key(ACME).json(&wish).answer().await;
        assert!([400, 422].contains(&answer.status), "{wish}");
    }
    for key in [SUPERVISOR, ALICE] {
        assert_eq!(stand.get("/api/v1/keys", key).await.status, 403);
    }
}

#[tokio::test]
async fn a_prompt_is_heard_and_replaced() {
    let stand = Stand::new().await;
    let path = "/api/v1/prompts/music/audio";
    assert_eq!(stand.get(path, ACME).await.status, 404, "no audio was given");
    let send = async |key: &str, path: &str, wav: &[u8]| {
        let ask = stand.ask("PUT", path).key(key).with("Content-Type", "audio/wav");
        ask.bytes(wav.to_vec()).answer().await
    };
    assert_eq!(send(ACME, path, b"RIFF....WAVE").await.data()["bytes"], 12);
    assert_eq!(stand.provisioned.lock().unwrap()[0].prompts[0].wav, b"RIFF....WAVE");
    assert_eq!(send(ACME, path, b"MP3").await.status, 422);
    assert_eq!(send(SUPERVISOR, path, b"RIFF").await.status, 403);
    assert_eq!(send(ACME, "/api/v1/prompts/none/audio", b"RIFF").await.status, 404);
}

#[tokio::test]
async fn a_tenant_sees_whether_its_carriers_can_be_reached_and_nothing_else_of_them() {
    let stand = Stand::new().await;
    let whole = stand.get("/api/v1/trunks", PLATFORM).await.data();
    assert_eq!((&whole[0]["calls"], whole[0]["targets"].as_array().unwrap().len()), (&json!(2), 1));
    assert!(whole[0]["since"].is_string());
    let own = stand.get("/api/v1/trunks", ACME).await.data();
    assert_eq!((&own[0]["state"], &own[0]["calls"]), (&json!("up"), &json!(null)));
    assert_eq!(own[0]["registration"]["state"], "registered");
    assert!(!own.to_string().contains("carrier.example"), "{own}");
    assert_eq!(stand.get("/api/v1/trunks", ALICE).await.status, 403);
}

#[tokio::test]
async fn a_newcomer_signs_in_by_a_link_once_and_has_a_scene_played() {
    let stand = Stand::new().await;
    let sign_in = async |code: &str| {
        let ask = stand.ask("POST", "/api/v1/welcome/sign-in");
        ask.json(&json!({ "code": code })).answer().await
    };
    let code = stand.welcome.invite(ACME).unwrap();
    assert_eq!(sign_in(&code).await.data()["key"], ACME);
    assert_eq!(sign_in(&code).await.status, 401, "once");
    let far = stand.welcome.invite(ACME).unwrap();
    let ask = stand.ask("POST", "/api/v1/welcome/sign-in").with("X-Forwarded-For", "192.0.2.1");
    assert_eq!(ask.json(&json!({ "code": far })).answer().await.status, 401, "from elsewhere");

    assert_eq!(stand.get("/api/v1/welcome", ACME).await.code(), "DEMO_NOT_FOUND");
    let (scenes, mut wanted) = mpsc::channel(1);
    let (number, sip) = ("+15550100".to_owned(), "127.0.0.1:5060".to_owned());
    let (agent, colleague) = ("bob".parse().unwrap(), "alice".parse().unwrap());
    stand.welcome.open(Stage { number, agent, colleague, sip, scenes });
    assert_eq!(stand.get("/api/v1/welcome", ACME).await.data()["agent"], "bob");
    assert_eq!(stand.get("/api/v1/welcome", ALICE).await.status, 403);
    let play = async |scene: &str| {
        let ask = stand.ask("POST", "/api/v1/welcome/scenes").key(ACME);
        ask.json(&json!({ "scene": scene })).answer().await
    };
    assert_eq!(play("customer_calls").await.status, 202);
    assert_eq!(wanted.recv().await, Some(Scene::CustomerCalls));
    assert_eq!(play("nothing").await.status, 400);
}
