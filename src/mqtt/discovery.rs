//! Documents of Home Assistant's MQTT discovery (home-assistant.io/integrations/mqtt): one retained
//! document for each entity, all of them of one device. Pure.

use serde_json::{Value, json};

/// Characters of a state that Home Assistant takes; a longer one it refuses whole.
pub const LONGEST_STATE: usize = 255;

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
    /// Whether these are all of its entities: then any other that was announced is taken back.
    pub complete: bool,
}

/// One entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Its key in the state; letters, digits and `_`.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// An icon of Home Assistant's, `mdi:cctv` for example.
    pub icon: &'static str,
    /// Where Home Assistant lists it.
    pub category: Category,
}

/// Where Home Assistant lists an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Among what the device is for.
    Main,
    /// Among what changes the device itself.
    Config,
    /// Among what tells how the device is.
    Diagnostic,
}

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// A text, cut by [`cut`]; `{key}_details` of the state are its attributes.
    Text,
    /// A measured number.
    Number {
        /// Home Assistant's class of sensors, `data_size` for example.
        class: &'static str,
        /// A unit that this class has.
        unit: &'static str,
    },
    /// On where something is wrong.
    Problem,
    /// On where something runs.
    Running,
    /// Something to press.
    Button {
        /// Home Assistant's class of buttons, if one fits.
        class: Option<&'static str>,
    },
    /// Pictures, as JPEG files.
    Camera,
    /// Something that is on or off, and can be set.
    Switch,
    /// One of these words, and can be set.
    Select {
        /// The words.
        options: &'static [&'static str],
    },
    /// A number that can be set.
    Level {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// Its unit.
        unit: &'static str,
    },
    /// On while something is the case.
    Detected {
        /// Home Assistant's class of binary sensors, if one fits.
        class: Option<&'static str>,
    },
}

impl EntityKind {
    fn component(self) -> &'static str {
        match self {
            EntityKind::Text | EntityKind::Number { .. } => "sensor",
            EntityKind::Problem | EntityKind::Running | EntityKind::Detected { .. } => {
                "binary_sensor"
            }
            EntityKind::Button { .. } => "button",
            EntityKind::Camera => "camera",
            EntityKind::Switch => "switch",
            EntityKind::Select { .. } => "select",
            EntityKind::Level { .. } => "number",
        }
    }

    fn class(self) -> Option<&'static str> {
        match self {
            EntityKind::Text
            | EntityKind::Camera
            | EntityKind::Switch
            | EntityKind::Select { .. }
            | EntityKind::Level { .. } => None,
            EntityKind::Number { class, .. } => Some(class),
            EntityKind::Problem => Some("problem"),
            EntityKind::Running => Some("running"),
            EntityKind::Button { class } | EntityKind::Detected { class } => class,
        }
    }
}

/// A text that Home Assistant takes as a state: a longer one ends in an ellipsis.
pub fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_STATE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST_STATE - 1).collect();
    format!("{}\u{2026}", kept.trim_end())
}

impl Device {
    /// The topic of its state.
    pub fn state_topic(&self) -> String {
        format!("mi360d/{}/state", self.id)
    }

    /// The topic of its availability.
    pub fn availability_topic(&self) -> String {
        format!("mi360d/{}/availability", self.id)
    }

    /// Where its buttons are pressed: the key is behind it.
    pub fn command_topic(&self) -> String {
        format!("mi360d/{}/press/", self.id)
    }

    /// The topic of its pictures.
    pub fn picture_topic(&self) -> String {
        format!("mi360d/{}/picture", self.id)
    }

    /// Whether it sends pictures.
    pub fn has_pictures(&self) -> bool {
        self.entities.iter().any(|entity| entity.kind == EntityKind::Camera)
    }

    /// Where its values are set: the key is behind it.
    pub fn set_topic(&self) -> String {
        format!("mi360d/{}/set/", self.id)
    }

    /// All discovery documents: topic and payload.
    pub fn documents(&self, prefix: &str) -> Vec<(String, Value)> {
        self.entities.iter().map(|entity| self.document(prefix, entity)).collect()
    }

