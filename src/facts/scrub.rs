//! The last check of the document: whatever was gathered, no value of FACTORY, CONFIG or the live
//! settings that belongs to one owner stays in it, and no network address of a device. Pure.

use serde_json::Value;

use super::Facts;
use crate::image::redact::secrets::Secrets;

/// Fields that are hashes: a short secret may be in their digits by chance, and nothing is told by
/// that.
const HASHES: [&str; 2] = ["sha256", "firmware"];
/// What takes the place of a device's address.
const ADDRESS: &str = "xx:xx:xx:xx:xx:xx";

/// The document without them; empty where it cannot be checked, which its types rule out.
pub fn clean(facts: &Facts, secrets: &Secrets) -> Facts {
    let Ok(mut value) = serde_json::to_value(facts) else { return Facts::default() };
    walk(&mut value, secrets);
    serde_json::from_value(value).unwrap_or_default()
}

fn walk(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => *text = clean_text(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, secrets)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if !HASHES.contains(&name.as_str()) {
                    walk(field, secrets);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn clean_text(text: &str, secrets: &Secrets) -> String {
    let mut bytes = text.as_bytes().to_vec();
    secrets.blank(&mut bytes);
    while let Some(at) = bytes.windows(ADDRESS.len()).position(is_address) {
        bytes[at..at + ADDRESS.len()].copy_from_slice(ADDRESS.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Six pairs of hex digits with colons between them.
fn is_address(window: &[u8]) -> bool {
    window.iter().enumerate().all(|(i, byte)| match i % 3 {
        2 => *byte == b':',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{FileFact, Machine};

    #[test]
    fn a_secret_goes_from_every_text_but_a_hash() {
        let mut secrets = Secrets::default();
        secrets.read_text(b"miio_passwd=geheim42\0");
        let hash = "geheim42geheim42".to_owned();
        let facts = Facts {
            model: "chuangmi.camera.ipc019".to_owned(),
            machine: Some(Machine {
                kernel: "Linux geheim42 at 7c:49:EB:00:00:01".to_owned(),
                mounts: vec!["/dev/geheim42 / x".to_owned()],
                files: vec![FileFact {
                    path: "/bin/geheim42".into(),
                    size: 1,
                    sha256: hash.clone(),
                }],
                ..Machine::default()
            }),
            ..Facts::default()
        };
        let clean = clean(&facts, &secrets);
        let machine = clean.machine.unwrap();
        assert_eq!(machine.kernel, "Linux xxxxxxxx at xx:xx:xx:xx:xx:xx");
        assert_eq!(machine.mounts, ["/dev/xxxxxxxx / x"]);
        assert_eq!(machine.files[0].path, "/bin/xxxxxxxx");
        assert_eq!(machine.files[0].sha256, hash);
        assert_eq!(clean.model, "chuangmi.camera.ipc019");
    }
}
