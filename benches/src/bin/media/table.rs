//! The table: what the loads printed, side by side.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Prints the table of a file of results.
pub(crate) fn print(results: &Path) -> Result<(), String> {
    let text = fs::read_to_string(results);
    let text = text.map_err(|error| format!("{}: {error}", results.display()))?;
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let rows: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{line}: {error}")))
        .collect::<Result<_, _>>()?;
    println!(
        "| calls carry | sent every | through | calls | CPU µs a packet | to rtpengine | core | \
         late ms: median, p99, most | lost % | KiB a call | generator: core, late p99 ms |"
    );
    println!("|{}", " --- |".repeat(11));
    rows.iter().filter(|row| row["part"] == "load").for_each(|row| print_load(row, &rows));
    println!(
        "\n| calls carry | sent every | through | most calls on one core |\n\
         |{}",
        " --- |".repeat(4)
    );
    for row in rows.iter().filter(|row| row["part"] == "most" && row["searched"] == true) {
        let [kind, relay] = [&row["kind"], &row["relay"]].map(|text| text.as_str().unwrap_or("-"));
        println!("| {kind} | {} | {relay} | {} |", beat(row), row["calls"]);
    }
    let of_browsers = |row: &&Value| row["part"] == "load" && row["handshake"].is_object();
    if rows.iter().any(|row| of_browsers(&row)) {
        println!(
            "\n| browsers' calls carry | calls | handshake: CPU ms, took ms | encryption |\n|{}",
            " --- |".repeat(4)
        );
    }
    for row in rows.iter().filter(of_browsers) {
        let [kind, profile] =
            [&row["kind"], &row["handshake"]["profile"]].map(|text| text.as_str().unwrap_or("-"));
        println!(
            "| {kind} | {} | {}, {} | {profile} |",
            row["calls"],
            shown(number(&row["handshake"]["cpu_ms"]), 2),
            shown(number(&row["handshake"]["took_ms"]), 1),
        );
    }
    Ok(())
}

fn print_load(row: &Value, rows: &[Value]) {
    let other = rows.iter().find(|other| {
        other["part"] == "load"
            && other["relay"] == "rtpengine"
            && other["kind"] == row["kind"]
            && other["calls"] == row["calls"]
            && other["beat_us"] == row["beat_us"]
    });
    let cost = number(&row["us_a_packet"]);
    let ratio = other.map_or(f64::NAN, |other| cost / number(&other["us_a_packet"]));
    let late = &row["late_ms"];
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {}, {}, {} | {} | {} | {}, {} |",
        row["kind"].as_str().unwrap_or("-"),
        if row["beat_us"] == 0 {
            "one by one".to_owned()
        } else {
            format!("{} µs", row["beat_us"])
        },
        row["relay"].as_str().unwrap_or("-"),
        number(&row["calls"]),
        shown(cost, 2),
        shown(ratio, 2),
        shown(number(&row["core"]), 2),
        shown(number(&late["median"]), 2),
        shown(number(&late["p99"]), 2),
        shown(number(&late["most"]), 1),
        shown(number(&row["lost"]) * 100.0, 3),
        shown(number(&row["kib_a_call"]), 1),
        shown(number(&row["generator_core"]), 2),
        shown(number(&row["generator_late_ms"]), 2),
    );
}

/// How its packets left the generator.
fn beat(row: &Value) -> String {
    if row["beat_us"] == 0 { "one by one".to_owned() } else { format!("{} µs", row["beat_us"]) }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// A number, or a dash where there is none.
fn shown(number: f64, places: usize) -> String {
    if number.is_finite() { format!("{number:.places$}") } else { "-".to_owned() }
}
