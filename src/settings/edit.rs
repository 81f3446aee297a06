//! One value of `config.toml` changed, with the owner's comments and order kept. Pure.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::fields::{FIELDS, FieldKind};

/// Every value that is no table, by its dotted name.
pub fn leaves(map: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (section, value) in map {
        match value {
            // An empty section is one that is known or unknown, and has a name.
            Value::Object(inner) if !inner.is_empty() => found.extend(
                leaves(inner).into_iter().map(|(name, value)| (format!("{section}.{name}"), value)),
            ),
            other => found.push((section.clone(), other.clone())),
        }
    }
    found
}

/// The value of this dotted name.
pub fn lookup<'v>(document: &'v Value, name: &str) -> Option<&'v Value> {
    name.split('.').try_fold(document, |at, key| at.get(key))
}

/// Sets one value and keeps what is around it. `null`, and an empty text where that means
/// nothing, takes the line away.
///
/// # Errors
/// What was expected instead.
pub fn set(document: &mut DocumentMut, name: &str, new: &Value) -> Result<(), String> {
    let (path, key) = match name.rsplit_once('.') {
        Some((path, key)) => (Some(path), key),
        None => (None, name),
    };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for section in path.into_iter().flat_map(|path| path.split('.')) {
        let item = table.entry(section).or_insert_with(|| Item::Table(Table::new()));
        table = item.as_table_like_mut().ok_or("expected a section")?;
    }
    let optional = FIELDS
        .iter()
        .any(|f| f.name == name && matches!(f.kind, FieldKind::Text { optional: true }));
    if new.is_null() || (optional && new.as_str() == Some("")) {
        table.remove(key);
        return Ok(());
    }
    let mut item = to_toml(new).ok_or("expected a value")?;
    match table.get_mut(key) {
        Some(old) => {
            if let (Some(old), Some(new)) = (old.as_value(), item.as_value_mut()) {
                // The blank before it, and the comment behind it.
                *new.decor_mut() = old.decor().clone();
                if let (Some(old), Some(new)) = (old.as_array(), new.as_array_mut()) {
                    keep_lines(old, new);
                }
            }
            *old = item;
        }
        None => {
            table.insert(key, item);
        }
    }
    Ok(())
}

/// What stays in a list keeps its line and the comment before it; what is new gets a line where the
/// others have one.
fn keep_lines(old: &Array, new: &mut Array) {
    let first = old.get(0).and_then(|one| one.decor().prefix()?.as_str());
    let line = first.and_then(|text| text.rfind('\n').and_then(|at| text.get(at..)));
    let Some(line) = line else { return };
    for one in new.iter_mut() {
        match old.iter().find(|other| other.as_str() == one.as_str()) {
            Some(same) => *one.decor_mut() = same.decor().clone(),
            None => one.decor_mut().set_prefix(line),
        }
    }
    new.set_trailing(old.trailing().clone());
    new.set_trailing_comma(old.trailing_comma());
}

fn to_toml(new: &Value) -> Option<Item> {
    Some(match new {
        Value::Bool(b) => value(*b),
        Value::String(s) => value(s.as_str()),
        Value::Number(n) => match n.as_i64() {
            Some(whole) => value(whole),
            None => value(n.as_f64()?),
        },
        Value::Array(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(to_toml(item)?.into_value().ok()?);
            }
            value(array)
        }
        Value::Object(map) if map.is_empty() => Item::Table(Table::new()),
        Value::Object(_) | Value::Null => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(text: &str, name: &str, new: &Value) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        set(&mut document, name, new).unwrap();
        document.to_string()
    }

    #[test]
    fn comments_and_order_stay_when_a_value_changes() {
        let text =
            "# mine\n[backup] # sets\n# how many\nkeep = 5  # not less\n\n[log]\nlevel = 'info'\n";
        assert_eq!(
            with(text, "backup.keep", &json!(9)),
            "# mine\n[backup] # sets\n# how many\nkeep = 9  # not less\n\n[log]\nlevel = 'info'\n"
        );
        let added = with(text, "web.host_names", &json!(["a.lan"]));
        assert!(
            added.starts_with(text) && added.contains("[web]\nhost_names = [\"a.lan\"]"),
            "{added}"
        );
        // Of a list with a line for each, the lines that stay keep their comments.
        let text = "[camera]\nschedule = [\n  # to bed\n  \"daily 22:00 power off\",\n  \
                    \"daily 07:00 power on\", # up\n]\n";
        let lines = ["daily 22:00 power off", "sun 04:30 restart"];
        assert_eq!(
            with(text, "camera.schedule", &json!(lines)),
            "[camera]\nschedule = [\n  # to bed\n  \"daily 22:00 power off\",\n  \
             \"sun 04:30 restart\", # up\n]\n"
        );
        assert_eq!(
            with("[camera]\nschedule = [\"a\", \"b\"] # all\n", "camera.schedule", &json!(["b"])),
            "[camera]\nschedule = [\"b\"] # all\n"
        );
        let gone = with("[web]\n# where\nlisten = \"0.0.0.0:81\"\n", "web.listen", &json!(""));
        assert!(!gone.contains("81"), "{gone}");
    }
}
