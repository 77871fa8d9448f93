//! `/docs`: the OpenAPI document as one page of HTML, with no script and nothing from elsewhere.

use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::openapi::document;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --strong: #0a6; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 62rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
section { border: 1px solid var(--line); border-radius: .5rem; padding: 0 1rem; margin: 1rem 0; }
h3 { font-size: 1rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
h3 b { color: var(--strong); text-transform: uppercase; margin-right: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem .25rem 0; }
tr { border-top: 1px solid var(--soft); } thead tr { border: 0; }
code { font-family: ui-monospace, monospace; font-size: .9em; }
nav { columns: 14rem; } nav a { display: block; }
";

/// The page and the policy it is served under.
pub(crate) struct Page {
    pub(crate) html: String,
    pub(crate) policy: String,
}

pub(crate) fn page() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        Page { html: render(document()), policy }
    })
}

fn render(document: &Value) -> String {
    let info = &document["info"];
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Strowger API</title><style>{STYLE}</style></head><body><main>\
         <h1>Strowger API {}</h1><p>{}</p><p>For programs: <a href=\"/openapi.json\">\
         <code>/openapi.json</code></a></p><h2>Paths</h2><nav>",
        text(&info["version"]),
        prose(&info["description"]),
    );
    let operations = operations(document);
    for (at, (path, method, _)) in operations.iter().enumerate() {
        put(&mut html, &format!("<a href=\"#o{at}\"><code>{method} {}</code></a>", escape(path)));
    }
    html.push_str("</nav>");
    for (at, (path, method, operation)) in operations.iter().enumerate() {
        show_operation(&mut html, at, path, method, operation);
    }
    html.push_str("<h2>Schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        show_schema(&mut html, name, schema);
    }
    html.push_str("</main></body></html>\n");
    html
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .filter(|(_, _, operation)| operation.is_object())
        .collect()
}

fn show_operation(html: &mut String, at: usize, path: &str, method: &str, operation: &Value) {
    put(html, &format!("<section id=\"o{at}\"><h3><b>{method}</b>{}</h3>", escape(path)));
    put(html, &format!("<p>{}</p>", prose(&operation["summary"])));
    if operation["description"].is_string() && operation["description"] != operation["summary"] {
        put(html, &format!("<p>{}</p>", prose(&operation["description"])));
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows =
        parameters.map(|one| [code(&one["name"]), text(&one["in"]), prose(&one["description"])]);
    table(html, ["Parameter", "In", "Meaning"], rows);
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        let kinds = content
            .iter()
            .map(|(kind, body)| [escape(kind), schema_name(&body["schema"]), String::new()]);
        table(html, ["Body", "Schema", ""], kinds);
    }
    let responses = operation["responses"].as_object().into_iter().flatten();
    let rows = responses.map(|(status, response)| {
        let bodies = response["content"].as_object().into_iter().flatten();
        let names: Vec<_> = bodies.map(|(_, body)| schema_name(&body["schema"])).collect();
        [escape(status), names.join(", "), prose(&response["description"])]
    });
    table(html, ["Status", "Schema", "Meaning"], rows);
    html.push_str("</section>");
}

fn show_schema(html: &mut String, name: &str, schema: &Value) {
    put(html, &format!("<section id=\"s-{0}\"><h3>{0}</h3>", escape(name)));
    put(html, &format!("<p>{}</p>", prose(&schema["description"])));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let rows = fields.map(|(field, kind)| {
        [format!("<code>{}</code>", escape(field)), schema_name(kind), prose(&kind["description"])]
    });
    table(html, ["Field", "Type", "Meaning"], rows);
    html.push_str("</section>");
}

fn table(html: &mut String, heads: [&str; 3], rows: impl Iterator<Item = [String; 3]>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    html.push_str("<table><thead><tr>");
    heads.iter().for_each(|head| put(html, &format!("<th scope=\"col\">{head}</th>")));
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        row.iter().for_each(|cell| put(html, &format!("<td>{cell}</td>")));
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
}

/// A schema in a word: a link to it, or its type.
fn schema_name(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#s-{name}\">{name}</a>");
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        if let Some(kinds) = schema[list].as_array() {
            return kinds.iter().map(schema_name).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind if kind == "array" => format!("list of {}", schema_name(&schema["items"])),
        kind => text(kind),
    }
}

fn put(html: &mut String, piece: &str) {
    // Writing to a String cannot fail.
    let _ = html.write_str(piece);
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn code(value: &Value) -> String {
    format!("<code>{}</code>", text(value))
}

/// Text in which `...` is code.
fn prose(value: &Value) -> String {
    let escaped = text(value);
    let mut html = String::new();
    for (at, piece) in escaped.split('`').enumerate() {
        if at % 2 == 1 {
            put(&mut html, &format!("<code>{piece}</code>"));
        } else {
            html.push_str(piece);
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