    fn document(&self, prefix: &str, entity: &Entity) -> (String, Value) {
        let component = entity.kind.component();
        let topic = format!("{prefix}/{component}/{}/{}/config", self.id, entity.key);
        let id = format!("{}_{}", self.id, entity.key);
        let mut document = json!({
            "name": entity.name,
            "unique_id": id,
            // Before 2025.10 Home Assistant knows only the first, from 2026.4 on only the second.
            "object_id": id,
            "default_entity_id": format!("{component}.{id}"),
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
        match entity.category {
            Category::Main => {}
            Category::Config => put("entity_category", "config".into()),
            Category::Diagnostic => put("entity_category", "diagnostic".into()),
        }
        if let Some(class) = entity.kind.class() {
            put("device_class", class.into());
        }
        // What is not in the state is unknown: a state may arrive before its document is taken back.
        let value = |otherwise: &str| {
            Value::from(format!("{{{{ value_json.{} | default({otherwise}) }}}}", entity.key))
        };
        match entity.kind {
            EntityKind::Button { .. } => {
                put("command_topic", format!("{}{}", self.command_topic(), entity.key).into());
                put("payload_press", "PRESS".into());
            }
            EntityKind::Camera => put("topic", self.picture_topic().into()),
            _ => put("state_topic", self.state_topic().into()),
        }
        if matches!(
            entity.kind,
            EntityKind::Switch | EntityKind::Select { .. } | EntityKind::Level { .. }
        ) {
            put("command_topic", format!("{}{}", self.set_topic(), entity.key).into());
            put("value_template", value("none"));
        }
        match entity.kind {
            EntityKind::Button { .. } | EntityKind::Camera => {}
            EntityKind::Switch => {
                put("payload_on", "ON".into());
                put("payload_off", "OFF".into());
            }
            EntityKind::Select { options } => put("options", json!(options)),
            EntityKind::Level { min, max, unit } => {
                put("min", min.into());
                put("max", max.into());
                put("step", 1.into());
                put("unit_of_measurement", unit.into());
            }
            EntityKind::Text => {
                let details = format!("value_json.{}_details | default({{}})", entity.key);
                put("value_template", value("''"));
                put("json_attributes_topic", self.state_topic().into());
                put("json_attributes_template", format!("{{{{ {details} | tojson }}}}").into());
            }
            EntityKind::Number { unit, .. } => {
                put("value_template", value("none"));
                put("unit_of_measurement", unit.into());
                put("state_class", "measurement".into());
            }
            EntityKind::Problem | EntityKind::Running | EntityKind::Detected { .. } => {
                put("value_template", value("none"));
                put("payload_on", "ON".into());
                put("payload_off", "OFF".into());
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
        let entity = |kind, key: &str, category| Entity {
            kind,
            key: key.into(),
            name: key.into(),
            icon: "mdi:cctv",
            category,
        };
        let size = EntityKind::Number { class: "data_size", unit: "MiB" };
        let device = Device {
            id: "mi360_1".into(),
            name: "Porch".into(),
            model: "ipc009".into(),
            version: "1".into(),
            url: Some("http://a/".into()),
            complete: true,
            entities: vec![
                entity(EntityKind::Text, "attention", Category::Diagnostic),
                entity(EntityKind::Problem, "identity", Category::Diagnostic),
                entity(EntityKind::Button { class: Some("restart") }, "reboot", Category::Config),
                entity(size, "card_free", Category::Diagnostic),
                entity(EntityKind::Button { class: None }, "left", Category::Main),
                entity(EntityKind::Camera, "picture", Category::Main),
            ],
        };
        let documents = device.documents("homeassistant");
        let topics: Vec<&str> = documents.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "homeassistant/sensor/mi360_1/attention/config",
                "homeassistant/binary_sensor/mi360_1/identity/config",
                "homeassistant/button/mi360_1/reboot/config",
                "homeassistant/sensor/mi360_1/card_free/config",
                "homeassistant/button/mi360_1/left/config",
                "homeassistant/camera/mi360_1/picture/config",
            ]
        );
        for (_, document) in &documents {
            assert_eq!(document["device"]["identifiers"], json!(["mi360_1"]));
            assert_eq!(document["device"]["configuration_url"], "http://a/");
            assert_eq!(document["availability_topic"], "mi360d/mi360_1/availability");
        }
        let [attention, identity, reboot, card_free, left, picture] = &documents[..] else {
            panic!()
        };
        assert!(device.has_pictures());
        assert_eq!(picture.1["topic"], "mi360d/mi360_1/picture");
        assert_eq!(picture.1["state_topic"], Value::Null, "a camera has none");
        let expected = json!({
            "value_template": "{{ value_json.attention | default('') }}",
            "json_attributes_topic": "mi360d/mi360_1/state",
            "json_attributes_template": "{{ value_json.attention_details | default({}) | tojson }}",
            "default_entity_id": "sensor.mi360_1_attention",
            "object_id": "mi360_1_attention",
            "entity_category": "diagnostic",
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&attention.1[key], value, "{key}");
        }
        assert_eq!(identity.1["device_class"], "problem");
        assert_eq!(reboot.1["command_topic"], "mi360d/mi360_1/press/reboot");
        assert_eq!(reboot.1["entity_category"], "config");
        assert_eq!(reboot.1["device_class"], "restart");
        assert_eq!(left.1["entity_category"], Value::Null);
        assert_eq!(card_free.1["device_class"], "data_size");
        assert_eq!(card_free.1["unit_of_measurement"], "MiB");
        assert_eq!(card_free.1["state_class"], "measurement");
        assert_eq!(key("SSH-Server é"), "ssh_server__");
    }

    #[test]
    fn what_can_be_set_has_its_topic_and_its_range() {
        let entity = |kind, key: &str| Entity {
            kind,
            key: key.into(),
            name: key.into(),
            icon: "mdi:cctv",
            category: Category::Main,
        };
        let device = Device {
            id: "mi360_1".into(),
            name: "Porch".into(),
            model: "ipc019".into(),
            version: "1".into(),
            url: None,
            complete: true,
            entities: vec![
                entity(EntityKind::Switch, "control_flip"),
                entity(EntityKind::Select { options: &["auto", "day"] }, "control_night"),
                entity(EntityKind::Level { min: -25, max: 0, unit: "dB" }, "control_volume"),
                entity(EntityKind::Detected { class: Some("motion") }, "motion"),
            ],
        };
        let documents = device.documents("ha");
        let topics: Vec<&str> = documents.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "ha/switch/mi360_1/control_flip/config",
                "ha/select/mi360_1/control_night/config",
                "ha/number/mi360_1/control_volume/config",
                "ha/binary_sensor/mi360_1/motion/config",
            ]
        );
        let [flip, night, volume, motion] = &documents[..] else { panic!() };
        assert_eq!(flip.1["command_topic"], "mi360d/mi360_1/set/control_flip");
        assert_eq!(flip.1["state_topic"], "mi360d/mi360_1/state");
        assert_eq!(night.1["options"], json!(["auto", "day"]));
        assert_eq!((&volume.1["min"], &volume.1["max"]), (&json!(-25), &json!(0)));
        assert_eq!(motion.1["device_class"], "motion");
        assert_eq!(motion.1["command_topic"], Value::Null);
    }

    #[test]
    fn a_text_of_any_length_is_a_state_that_home_assistant_takes() {
        for (text, length) in [(String::new(), 0), ("é".repeat(255), 255), ("é".repeat(256), 255)]
        {
            assert_eq!(cut(&text).chars().count(), length);
        }
        assert_eq!(cut(&"é".repeat(255)), "é".repeat(255));
        let long = format!("{} {}", "a".repeat(253), "b".repeat(400));
        assert_eq!(cut(&long), format!("{}\u{2026}", "a".repeat(253)));
    }
}
