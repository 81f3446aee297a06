//! The facts about this camera that ONVIF answers with.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::base::host;
use crate::camera::{Camera, controls, host_name, motors, video};
use crate::card::file::read_bounded;
use crate::controls::table::{Id, Value as Setting};
use crate::onvif::control::{Imaging, Motors, Preset};
use crate::onvif::{OnvifFacts, Sound, Stream};

/// Bytes of the system's file of name servers that are read.
const RESOLV_CONF: u64 = 4096;

/// Seconds since 1970, by the camera's clock.
pub fn now() -> Option<u64> {
    Some(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// What is stated about it; `asked` is the name or address by which it was asked.
pub fn facts(camera: &Camera, asked: Option<&str>) -> OnvifFacts {
    let video = video::document(camera);
    let jpeg = video.has_jpeg();
    let streams = video.server.as_ref().and_then(|server| server.get("streams"));
    // ONVIF has no word for L16.
    let form = video.server.as_ref().and_then(|server| server.pointer("/sound/form"));
    let sound = Sound {
        microphone: form.and_then(Value::as_str) == Some("g711"),
        speaker: video.has_speaker(),
    };
    let stream = |token, path: &'static str, width, height| {
        let all = streams.and_then(Value::as_array).into_iter().flatten();
        let found = all.clone().find(|s| s.get("name").and_then(Value::as_str) == Some(path));
        let number = |at: &str, usual: u64| {
            let value = found.and_then(|s| s.pointer(at));
            value
                .and_then(Value::as_f64)
                .and_then(|n| format!("{n:.0}").parse().ok())
                .filter(|n| *n > 0)
                .unwrap_or(usual)
        };
        let codec = found.and_then(|s| s.get("codec")).and_then(Value::as_str);
        Stream {
            token,
            path,
            codec: if codec == Some("h265") { "H265" } else { "H264" },
            width: number("/size/width", width),
            height: number("/size/height", height),
            fps: number("/fps", 20),
            kbits: number("/bits_per_second", 2_000_000) / 1000,
        }
    };
    let host = asked.unwrap_or_default();
    // Without the page's port; an IPv6 address is in brackets.
    let bare =
        host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(h, _)| h);
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    let (listen, ntp) = {
        let state = camera.state();
        (state.listen, state.settings.config.camera.time_servers())
    };
    OnvifFacts {
        base: format!("http://{host}"),
        rtsp: format!("rtsp://{bare}:{}", video.port),
        name: host_name::host_name(camera),
        model: judgement.map_or_else(|| "unknown".to_owned(), |j| camera.model(&j)),
        mac: host::wifi_mac().unwrap_or_default(),
        address: host::addresses().first().map(ToString::to_string).unwrap_or_default(),
        utc: host::utc(now().unwrap_or_default()),
        ports: [listen.map_or(80, |address| address.port()), video.port],
        user: video.user.to_owned(),
        dns: name_servers(),
        ntp,
        ptz: has_motors(camera),
        jpeg,
        sound,
        events: controls::of(camera).is_ok_and(|controls| controls.events().motion().is_some()),
        motors: places(camera),
        imaging: imaging(camera),
        streams: [stream("main", "mainstream", 1920, 1080), stream("sub", "substream", 640, 360)],
    }
}

/// IPv4 addresses of the system's name servers.
fn name_servers() -> Vec<String> {
    let text = read_bounded(Path::new("/etc/resolv.conf"), RESOLV_CONF).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
    let servers = servers.filter_map(|rest| rest.trim().parse::<Ipv4Addr>().ok());
    servers.take(3).map(|address| address.to_string()).collect()
}

/// Whether it has motors that can be moved.
pub fn has_motors(camera: &Camera) -> bool {
    motors::available(camera)
}

/// Motors that know places.
fn places(camera: &Camera) -> Option<Motors> {
    let document = motors::document(camera);
    let presets = document.presets.into_iter().map(|preset| Preset {
        id: preset.id,
        name: preset.name,
        at: (preset.at.pan, preset.at.tilt),
    });
    (document.available && document.absolute).then(|| Motors {
        position: document.position.map(|at| (at.pan, at.tilt)),
        moving: document.moving,
        presets: presets.collect(),
    })
}

/// The filter in front of the sensor is there by day.
pub const FILTERS: [(&str, &str); 3] = [("AUTO", "auto"), ("ON", "day"), ("OFF", "night")];

fn imaging(camera: &Camera) -> Imaging {
    let value = |id| controls::of(camera).ok().and_then(|controls| controls.value(id));
    let filter = match value(Id::Night) {
        Some(Setting::Word(word)) => FILTERS.iter().find(|(_, known)| *known == word),
        _ => None,
    };
    let wdr = match value(Id::Wdr) {
        Some(Setting::On(on)) => Some(on),
        _ => None,
    };
    Imaging { filter: filter.map(|(mode, _)| *mode), wdr }
}
