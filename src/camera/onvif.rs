//! ONVIF for this camera: whether it is on, who may, its facts, its moves, and its answer to
//! "is there a camera?" on the network. What is said is in [`crate::onvif`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::motors::{Ask, MotorError, NewPreset};
use super::{Camera, controls, host_name, motors, services, video};
use crate::base::host;
use crate::card::file::read_bounded;
use crate::controls::events::{Events, Kind};
use crate::controls::motors::Place;
use crate::controls::presets::PresetError;
use crate::controls::table::{Id, Value as Setting};
use crate::error::Explain;
use crate::network::mdns::{only_v4, open};
use crate::onvif::control::{Deed, Imaging, Motors, Preset, TOKEN};
use crate::onvif::discovery::{self, Ourselves};
use crate::onvif::events;
use crate::onvif::login::Token;
use crate::onvif::{self, Facts, Fault, Moved, Stream, xml};
use crate::rtsp::auth::{Login, Verdict};
use crate::services::ptz::{Direction, Steps, Wish};
use crate::services::rtsp::ID;
use crate::services::setting;

/// Where WS-Discovery is spoken.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// How often it is looked whether it is to be answered.
const LOOK: Duration = Duration::from_secs(10);
/// Bytes of the system's file of name servers that are read.
const RESOLV_CONF: u64 = 4096;
/// Answers in one second.
const EACH_SECOND: u32 = 20;

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `POST`, `GET`.
    pub method: &'a str,
    /// `device`, `media`, `ptz`; also with `_service` behind it.
    pub service: &'a str,
    /// The document.
    pub body: &'a [u8],
    /// The header of HTTP's own login.
    pub authorization: Option<&'a str>,
    /// The name or address by which we were asked.
    pub host: Option<&'a str>,
    /// Who asks.
    pub peer: IpAddr,
}

/// What is answered.
#[derive(Debug)]
pub struct Answered {
    /// Of HTTP.
    pub status: u16,
    /// The document.
    pub body: String,
    /// What logins are taken, where one is needed.
    pub challenges: Vec<String>,
    /// After how many seconds to try again, where too many logins were wrong.
    pub retry_after: Option<u64>,
}

/// Whether it is on: with the RTSP server, unless its setting says no; never before the page has a
/// password.
pub fn is_on(camera: &Camera) -> bool {
    let Ok(view) = services::get(camera, ID) else { return false };
    let off = |s: &setting::SettingView| {
        s.name == "onvif" && s.value == Some(setting::Value::Bool(false))
    };
    view.enabled && !view.settings.iter().any(off) && camera.login().has_password()
}

/// Answers a request; waits for events only as long as `here`.
pub fn call(camera: &Camera, call: &Call<'_>, here: &dyn Fn() -> bool) -> Answered {
    let result = answer(camera, call, here);
    let fault = match result {
        Ok(body) => {
            return Answered { status: 200, body, challenges: Vec::new(), retry_after: None };
        }
        Err(fault) => fault,
    };
    refused(camera, fault)
}

fn refused(camera: &Camera, fault: Fault) -> Answered {
    let (challenges, retry_after) = match fault {
        Fault::NotAuthorized => (challenges(camera), None),
        Fault::TooMany { seconds } => (Vec::new(), Some(seconds)),
        _ => (Vec::new(), None),
    };
    Answered { status: fault.status(), body: onvif::fault(fault), challenges, retry_after }
}

/// Whether a call without a document, such as that for a snapshot, carries the streams' login.
pub fn may(camera: &Camera, call: &Call<'_>) -> Result<(), Answered> {
    enter(camera, call, None).map_err(|fault| refused(camera, fault))
}

fn answer(camera: &Camera, call: &Call<'_>, here: &dyn Fn() -> bool) -> Result<String, Fault> {
    let tree = std::str::from_utf8(call.body).ok().and_then(xml::parse);
    let tree = tree.ok_or(Fault::Malformed)?;
    if !onvif::is_open(call.service, &tree) {
        enter(camera, call, Some(&tree))?;
    }
    if let Some(ask) = events::ask(call.service, &tree, now().unwrap_or_default())? {
        return pull(camera, call, ask, here);
    }
    let outcome = onvif::answer(call.service, &tree, &facts(camera, call))?;
    if let Some(moved) = outcome.moved {
        go(camera, moved)?;
    }
    match outcome.deed {
        Some(deed) => Ok(outcome.body.replace(TOKEN, &act(camera, deed)?)),
        None => Ok(outcome.body),
    }
}

