//! The files of `assets/`, embedded. A test compares this list with the folder.

use crate::{Asset, Etag};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! embed {
    ($($name:literal: $content_type:ident,)*) => {
        &[$(($name, {
            const BYTES: &[u8] = include_bytes!(concat!("../assets/", $name));
            #[allow(long_running_const_eval)] // each file is hashed once, by the compiler
            const TAG: [u8; 18] = tag(BYTES);
            Asset { content_type: $content_type, bytes: BYTES, etag: Etag(as_text(&TAG)) }
        })),*]
    };
}

/// The FNV-1a hash of `bytes` in hexadecimal digits and quotes.
const fn tag(bytes: &[u8]) -> [u8; 18] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    let mut text = [b'"'; 18];
    let mut digit = 0;
    while digit < 16 {
        text[16 - digit] = b"0123456789abcdef"[((hash >> (4 * digit)) & 0xf) as usize];
        digit += 1;
    }
    text
}

const fn as_text(tag: &'static [u8; 18]) -> &'static str {
    match std::str::from_utf8(tag) {
        Ok(text) => text,
        Err(_) => "\"\"",
    }
}

/// Every file by its path under `assets/`.
pub(crate) static ALL: &[(&str, Asset)] = embed! {
    "admin.css": CSS,
    "admin/areas.js": JS,
    "admin/controls.js": JS,
    "admin/explain.js": JS,
    "admin/flow-branches.js": JS,
    "admin/flow-choices.js": JS,
    "admin/flow-kinds.js": JS,
    "admin/flow-sources.js": JS,
    "admin/flow-steps.js": JS,
    "admin/flow.js": JS,
    "admin/form.js": JS,
    "admin/keys.js": JS,
    "admin/paths.js": JS,
    "admin/prompts.js": JS,
    "admin/table.js": JS,
    "admin/trunks.js": JS,
    "announce.js": JS,
    "api.js": JS,
    "base.css": CSS,
    "board.css": CSS,
    "call.css": CSS,
    "describe.js": JS,
    "desk.css": CSS,
    "dialogs.js": JS,
    "dom.js": JS,
    "download.js": JS,
    "explorer.css": CSS,
    "explorer/chart.js": JS,
    "explorer/filters.js": JS,
    "explorer/notes.js": JS,
    "explorer/player.js": JS,
    "floor.css": CSS,
    "flows.css": CSS,
    "floor/alarms.js": JS,
    "floor/figures.js": JS,
    "format.js": JS,
    "icon.svg": SVG,
    "index.html": HTML,
    "main.js": JS,
    "model.js": JS,
    "phone/astray.js": JS,
    "phone/call.js": JS,
    "phone/chimes.js": JS,
    "phone/digest.js": JS,
    "phone/kept.js": JS,
    "phone/known.js": JS,
    "phone/line.js": JS,
    "phone/message.js": JS,
    "phone/microphone.js": JS,
    "phone/quality.js": JS,
    "phone/sound.js": JS,
    "router.js": JS,
    "shape.js": JS,
    "shell.css": CSS,
    "stream.js": JS,
    "strings.js": JS,
    "strings/admin.js": JS,
    "strings/desk.js": JS,
    "strings/events.js": JS,
    "strings/explorer.js": JS,
    "strings/floor.js": JS,
    "strings/flows.js": JS,
    "theme.js": JS,
    "ticker.js": JS,
    "views/admin.js": JS,
    "views/agents.js": JS,
    "views/alarms.js": JS,
    "views/board.js": JS,
    "views/call.js": JS,
    "views/calls.js": JS,
    "views/events.js": JS,
    "views/explorer.js": JS,
    "views/floor-agents.js": JS,
    "views/floor-calls.js": JS,
    "views/floor-supervise.js": JS,
    "views/floor.js": JS,
    "views/ladder.js": JS,
    "views/panel.js": JS,
    "views/phone-call.js": JS,
    "views/phone-caller.js": JS,
    "views/phone-devices.js": JS,
    "views/phone-gone.js": JS,
    "views/phone-icons.js": JS,
    "views/phone-notices.js": JS,
    "views/phone-recording.js": JS,
    "views/phone-send.js": JS,
    "views/phone-start.js": JS,
    "views/phone-state.js": JS,
    "views/phone-steering.js": JS,
    "views/phone-wrap-up.js": JS,
    "views/phone.js": JS,
    "views/quality.js": JS,
    "views/queues.js": JS,
    "views/recording.js": JS,
    "views/shell.js": JS,
    "views/signin.js": JS,
    "views/tally.js": JS,
    "views/timeline.js": JS,
    "views/virtual.js": JS,
    "views/wallboard.js": JS,
    "views/welcome.js": JS,
    "views/why.js": JS,
    "wav.js": JS,
};
