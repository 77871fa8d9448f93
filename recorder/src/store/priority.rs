//! Which threads go before which: audio on its way before audio to be kept.

/// Less than what relays audio, and still a quarter of a core that both want whole.
const NICE: i32 = 5;

/// From now on this thread comes after those that relay audio, where they share a core. What it is
/// late with waits in the rings, and is no later on the recording's timeline.
pub(crate) fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::info!(%error, "a thread of the recorder goes before others as before");
    }
}