/// Lets the owner of the streams' password in.
fn enter(camera: &Camera, call: &Call<'_>, tree: Option<&xml::Tree<'_>>) -> Result<(), Fault> {
    let services = services::of(camera).ok_or(Fault::NotAuthorized)?;
    let password = services.streams_password().map_err(|_| Fault::NotAuthorized)?;
    let token = tree.map_or(Ok(None), Token::of)?;
    let mut fresh = true;
    let right = || match (&token, call.authorization) {
        (Some(token), _) => token.proves(&password),
        (None, None) => false,
        (None, value) => {
            let login = Login::new(password.clone(), secret(camera), false);
            match login.judge(value, call.method, host::uptime_seconds()) {
                Verdict::Good => true,
                Verdict::Stale => {
                    fresh = false;
                    true
                }
                Verdict::Missing | Verdict::Wrong => false,
            }
        }
    };
    if token.is_none() && call.authorization.is_none() {
        return Err(Fault::NotAuthorized);
    }
    camera.login().try_streams(call.peer, right).map_err(|error| match error.retry_after() {
        Some(wait) => Fault::TooMany { seconds: wait.as_secs() },
        None => Fault::NotAuthorized,
    })?;
    if let Some(token) = token {
        let now = host::clock().and_then(|_| now());
        let mut memory = camera.onvif.memory.lock().unwrap_or_else(PoisonError::into_inner);
        fresh = memory.take(token, now);
    }
    if fresh { Ok(()) } else { Err(Fault::NotAuthorized) }
}

/// What concerns events.
fn pull(
    camera: &Camera,
    call: &Call<'_>,
    ask: events::Ask,
    here: &dyn Fn() -> bool,
) -> Result<String, Fault> {
    let controls = controls::of(camera).map_err(|_| Fault::Unknown)?;
    let log = controls.events();
    let points = || camera.onvif.points.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, mut messages) = (Instant::now(), Vec::new());
    let id = match ask {
        events::Ask::Capabilities | events::Ask::Properties => 0,
        events::Ask::Create(seconds) => points().create(seconds, log.seq(), at)?,
        events::Ask::Renew(id, seconds) => points().renew(id, seconds, at).map(|()| id)?,
        events::Ask::Unsubscribe(id) => points().remove(id, at).map(|()| id)?,
        events::Ask::Synchronize(id) => points().synchronize(id, at).map(|()| id)?,
        events::Ask::Pull { id, wait, most } => {
            let begun = points().begin(id, wait, at)?;
            let seen = pulled(log, begun, most, here, &mut messages);
            points().end(id, seen);
            id
        }
    };
    let left = points().left(id, Instant::now());
    let now = now().unwrap_or_default();
    let base = format!("http://{}", call.host.unwrap_or_default());
    Ok(events::answer(ask, &base, id, [host::utc(now), host::utc(now + left)], &messages))
}

/// Waits for motion, or for its end; the number of the last event that was looked at.
fn pulled(
    log: &Events,
    begun: events::Begun,
    most: usize,
    here: &dyn Fn() -> bool,
    messages: &mut Vec<events::Message>,
) -> u64 {
    let until = Instant::now() + begun.wait;
    let utc = |at: Option<String>| at.unwrap_or_else(|| host::utc(now().unwrap_or_default()));
    let mut seen = begun.seen;
    if begun.initial
        && let Some(motion) = log.motion()
    {
        messages.push(events::Message { at: utc(None), initial: true, motion });
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if messages.is_empty() { left } else { Duration::ZERO };
        for event in log.awaited(seen, wait, here).events {
            if messages.len() >= most {
                break;
            }
            seen = event.seq;
            if matches!(event.kind, Kind::MotionBegin | Kind::MotionEnd) {
                let motion = event.kind == Kind::MotionBegin;
                messages.push(events::Message { at: utc(event.at), initial: false, motion });
            }
        }
        if !messages.is_empty() || left.is_zero() || !here() {
            return seen;
        }
    }
}

fn now() -> Option<u64> {
    Some(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs())
}

fn secret(camera: &Camera) -> [u8; 32] {
    let made = || crate::base::random().unwrap_or_default();
    *camera.onvif.secret.get_or_init(made)
}

fn challenges(camera: &Camera) -> Vec<String> {
    // What is asked for depends on no password.
    Login::new(String::new(), secret(camera), false).challenges(host::uptime_seconds(), false)
}

