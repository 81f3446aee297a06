//! `GET /api/v1/openapi.json`: the paths from the table of routes, the settings from their fields,
//! the other schemas from `schemas.json`.

use serde_json::{Map, Value, json};

use super::asked::Answer;
use super::guard::Access;
use super::packed::SCHEMAS;
use super::reply;
use super::route::{Gives, Route};
use crate::camera::settings::{FIELDS, FieldKind};
use crate::error::Code;

pub(super) fn document(routes: &[Route]) -> Answer {
    let schemas = SCHEMAS.text();
    let schemas = schemas.trim().strip_prefix('{').unwrap_or_default();
    let body = format!(
        "{{\"openapi\":\"3.1.0\",\"info\":{},\"security\":[{{\"session\":[]}},{{\"token\":[]}}],\
         \"paths\":{},\"components\":{{\"securitySchemes\":{},\"schemas\":{{\"Config\":{},\"ErrorCode\":{},{schemas}}}}}",
        json!({
            "title": "mi360d",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A camera that saves, verifies and flashes its own firmware. A browser \
                session sends its csrf in X-CSRF-Token with every changing call; a token needs \
                none."
        }),
        paths(routes),
        json!({
            "session": { "type": "apiKey", "in": "cookie", "name": super::guard::COOKIE },
            "token": { "type": "http", "scheme": "bearer" },
            "streams": { "type": "http", "scheme": "digest" }
        }),
        config(),
        error_code(),
    );
    Ok(reply::bytes(200, "application/json", body.into_bytes()))
}

fn paths(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let row = paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()));
        if let Some(row) = row.as_object_mut() {
            row.insert(route.method.to_ascii_lowercase(), operation(route));
        }
    }
    Value::Object(paths)
}

fn operation(route: &Route) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let (status, good) = match route.gives {
        Gives::Json(status, name) => {
            (status, json!({ "application/json": { "schema": schema(name) } }))
        }
        Gives::Bytes(kind) => (200, json!({ kind: {} })),
        Gives::Any(kinds) => {
            let each = kinds.iter().map(|kind| ((*kind).to_owned(), json!({})));
            (200, Value::Object(each.collect()))
        }
    };
    let mut operation = json!({
        "summary": route.summary,
        "responses": {
            status.to_string(): { "description": "Done", "content": good },
            "default": {
                "description": "Not done",
                "content": { "application/json": { "schema": schema("Error") } }
            }
        }
    });
    if route.access == Access::Streams {
        // Refused in the words of those who ask.
        operation["responses"]["default"]["content"]["application/soap+xml"] = json!({});
    }
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name, "in": "path", "required": true, "schema": { "type": "string" }
            })
        })
        .collect();
    for (name, kind) in route.query {
        let mut schema = json!({ "type": kind });
        if *kind == "integer" {
            schema["minimum"] = 0.into();
        } else {
            schema["enum"] = json!(["error", "warn", "info", "debug"]);
        }
        parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
    }
    if route.access != Access::Open && route.method != "GET" {
        parameters.push(json!({
            "name": "X-CSRF-Token", "in": "header", "schema": { "type": "string" },
            "description": "Of the session; a token needs none."
        }));
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    match route.takes {
        None => {}
        Some(name @ ("File" | "Soap")) => {
            let kind = if name == "File" { "octet-stream" } else { "soap+xml" };
            operation["requestBody"] = json!({
                "required": true,
                "content": { format!("application/{kind}"): {} }
            });
        }
        Some(name) => {
            operation["requestBody"] = json!({
                "required": true,
                "content": { "application/json": { "schema": schema(name) } }
            });
            if name == "PlaySound" {
                operation["requestBody"]["content"]["audio/wav"] = json!({});
            }
        }
    }
    match route.access {
        Access::Open => operation["security"] = json!([]),
        Access::Owner => operation["security"] = json!([{ "session": [] }]),
        Access::Streams => operation["security"] = json!([{ "streams": [] }]),
        Access::Login => {}
    }
    operation
}

/// The codes of errors; a refusal may carry the code of the finding that is its reason.
fn error_code() -> Value {
    let known: Vec<&str> = Code::ON_PAGE.iter().map(|code| code.name()).collect();
    json!({
        "description": "A stable name; a refusal may have the name of a finding.",
        "anyOf": [{ "enum": known }, { "type": "string", "pattern": "^[a-z0-9-]+$" }]
    })
}

/// The settings that have a row of their own; there may be more.
fn config() -> Value {
    let mut sections = Map::new();
    for field in FIELDS {
        let Some((section, name)) = field.name.split_once('.') else { continue };
        let mut schema = match field.kind {
            FieldKind::Bool => json!({ "type": "boolean" }),
            FieldKind::Integer { min, max } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            FieldKind::Choice { choices } => json!({ "type": "string", "enum": choices }),
            FieldKind::Text { optional: true } => json!({ "type": ["string", "null"] }),
            FieldKind::Text { .. } | FieldKind::Secret => json!({ "type": "string" }),
            FieldKind::List => json!({ "type": "array", "items": { "type": "string" } }),
        };
        schema["description"] = field.help.into();
        let section = sections
            .entry(section)
            .or_insert_with(|| json!({ "type": "object", "properties": {} }));
        section["properties"][name] = schema;
    }
    json!({ "type": "object", "properties": sections })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes::ROUTES;

    #[test]
    fn every_schema_that_a_route_names_is_there() {
        let schemas: Value = serde_json::from_str(&SCHEMAS.text()).unwrap();
        for route in ROUTES {
            let Gives::Json(_, gives) = route.gives else { continue };
            for name in [Some(gives), route.takes].into_iter().flatten() {
                let known = ["Config", "ErrorCode", "File", "Soap"].contains(&name)
                    || schemas.get(name).is_some();
                assert!(known, "{name} of {}", route.path);
            }
        }
    }
}
