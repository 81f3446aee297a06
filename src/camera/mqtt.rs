//! This camera as a device of Home Assistant: what it tells, and what its buttons do.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::settings::{MASK, SettingsError};
use super::{Camera, controls, host_name, motors, power, services, status, video};
use crate::base::host;
use crate::card::CardState;
use crate::controls::table::Value as Setting;
use crate::controls::{ControlForm, Controls, Id};
use crate::error::{Chain, chain};
use crate::mqtt::client::{self, Broker, Home};
use crate::mqtt::discovery::{Category, Device, Entity, EntityKind, cut, key};
use crate::rtsp::client::SnapshotForm;
use crate::services::ptz::{Direction, Steps, Wish};
use crate::services::{ServiceState, rtsp};
use crate::settings::values::Server;

/// Stack of the thread; measured on the look at the whole status.
const STACK: usize = 192 << 10;
/// Steps of one press.
const PRESS_STEPS: u16 = 10;

/// Starts it; without a broker in the settings it waits for one.
pub fn start(camera: &Arc<Camera>) {
    let home = OnCamera(Arc::clone(camera));
    let thread = std::thread::Builder::new().name("mqtt".into()).stack_size(STACK);
    if let Err(e) = thread.spawn(move || client::keep(&home)) {
        log::error!("the thread 'mqtt' cannot be started: {e}", e = Chain(&e));
    }
}

