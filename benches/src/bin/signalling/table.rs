//! The table: what the parts printed, side by side, and the ratios to Kamailio.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Prints the table of a file of results.
pub(crate) fn print(results: &Path, criterion: Option<&Path>) -> Result<(), String> {
    let text = fs::read_to_string(results);
    let text = text.map_err(|error| format!("{}: {error}", results.display()))?;
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let rows: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{line}: {error}")))
        .collect::<Result<_, _>>()?;
    let of = |part: &str| rows.iter().filter(move |row| row["part"] == part).collect::<Vec<_>>();
    let mut calls = of("calls");
    calls.sort_by(|a, b| number(&a["rate"]).total_cmp(&number(&b["rate"])));
    if !calls.is_empty() {
        print_calls(&calls);
    }
    of("held").into_iter().for_each(print_held);
    of("bindings").into_iter().for_each(print_bindings);
    if let Some(criterion) = criterion {
        let [own, other] = ["sip", "rsip"].map(|name| shown(parsing_us(criterion, name), 2));
        println!("\nparsing a 1.3 kB INVITE: {own} µs (rsip: {other} µs)");
    }
    Ok(())
}

/// What criterion found, the mean in microseconds.
fn parsing_us(criterion: &Path, name: &str) -> f64 {
    let folder = criterion.join("parse a 1.3 kB INVITE").join(name);
    let text = fs::read_to_string(folder.join("new/estimates.json")).unwrap_or_default();
    let estimates: Value = serde_json::from_str(&text).unwrap_or_default();
    number(&estimates["mean"]["point_estimate"]) / 1000.0
}

fn print_calls(rows: &[&Value]) {
    println!(
        "calls through          rate  started  failed  CPU ms a call  to Kamailio  generator ms  \
         setup added ms: median    p99   most"
    );
    for row in rows {
        let kamailio = rows
            .iter()
            .find(|other| other["target"] == "kamailio" && other["rate"] == row["rate"])
            .map_or(f64::NAN, |other| number(&other["cpu_ms"]));
        let name = match row["target"].as_str() {
            Some("strowger") => "Strowger, queue call",
            Some("kamailio") => "Kamailio, proxied",
            Some("sipp") => "SIPp answers",
            _ => "nothing (generator)",
        };
        let setup = &row["setup_ms"];
        println!(
            "{name:21} {:5} {:8} {:7} {:>14} {:>12} {:>13} {:>23} {:>6} {:>6}",
            number(&row["rate"]),
            number(&row["started"]),
            number(&row["failed"]),
            shown(number(&row["cpu_ms"]), 3),
            shown(number(&row["cpu_ms"]) / kamailio, 2),
            shown(number(&row["generator_ms"]), 3),
            shown(number(&setup["median"]), 2),
            shown(number(&setup["p99"]), 2),
            shown(number(&setup["most"]), 1),
        );
        if number(&row["failed"]) > 0.0 {
            println!("{:21} failures: {}", "", row["failures"]);
        }
    }
}

fn print_held(row: &Value) {
    println!(
        "\nidle calls held: {} of {}, {} KiB each ({} KiB of it allocated), {} MiB in all",
        row["held"],
        row["asked"],
        shown(number(&row["kib_each"]), 1),
        shown(number(&row["allocated_kib_each"]), 1),
        row["resident_mib"],
    );
    println!(
        "  meanwhile: {} CPU ms a second; {} of {} new calls failed, setup added p99 {} ms; API: \
         {} in {} ms, list of calls {} in {} ms",
        shown(number(&row["cpu_ms_a_second"]), 0),
        row["more"]["failed"],
        row["more"]["started"],
        shown(number(&row["more"]["setup_ms"]["p99"]), 2),
        row["api"]["ready"],
        shown(number(&row["api"]["ready_ms"]), 1),
        row["api"]["calls"],
        shown(number(&row["api"]["calls_ms"]), 1),
    );
    println!(
        "  failed: to come up {}, to end {}",
        row["raised"]["failures"], row["ended"]["failures"]
    );
}

fn print_bindings(row: &Value) {
    let (first, again) = (&row["first"], &row["refreshed"]);
    println!(
        "\nbindings held: {} of {}, registered in {} s ({} a second), {} CPU ms each (challenge and \
         answer), {} KiB each ({} KiB of it allocated), {} MiB in all",
        first["succeeded"],
        row["asked"],
        shown(number(&first["took_s"]), 1),
        shown(number(&first["a_second"]), 0),
        shown(number(&row["cpu_ms_each"]), 3),
        shown(number(&row["kib_each"]), 1),
        shown(number(&row["allocated_kib_each"]), 1),
        row["resident_mib"],
    );
    println!(
        "  refreshed: {} at {} a second, {} failed, {} CPU ms each; API: {} in {} ms, agents of a \
         tenant {} in {} ms",
        again["succeeded"],
        shown(number(&again["a_second"]), 0),
        again["failed"],
        shown(number(&row["cpu_ms_a_refresh"]), 3),
        row["api"]["ready"],
        shown(number(&row["api"]["ready_ms"]), 1),
        row["api"]["agents"],
        shown(number(&row["api"]["agents_ms"]), 1),
    );
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// A number, or a dash where there is none.
fn shown(number: f64, places: usize) -> String {
    if number.is_finite() { format!("{number:.places$}") } else { "-".to_owned() }
}