fn facts(camera: &Camera, call: &Call<'_>) -> Facts {
    let video = video::document(camera);
    let jpeg = video.has_jpeg();
    let streams = video.server.as_ref().and_then(|server| server.get("streams"));
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
    let host = call.host.unwrap_or_default();
    // Without the page's port; an IPv6 address stands in brackets.
    let bare =
        host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(h, _)| h);
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    let (listen, ntp) = {
        let state = camera.state();
        (state.listen, state.settings.config.camera.time_servers())
    };
    Facts {
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

fn has_motors(camera: &Camera) -> bool {
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
const FILTERS: [(&str, &str); 3] = [("AUTO", "auto"), ("ON", "day"), ("OFF", "night")];

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

/// Does it; the token of a preset that was kept.
fn act(camera: &Camera, deed: Deed) -> Result<String, Fault> {
    let ask = match deed {
        Deed::Move { pan, tilt, ms } => Ask::Move { pan, tilt, ms },
        Deed::Goto(pan, tilt) => Ask::Goto(Place { pan, tilt }),
        Deed::GotoPreset(id) => Ask::Preset(id),
        Deed::GotoHome => Ask::Home(true),
        Deed::Stop => Ask::Stop(true),
        Deed::SetPreset { id, name } => {
            let known = motors::document(camera).presets;
            let known = known.into_iter().find(|preset| Some(preset.id) == id);
            let home = known.as_ref().is_some_and(|preset| preset.home);
            let number = motors::document(camera).presets.len() + 1;
            let name = name.or(known.map(|preset| preset.name));
            let name = name.unwrap_or_else(|| format!("Preset {number}"));
            let kept = motors::keep(camera, id, &NewPreset { name, at: None, home });
            return kept.map(|preset| preset.id.to_string()).map_err(no_deed);
        }
        Deed::SetHome => {
            let new = NewPreset { name: "Home".to_owned(), at: None, home: true };
            return motors::keep(camera, None, &new).map(|_| String::new()).map_err(no_deed);
        }
        Deed::RemovePreset(id) => {
            return motors::forget(camera, id).map(|()| String::new()).map_err(no_deed);
        }
        Deed::Image { filter, wdr } => return image(camera, filter, wdr),
    };
    motors::ask(camera, ask).map(|_| String::new()).map_err(no_deed)
}

fn no_deed(error: MotorError) -> Fault {
    log::warn!("ONVIF: {error}");
    match error {
        MotorError::NoPreset => Fault::NoHome,
        MotorError::Preset(PresetError::TooMany) => Fault::TooManyPresets,
        MotorError::Preset(PresetError::Name) => Fault::BadSettings,
        _ => Fault::Motors,
    }
}

fn image(camera: &Camera, filter: Option<&str>, wdr: Option<bool>) -> Result<String, Fault> {
    let controls = controls::of(camera).map_err(|_| Fault::Unknown)?;
    let word = FILTERS.iter().find(|(mode, _)| Some(*mode) == filter).map(|(_, word)| *word);
    let wanted = [(Id::Night, word.map(Setting::Word)), (Id::Wdr, wdr.map(Setting::On))];
    for (id, value) in wanted {
        let Some(value) = value else { continue };
        controls.put(id, value).map_err(|error| {
            log::warn!("ONVIF: {error}");
            Fault::Firmware
        })?;
    }
    Ok(String::new())
}

/// One axis moves at a time: the longer way counts.
fn go(camera: &Camera, moved: Moved) -> Result<(), Fault> {
    let (direction, steps) = if moved.pan.abs() >= moved.tilt.abs() {
        (if moved.pan < 0 { Direction::Left } else { Direction::Right }, moved.pan.abs())
    } else {
        (if moved.tilt < 0 { Direction::Down } else { Direction::Up }, moved.tilt.abs())
    };
    // Less than a step is none.
    let Ok(steps) = Steps::try_from(steps) else { return Ok(()) };
    let told = motors::wish(camera, Wish::Move { direction, steps });
    told.map(drop).map_err(|error| {
        log::warn!("ONVIF: {error}");
        Fault::Motors
    })
}

/// Answers WS-Discovery for ever, while ONVIF is on and the page can be reached from outside.
pub fn discover(camera: &Arc<Camera>) {
    loop {
        if let Some(us) = ourselves(camera)
            && let Err(e) = serve(camera, us)
        {
            log::debug!("WS-Discovery: {e}");
        }
        std::thread::sleep(LOOK);
    }
}

fn ourselves(camera: &Camera) -> Option<Ourselves> {
    let (port, instance) = {
        let state = camera.state();
        let listen = state.listen.filter(|address| !address.ip().is_loopback())?;
        (listen.port(), state.boot_count.max(1))
    };
    is_on(camera).then_some(())?;
    let addresses = only_v4(&host::addresses());
    let name = host_name::host_name(camera);
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    (!addresses.is_empty()).then(|| Ourselves {
        unique: format!("mi360d {} {port}", host::wifi_mac().unwrap_or_else(|| name.clone())),
        name,
        model: judgement.map_or_else(|| "unknown".to_owned(), |j| camera.model(&j)),
        bases: addresses.iter().map(|address| format!("http://{address}:{port}")).collect(),
        ptz: has_motors(camera),
        instance,
    })
}

/// Until something of it changes.
fn serve(camera: &Camera, us: Ourselves) -> std::io::Result<()> {
    let socket = open(GROUP, discovery::PORT, 1)?;
    for address in only_v4(&host::addresses()) {
        // Joined already is as good.
        let _ = socket.join_multicast_v4(&GROUP, &address);
    }
    let to_all = SocketAddr::V4(SocketAddrV4::new(GROUP, discovery::PORT));
    // Without a route there is nobody to tell.
    let _ = socket.send_to(discovery::hello(&us, 1).as_bytes(), to_all);
    socket.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; discovery::LONGEST];
    let (mut looked, mut number) = (Instant::now(), 1);
    let mut budget = (Instant::now(), 0);
    loop {
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            if ourselves(camera).as_ref() != Some(&us) {
                return Ok(());
            }
        }
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(got) => got,
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(e) => return Err(e),
        };
        if budget.0.elapsed() >= Duration::from_secs(1) {
            budget = (Instant::now(), 0);
        }
        budget.1 += 1;
        if budget.1 > EACH_SECOND {
            continue;
        }
        if let Some(answer) = discovery::reply(&us, &buffer[..length], number + 1) {
            number += 1;
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    }
}
