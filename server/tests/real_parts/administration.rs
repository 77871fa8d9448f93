//! Administration in Chromium of what belongs to nobody's tenant: the form of a trunk.

use serde_json::Value;

use crate::browser::Browsers;
use crate::flows::signed_in;
use crate::parts::LIMIT;
use crate::strowger::{Folder, PLATFORM, Strowger};

#[test]
fn a_trunks_form_says_whether_its_audio_goes_by_webrtc() {
    let folder = Folder::new("administration");
    let server = Strowger::start(folder.path());
    let browsers = Browsers::start();
    let page = signed_in(&browsers, &folder, &server, PLATFORM);
    page.goes("#/admin/trunks");
    let is_on = "document.querySelector('#form-webrtc').checked";
    for wanted in [true, false] {
        page.clicks("[aria-label='Edit carrier-a']");
        page.until(is_on, |is| *is == !wanted);
        assert!(page.sees("dialog .form-check:has(#form-webrtc)").contains("gets 488"));
        page.can_be_read("admin-trunk");
        page.clicks("label[for=form-webrtc]");
        page.clicks("dialog >> text=Save");
        page.until("document.querySelector('dialog')", Value::is_null);
        let is_told = |live: &Value| {
            let trunks = live["trunks"].as_array()?;
            let trunk = trunks.iter().find(|trunk| trunk["id"] == "carrier-a")?;
            (trunk["webrtc"].as_bool().unwrap_or_default() == wanted).then_some(())
        };
        let path = "/api/v1/provisioning?tenant=acme";
        server.eventually("it live", path, PLATFORM, LIMIT, is_told);
    }
}