/// Tries a broker; what is not given is as it is set. `None`: it takes this camera; else why not.
///
/// # Errors
/// [`SettingsError`] where the address is none.
pub fn test(
    camera: &Camera,
    broker: Option<String>,
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<String>, SettingsError> {
    let set = camera.state().settings.config.mqtt.clone();
    let wrong = |reason: String| SettingsError::Field { field: "mqtt.broker".to_owned(), reason };
    let before = set.broker.as_ref().map(|server| server.0.clone());
    let address = match broker {
        Some(given) => Some(Server::try_from(given).map_err(wrong)?),
        None => set.broker,
    };
    let address = address.ok_or_else(|| wrong("expected a host name or an address".to_owned()))?.0;
    let is_set = before.as_ref() == Some(&address);
    // A stored login belongs to the stored broker: no other gets it.
    let (set_user, set_password) =
        if is_set { (set.user, set.password.0) } else { (String::new(), String::new()) };
    let full = |text: String| Some(text).filter(|text| !text.is_empty());
    let broker = Broker {
        address,
        user: full(user.unwrap_or(set_user)),
        password: full(password.filter(|given| given != MASK).unwrap_or(set_password)),
        prefix: set.discovery_prefix.0,
    };
    Ok(client::check(&broker).err())
}

struct OnCamera(Arc<Camera>);

/// Buttons that move the camera: key, name, whither.
const MOVES: [(&str, &str, Direction); 4] = [
    ("left", "Left", Direction::Left),
    ("right", "Right", Direction::Right),
    ("up", "Up", Direction::Up),
    ("down", "Down", Direction::Down),
];

impl OnCamera {
    fn url(&self) -> Option<String> {
        let port = self.0.state().listen?.port();
        let ip = host::addresses().into_iter().next()?;
        Some(if port == 80 { format!("http://{ip}/") } else { format!("http://{ip}:{port}/") })
    }

    /// Motors that can be asked.
    fn has_motors(&self) -> bool {
        motors::available(&self.0)
    }

    /// The main stream's address, while it is served.
    fn stream(&self) -> Option<String> {
        let all = services::brief(&self.0);
        all.iter().find(|s| s.id == rtsp::ID && s.state == ServiceState::Running)?;
        let address = match host::addresses().into_iter().next()? {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Some(format!("rtsp://{address}:{}/mainstream", video::port(&self.0)))
    }
}

/// Whether the RTSP server has JPEG files of the firmware's.
fn has_jpeg(camera: &Camera) -> bool {
    video::document(camera).has_jpeg()
}

/// The key of a control's entity.
fn control_key(id: Id) -> String {
    format!("control_{}", key(id.name()))
}

impl Home for OnCamera {
    fn broker(&self) -> Option<Broker> {
        let mqtt = self.0.state().settings.config.mqtt.clone();
        let address = mqtt.broker?.0;
        Some(Broker {
            address,
            user: Some(mqtt.user).filter(|user| !user.is_empty()),
            password: Some(mqtt.password.0).filter(|password| !password.is_empty()),
            prefix: mqtt.discovery_prefix.0,
        })
    }

    fn device(&self) -> Device {
        let status = status::of(&self.0);
        let own = status.identity.fingerprint.unwrap_or_else(|| "unknown".to_owned());
        let entity = |kind, key: &str, name: &str, icon, category| Entity {
            kind,
            key: key.to_owned(),
            name: name.to_owned(),
            icon,
            category,
        };
        let tells = |kind, key, name, icon| entity(kind, key, name, icon, Category::Diagnostic);
        let size = |unit| EntityKind::Number { class: "data_size", unit };
        let restart = EntityKind::Button { class: Some("restart") };
        let mut entities = vec![
            tells(EntityKind::Problem, "identity", "Identity at risk", "mdi:card-account-details"),
            tells(EntityKind::Problem, "backup", "Backup missing", "mdi:content-save-alert"),
            tells(EntityKind::Problem, "trouble", "Needs attention", "mdi:alert"),
            tells(EntityKind::Text, "attention", "Message", "mdi:message-alert"),
            tells(size("MiB"), "card_free", "SD card free", "mdi:sd"),
            tells(size("KiB"), "memory", "Memory free", "mdi:memory"),
            tells(EntityKind::Text, "stream", "Main stream", "mdi:cctv"),
            entity(restart, "reboot", "Restart", "mdi:restart", Category::Config),
        ];
        for service in &status.services {
            entities.push(Entity {
                kind: EntityKind::Running,
                key: format!("service_{}", key(&service.id)),
                name: service.name.clone(),
                icon: "mdi:cog",
                category: Category::Diagnostic,
            });
        }
        if self.picture_every().is_some() && self.stream().is_some() && has_jpeg(&self.0) {
            entities.push(entity(
                EntityKind::Camera,
                "picture",
                "Picture",
                "mdi:cctv",
                Category::Main,
            ));
        }
        if self.has_motors() {
            for (key, name, _) in MOVES {
                let kind = EntityKind::Button { class: None };
                entities.push(entity(kind, key, name, "mdi:arrow-all", Category::Main));
            }
        }
        let controls = controls::of(&self.0).ok();
        for id in controls.into_iter().flat_map(Controls::offered_ids) {
            let kind = match id.form() {
                ControlForm::Switch => EntityKind::Switch,
                ControlForm::Choice(options) => EntityKind::Select { options },
                ControlForm::Number { min, max, unit } => EntityKind::Level { min, max, unit },
                ControlForm::Region => continue,
            };
            let category = if id == Id::Power { Category::Main } else { Category::Config };
            entities.push(entity(kind, &control_key(id), id.title(), id.icon(), category));
        }
        if controls.is_some_and(|controls| controls.is_night().is_some()) {
            let kind = EntityKind::Detected { class: None };
            let (name, icon) = ("Night picture", "mdi:weather-night");
            entities.push(entity(kind, "night", name, icon, Category::Diagnostic));
        }
        if controls.is_some_and(|controls| controls.events().motion().is_some()) {
            let kind = EntityKind::Detected { class: Some("motion") };
            entities.push(entity(kind, "motion", "Motion", "mdi:motion-sensor", Category::Main));
        }
        Device {
            id: format!("mi360_{}", key(&own)),
            name: host_name::host_name(&self.0),
            model: status.model,
            version: status.program.to_owned(),
            url: self.url(),
            entities,
            // Without its card the camera does not know its hacks.
            complete: services::of(&self.0).is_some()
                && status.card != CardState::Missing
                && controls.is_none_or(Controls::is_settled),
        }
    }

    fn state(&self) -> Value {
        let status = status::of(&self.0);
        let on = |wrong: bool| if wrong { "ON" } else { "OFF" };
        let worst = status.notices.first();
        let free = match status.card {
            CardState::Ready { free, .. } | CardState::ReadOnly { free, .. } => Some(free >> 20),
            CardState::Missing => None,
        };
        let mut state = Map::new();
        let mut put = |key: &str, value: Value| state.insert(key.to_owned(), value);
        put(
            "identity",
            on(status.identity.health != "healthy" || status.identity.saved != "card").into(),
        );
        put("backup", on(status.newest_backup.is_none()).into());
        put("trouble", on(worst.is_some()).into());
        let message = worst.map_or("OK", |notice| notice.message.as_str());
        put("attention", cut(message).into());
        put(
            "attention_details",
            json!({
                "message": message,
                "hint": worst.map(|notice| notice.hint.as_str()),
                "code": worst.map(|notice| notice.code),
            }),
        );
        put("card_free", json!(free));
        // In steps, so that a few bytes are no news.
        put("memory", json!(status.memory.available_kib / 1024 * 1024));
        put("stream", cut(&self.stream().unwrap_or_default()).into());
        for service in &status.services {
            let running = service.state == ServiceState::Running;
            put(&format!("service_{}", key(&service.id)), on(running).into());
        }
        if let Ok(controls) = controls::of(&self.0) {
            for id in
                controls.offered_ids().into_iter().filter(|id| id.form() != ControlForm::Region)
            {
                let value = match controls.value(id) {
                    Some(Setting::On(on_now)) => on(on_now).into(),
                    Some(value) => value.json(),
                    None => Value::Null,
                };
                put(&control_key(id), value);
            }
            if let Some(motion) = controls.events().motion() {
                put("motion", on(motion).into());
            }
            if let Some(night) = controls.is_night() {
                put("night", on(night).into());
            }
        }
        Value::Object(state)
    }

    fn picture_every(&self) -> Option<Duration> {
        let seconds = self.0.state().settings.config.mqtt.picture_seconds.0;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    fn picture(&self) -> Option<Vec<u8>> {
        controls::require_on(&self.0).ok()?;
        match video::snapshot(&self.0, "mainstream", SnapshotForm::Jpeg) {
            Ok(picture) => Some(picture.body),
            Err(e) => {
                log::debug!("MQTT: no picture: {e}", e = Chain(&e));
                None
            }
        }
    }

    fn press(&self, key: &str) {
        if key == "reboot" {
            log::warn!("MQTT: restart requested");
            if let Err(e) = power::restart(&self.0) {
                log::warn!("MQTT: no restart: {e}", e = Chain(&e));
            }
            return;
        }
        let Some((.., direction)) = MOVES.iter().find(|(name, ..)| *name == key) else { return };
        let Ok(steps) = Steps::try_from(i64::from(PRESS_STEPS)) else { return };
        if let Err(e) = motors::wish(&self.0, Wish::Move { direction: *direction, steps }) {
            log::warn!("MQTT: {e}", e = Chain(&e));
        }
    }

    fn set(&self, key: &str, value: &str) {
        let Ok(controls) = controls::of(&self.0) else { return };
        let Some(id) = Id::ALL.into_iter().find(|id| control_key(*id) == key) else { return };
        match id.form().read_text(value) {
            Ok(value) => {
                if let Err(e) = controls.put(id, value) {
                    log::warn!("MQTT: '{}' was not changed: {}", id.name(), chain(&e));
                }
            }
            Err(expected) => log::warn!("MQTT: '{}' was not changed: {expected}", id.name()),
        }
    }

    fn says(&self, trouble: Option<String>) {
        let mut state = self.0.state();
        if state.network.mqtt != trouble {
            if let Some(trouble) = &trouble {
                log::info!("MQTT: {trouble}");
            }
            state.network.mqtt = trouble;
        }
    }
}
