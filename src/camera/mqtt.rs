//! This camera as a device of Home Assistant: what it tells, and what its buttons do.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Camera, citizen, host, power, services, status};
use crate::mqtt::client::{self, Broker, Home};
use crate::mqtt::discovery::{Device, Entity, Kind, key};
use crate::services::State;
use crate::services::ptz::{Direction, Steps, Wish};

/// Stack of the thread; measured on the look at the whole status.
const STACK: usize = 192 << 10;
/// Steps of one press.
const PRESS_STEPS: u16 = 10;

/// Starts it; without a broker in the settings it waits for one.
pub fn start(camera: &Arc<Camera>) {
    let home = OnCamera(Arc::clone(camera));
    let thread = std::thread::Builder::new().name("mqtt".into()).stack_size(STACK);
    if let Err(e) = thread.spawn(move || client::keep(&home)) {
        log::error!("the thread 'mqtt' does not start: {e}");
    }
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

    fn has_motors(&self) -> bool {
        services::brief(&self.0)
            .iter()
            .any(|s| s.id == crate::services::ptz::HACK && s.state == State::Running)
    }
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
        let entity = |kind, key: &str, name: &str, icon| Entity {
            kind,
            key: key.to_owned(),
            name: name.to_owned(),
            icon,
        };
        let mut entities = vec![
            entity(Kind::Problem, "identity", "Identity at risk", "mdi:card-account-details"),
            entity(Kind::Problem, "backup", "Backup missing", "mdi:content-save-alert"),
            entity(Kind::Problem, "trouble", "Needs attention", "mdi:alert"),
            entity(Kind::Sensor, "attention", "What it says", "mdi:message-alert"),
            entity(Kind::Sensor, "card_free", "Free on the card (MiB)", "mdi:sd"),
            entity(Kind::Sensor, "memory", "Memory left (KiB)", "mdi:memory"),
            entity(Kind::Sensor, "stream", "Main stream", "mdi:cctv"),
            entity(Kind::Button, "reboot", "Restart", "mdi:restart"),
        ];
        for service in &status.services {
            entities.push(Entity {
                kind: Kind::Running,
                key: format!("service_{}", key(&service.id)),
                name: service.name.clone(),
                icon: "mdi:cog",
            });
        }
        if self.has_motors() {
            for (key, name, _) in MOVES {
                entities.push(entity(Kind::Button, key, name, "mdi:arrow-all"));
            }
        }
        Device {
            id: format!("mi360_{}", key(&own)),
            name: citizen::host_name(&self.0),
            model: status.model,
            version: status.program.to_owned(),
            url: self.url(),
            entities,
        }
    }

    fn state(&self) -> Value {
        let status = status::of(&self.0);
        let on = |wrong: bool| if wrong { "ON" } else { "OFF" };
        let worst = status.notices.first();
        let free = match status.card {
            crate::card::CardState::Ready { free, .. }
            | crate::card::CardState::ReadOnly { free, .. } => free >> 20,
            crate::card::CardState::Missing => 0,
        };
        let stream = host::addresses().into_iter().next();
        let mut state = Map::new();
        let mut put = |key: &str, value: Value| state.insert(key.to_owned(), value);
        put(
            "identity",
            on(status.identity.health != "healthy" || status.identity.saved != "card").into(),
        );
        put("backup", on(status.newest_backup.is_none()).into());
        put("trouble", on(worst.is_some()).into());
        put("attention", worst.map_or("all is well", |notice| notice.message.as_str()).into());
        put("card_free", json!(free));
        // In steps, so that a few bytes are no news.
        put("memory", json!(status.memory.available_kib / 1024 * 1024));
        let address = stream.map(|ip| format!("rtsp://{ip}:8554/mainstream"));
        put("stream", address.unwrap_or_default().into());
        for service in &status.services {
            let running = service.state == State::Running;
            put(&format!("service_{}", key(&service.id)), on(running).into());
        }
        Value::Object(state)
    }

    fn press(&self, key: &str) {
        if key == "reboot" {
            log::warn!("MQTT: a restart was asked for");
            if let Err(e) = power::restart(&self.0) {
                log::warn!("MQTT: no restart: {e}");
            }
            return;
        }
        let Some((.., direction)) = MOVES.iter().find(|(name, ..)| *name == key) else { return };
        let Ok(steps) = Steps::try_from(i64::from(PRESS_STEPS)) else { return };
        if let Err(e) = services::ptz(&self.0, Wish::Move { direction: *direction, steps }) {
            log::warn!("MQTT: {e}");
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
