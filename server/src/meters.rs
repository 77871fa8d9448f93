//! Metrics: one Prometheus registry a process, and the gauges that somebody has to read off.

use std::sync::OnceLock;

use base::Duration;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::media_io::Depths;
use crate::persist::Intake;
use crate::signalling::Handle;

static REGISTRY: OnceLock<PrometheusHandle> = OnceLock::new();

/// Seconds, from a fast setup to a long wait in a queue.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// The process's registry, installed at the first use.
///
/// # Errors
/// When another recorder was installed by somebody else.
pub(crate) fn registry() -> Result<PrometheusHandle, String> {
    if let Some(handle) = REGISTRY.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| error.to_string())?;
    Ok(REGISTRY.get_or_init(|| handle).clone())
}

/// Reads the queues' depths and the process's own figures once a second, until it is aborted.
pub(crate) async fn watch(signalling: Handle, intake: Intake, media: Depths) {
    let queue = |name: &'static str| metrics::gauge!("strowger_queue_depth", "queue" => name);
    let (control, events, store) =
        (queue("signalling_control"), queue("media_events"), queue("store"));
    let commands = queue("media_commands");
    let live = metrics::gauge!("strowger_calls_live");
    let cpu = metrics::counter!("process_cpu_milliseconds_total");
    let memory = metrics::gauge!("process_resident_memory_bytes");
    let overflows = metrics::counter!("strowger_udp_overflows_total");
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        control.set(signalling.control.depth() as f64);
        events.set(signalling.media.depth() as f64);
        store.set(intake.depth() as f64);
        commands.set(media.deepest() as f64);
        live.set(signalling.live_calls.load(std::sync::atomic::Ordering::Relaxed) as f64);
        let own = own_figures().await;
        cpu.absolute(own.cpu_ms);
        memory.set(own.resident_bytes as f64);
        overflows.absolute(udp_overflows().await);
        if let Ok(handle) = registry() {
            handle.run_upkeep();
        }
    }
}

/// What the kernel says about this process.
#[derive(Default)]
struct OwnFigures {
    cpu_ms: u64,
    resident_bytes: u64,
}

async fn own_figures() -> OwnFigures {
    let mut figures = OwnFigures::default();
    if let Ok(status) = tokio::fs::read_to_string("/proc/self/status").await {
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        figures.resident_bytes = kib.unwrap_or(0) * 1024;
    }
    if let Ok(stat) = tokio::fs::read_to_string("/proc/self/stat").await {
        // Fields 14 and 15 (utime, stime) in ticks of 10 ms, counted after the name's bracket.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let ticks: u64 =
            after.split(' ').skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
        figures.cpu_ms = ticks * 10;
    }
    figures
}

/// Datagrams of this machine that the kernel dropped because the socket's buffer was full.
async fn udp_overflows() -> u64 {
    let v4 = tokio::fs::read_to_string("/proc/net/snmp").await.unwrap_or_default();
    let v6 = tokio::fs::read_to_string("/proc/net/snmp6").await.unwrap_or_default();
    overflows_in(&v4, &v6)
}

fn overflows_in(v4: &str, v6: &str) -> u64 {
    // IPv4: a line of names, then one of values; IPv6: a line each.
    let mut lines = v4.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let v4 = pairs.find(|(name, _)| *name == "RcvbufErrors").map(|(_, value)| value);
    let v6 = v6.lines().find_map(|line| line.strip_prefix("Udp6RcvbufErrors"));
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
    number(v4).unwrap_or(0) + number(v6).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_overflows_of_both_families_are_added_up() {
        let v4 = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams RcvbufErrors SndbufErrors\nUdp: 9 4 1\n";
        let v6 = "Udp6InDatagrams                 \t7\nUdp6RcvbufErrors                \t3\n";
        assert_eq!(overflows_in(v4, v6), 7);
        assert_eq!(overflows_in("", ""), 0);
    }
}
