//! What Home Assistant's MQTT discovery wants to hear
//! (home-assistant.io/integrations/mqtt): one retained document for each entity,
//! all of them of one device. Pure.

use serde_json::{Value, json};

/// A device and its entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Letters, digits and `_`; the same for the life of the camera.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Its model.
    pub model: String,
    /// This program's version.
    pub version: String,
    /// Its page.
    pub url: Option<String>,
    /// Its entities.
    pub entities: Vec<Entity>,
}

/// One entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// `sensor`, `binary_sensor` or `button`.
    pub kind: Kind,
    /// Its key in the state; letters, digits and `_`.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// An icon of Home Assistant's, `mdi:cctv` for example.
    pub icon: &'static str,
}

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text or a number.
    Sensor,
    /// On where something is wrong.
    Problem,
    /// On where something runs.
    Running,
    /// Something to press.
    Button,
}

impl Kind {
    fn component(self) -> &'static str {
        match self {
            Kind::Sensor => "sensor",
            Kind::Problem | Kind::Running => "binary_sensor",
            Kind::Button => "button",
        }
    }
}

impl Device {
    /// Where its state is told.
    pub fn state_topic(&self) -> String {
        format!("mi360d/{}/state", self.id)
    }

    /// Where it is told whether it is there.
    pub fn availability_topic(&self) -> String {
        format!("mi360d/{}/availability", self.id)
    }

    /// Where its buttons are pressed: the key stands behind it.
    pub fn command_topic(&self) -> String {
        format!("mi360d/{}/press/", self.id)
    }

    /// All discovery documents: topic and payload.
    pub fn documents(&self, prefix: &str) -> Vec<(String, Value)> {
        self.entities.iter().map(|entity| self.document(prefix, entity)).collect()
    }

    fn document(&self, prefix: &str, entity: &Entity) -> (String, Value) {
        let component = entity.kind.component();
        let topic = format!("{prefix}/{component}/{}/{}/config", self.id, entity.key);
        let mut document = json!({
            "name": entity.name,
            "unique_id": format!("{}_{}", self.id, entity.key),
            "object_id": format!("{}_{}", self.id, entity.key),
            "icon": entity.icon,
            "availability_topic": self.availability_topic(),
            "device": {
                "identifiers": [self.id],
                "name": self.name,
                "manufacturer": "Xiaomi",
                "model": self.model,
                "sw_version": format!("mi360d {}", self.version),
            },
            "origin": { "name": "mi360d", "sw_version": self.version },
        });
        let mut put = |key: &str, value: Value| {
            if let Some(map) = document.as_object_mut() {
                map.insert(key.to_owned(), value);
            }
        };
        let template = format!("{{{{ value_json.{} }}}}", entity.key);
        match entity.kind {
            Kind::Button => {
                put("command_topic", format!("{}{}", self.command_topic(), entity.key).into());
                put("payload_press", "PRESS".into());
            }
            Kind::Sensor => {
                put("state_topic", self.state_topic().into());
                put("value_template", template.into());
            }
            Kind::Problem | Kind::Running => {
                let class = if entity.kind == Kind::Problem { "problem" } else { "running" };
                put("state_topic", self.state_topic().into());
                put("value_template", template.into());
                put("payload_on", "ON".into());
                put("payload_off", "OFF".into());
                put("device_class", class.into());
            }
        }
        if let (Some(url), Some(device)) = (&self.url, document["device"].as_object_mut()) {
            device.insert("configuration_url".to_owned(), url.as_str().into());
        }
        (topic, document)
    }
}

/// A text as part of a topic or a key.
pub fn key(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().take(60).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entity_has_what_home_assistant_asks_for() {
        let entity =
            |kind, key: &str| Entity { kind, key: key.into(), name: key.into(), icon: "mdi:cctv" };
        let device = Device {
            id: "mi360_1".into(),
            name: "Porch".into(),
            model: "ipc009".into(),
            version: "1".into(),
            url: Some("http://a/".into()),
            entities: vec![
                entity(Kind::Sensor, "model"),
                entity(Kind::Problem, "identity"),
                entity(Kind::Button, "reboot"),
            ],
        };
        let documents = device.documents("homeassistant");
        let topics: Vec<&str> = documents.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "homeassistant/sensor/mi360_1/model/config",
                "homeassistant/binary_sensor/mi360_1/identity/config",
                "homeassistant/button/mi360_1/reboot/config",
            ]
        );
        for (_, document) in &documents {
            assert_eq!(document["device"]["identifiers"], json!(["mi360_1"]));
            assert_eq!(document["device"]["configuration_url"], "http://a/");
            assert_eq!(document["availability_topic"], "mi360d/mi360_1/availability");
        }
        assert_eq!(documents[0].1["value_template"], "{{ value_json.model }}");
        assert_eq!(documents[1].1["device_class"], "problem");
        assert_eq!(documents[2].1["command_topic"], "mi360d/mi360_1/press/reboot");
        assert_eq!(key("SSH-Server é"), "ssh_server__");
    }
}
