//! The one table of all calls, with access and body: the check of every request and
//! the OpenAPI document both come from it, so no route can forget either.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};

use tiny_http::Request;

use super::api::{
    backups, config, controls, downloads, events, flash, framegrabber, images, jobs, onvif, ptz,
    recordings, services, session, sounds, system, tokens, update, video,
};
use super::asked::{Answer, Asked};
use super::context::Context;
use super::guard::{self, Access, Asking};
use super::problem::Problem;
use super::reply::{self};
use super::route::{Gives, Handler, Route};
use super::{backend, page};
use crate::access::login::Caller;
use crate::error::Code;

use Access::{Login, Open, Owner, Streams};

/// Bytes of a body that are read; the gate lets no more through.
const BODY_LIMIT: u64 = 64 * 1024;

const fn get(
    path: &'static str,
    access: Access,
    gives: Gives,
    handler: Handler,
    summary: &'static str,
) -> Route {
    Route { method: "GET", path, access, takes: None, gives, query: &[], summary, handler }
}

const fn change(
    method: &'static str,
    path: &'static str,
    access: Access,
    takes: Option<&'static str>,
    gives: Gives,
    handler: Handler,
    summary: &'static str,
) -> Route {
    Route { method, path, access, takes, gives, query: &[], summary, handler }
}

const fn asks(route: Route, query: &'static [(&'static str, &'static str)]) -> Route {
    Route { query, ..route }
}

const fn ok(schema: &'static str) -> Gives {
    Gives::Json(200, schema)
}

const HTML: Gives = Gives::Bytes("text/html; charset=utf-8");
const BYTES: Gives = Gives::Bytes("application/octet-stream");
const PICTURE: Gives = Gives::Any(&["image/jpeg", "video/mp4", "application/octet-stream"]);
const SOAP: Gives = Gives::Bytes("application/soap+xml");
const JOB: Gives = Gives::Json(202, "Job");

/// Every route. An upload is judged by its row too, and taken by the gate.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    get("/", Open, HTML, page::page, "The page"),
    get("/mi360d.css", Open, Gives::Bytes(page::CSS), page::style, "Its style sheet"),
    get("/mi360d.js", Open, Gives::Bytes(page::JS), page::script, "The modules of the first view"),
    get("/more.js", Open, Gives::Bytes(page::JS), page::more, "The modules of the other views"),
    get("/en.json", Open, Gives::Bytes(page::TEXTS), page::english, "Its texts in English"),
    get("/zones.json", Open, Gives::Bytes(page::TEXTS), page::zones, "Cities and their time zones"),
    get("/pt.json", Open, Gives::Bytes(page::TEXTS), page::portuguese, "Its texts in Portuguese"),
    get("/pt-said.json", Open, Gives::Bytes(page::TEXTS), page::portuguese_said, "What the camera says, in Portuguese"),
    get("/healthz", Open, Gives::Bytes("text/plain; charset=utf-8"), system::health, "Whether the \
        server is alive"),
    change("POST", "/api/v1/setup", Open, Some("Setup"), ok("Session"), session::setup, "Sets the \
        first password, with the code from the card"),
    change("POST", "/api/v1/login", Open, Some("Login"), ok("Session"), session::login, "Starts a \
        session, with the password"),
    change("POST", "/api/v1/logout", Login, None, ok("Empty"), session::logout, "Ends the session"),
    get("/api/v1/session", Owner, ok("Session"), session::session, "The session's CSRF token, again"),
    change("POST", "/api/v1/password", Owner, Some("NewPassword"), ok("Session"), session::password, "Changes \
        the password; ends all sessions"),
    get("/api/v1/tokens", Owner, ok("Tokens"), tokens::list, "The tokens for scripts"),
    change("POST", "/api/v1/tokens", Owner, Some("NewToken"), Gives::Json(201, "MadeToken"), tokens::make, "Creates \
        a token, shown only once"),
    change("DELETE", "/api/v1/tokens/{id}", Owner, None, ok("Empty"), tokens::revoke, "Revokes a \
        token"),
    get("/api/v1/openapi.json", Login, ok("Any"), openapi, "This document"),
    get("/api/v1/status", Login, ok("Status"), system::status, "The camera's status"),
    get("/api/v1/flash", Login, ok("Flash"), flash::map, "The chip: partitions and blocks"),
    get("/api/v1/backups", Login, ok("Backups"), backups::list, "The backups on the card"),
    change("POST", "/api/v1/backups", Login, None, JOB, backups::make, "Makes a backup"),
    get("/api/v1/backups/{id}", Login, ok("Backup"), backups::one, "One backup"),
    change("DELETE", "/api/v1/backups/{id}", Login, None, ok("Empty"), backups::delete, "Deletes a backup that is not protected"),
    change("POST", "/api/v1/backups/{id}/verify", Login, None, JOB, backups::verify, "Verifies a \
        backup: reads all of it again"),
    change("POST", "/api/v1/backups/{id}/download", Login, Some("Download"), ok("Ticket"), downloads::ticket, "A \
        ticket for one download, valid for one minute"),
    get("/api/v1/downloads/{ticket}", Login, BYTES, downloads::file, "The file for a ticket"),
    get("/api/v1/images", Login, ok("Images"), images::list, "Uploaded images"),
    change("POST", "/api/v1/images", Login, Some("File"), Gives::Json(201, "Image"), images::without_length, "Uploads \
        an image, and says what it is"),
    change("DELETE", "/api/v1/images/{id}", Login, None, ok("Empty"), images::delete, "Deletes an image"),
    change("POST", "/api/v1/plans", Login, Some("NewPlan"), ok("Plan"), flash::plan, "What flashing an image or a backup would do; changes nothing"),
    change("POST", "/api/v1/jobs", Login, Some("Agreed"), JOB, flash::begin, "Flashes a plan, \
        with its phrase"),
    change("POST", "/api/v1/resume", Login, None, JOB, flash::resume, "Continues an interrupted \
        flash"),
    change("DELETE", "/api/v1/flash/ended", Login, None, ok("Empty"), flash::ended_is_read, "Notes \
        that the owner has read how a flash ended after a power cut"),
    get("/api/v1/jobs", Login, ok("Jobs"), jobs::list, "The jobs since the start"),
    asks(get("/api/v1/jobs/{id}", Login, ok("Job"), jobs::one, "One job; waits for news"), &[("wait", "integer"), ("since", "integer")]),
    get("/api/v1/services", Login, ok("Services"), services::list, "The hacks on the card"),
    get("/api/v1/services/{id}", Login, ok("Service"), services::one, "One hack"),
    change("PUT", "/api/v1/services/{id}", Login, Some("PutService"), ok("Service"), services::change, "Turns \
        a hack on or off, and changes its settings"),
    change("POST", "/api/v1/services/{id}/restart", Login, None, ok("Service"), services::restart, "Restarts \
        a hack"),
    get("/api/v1/services/{id}/log", Login, ok("ServiceLog"), services::log, "The last lines that a hack printed"),
    asks(get("/api/v1/controls", Login, ok("Controls"), controls::list, "The controls that this \
        camera's firmware has; waits for news"), &[("wait", "integer"), ("since", "integer")]),
    change("DELETE", "/api/v1/controls", Login, None, ok("Controls"), controls::restore_all, "Restores \
        every control to its value before the first change"),
    get("/api/v1/controls/{id}", Login, ok("Control"), controls::one, "One control"),
    change("PUT", "/api/v1/controls/{id}", Login, Some("NewValue"), ok("Control"), controls::set, "Changes \
        a control, and waits until the firmware confirms it"),
    change("DELETE", "/api/v1/controls/{id}", Login, None, ok("Control"), controls::restore, "Restores \
        a control to its value before the first change"),
    asks(get("/api/v1/events", Login, ok("Events"), events::list, "Events: motion, day and night, \
        button, firmware; waits for news"), &[("wait", "integer"), ("since", "integer")]),
    get("/api/v1/events/{seq}/picture", Login, Gives::Bytes("image/jpeg"), events::picture, "The picture of an event"),
    get("/api/v1/schedule", Login, ok("Schedule"), config::schedule, "The schedule, with the next time of each entry"),
    get("/api/v1/ptz", Login, ok("Motors"), ptz::show, "The camera's direction, and its presets"),
    change("POST", "/api/v1/ptz", Login, Some("Ptz"), ok("Motors"), ptz::ask, "Moves the camera: \
        for some time, to a position, to a preset"),
    get("/api/v1/ptz/presets", Login, ok("Presets"), ptz::presets, "The presets"),
    change("POST", "/api/v1/ptz/presets", Login, Some("NewPreset"), Gives::Json(201, "Preset"), ptz::keep, "Saves \
        the camera's direction, or a position, as a preset"),
    change("DELETE", "/api/v1/ptz/presets/{id}", Login, None, ok("Empty"), ptz::forget, "Deletes a preset"),
    get("/api/v1/framegrabber", Login, ok("Framegrabber"), framegrabber::show, "What the camera's pictures need, and their codec"),
    change("POST", "/api/v1/framegrabber", Owner, Some("NewFramegrabber"), ok("Framegrabber"), framegrabber::install, "Installs \
        the framegrabber from an uploaded zip"),
    change("PUT", "/api/v1/framegrabber", Owner, Some("Codec"), ok("Framegrabber"), framegrabber::set, "Changes \
        the codec, or restores the firmware's own"),
    get("/api/v1/ssh/keys", Login, ok("SshKeys"), services::ssh_keys, "The SSH keys that may log \
        in"),
    change("PUT", "/api/v1/ssh/keys", Owner, Some("PutSshKeys"), ok("SshKeys"), services::put_ssh_keys, "Replaces \
        the SSH keys that may log in"),
    get("/api/v1/video", Login, ok("Video"), video::show, "The streams and their viewers"),
    change("POST", "/api/v1/video/login", Owner, Some("Password"), ok("StreamLogin"), video::login, "The streams' user and password"),
    asks(get("/api/v1/snapshot", Login, PICTURE, video::snapshot, "A picture: JPEG where the firmware makes one, else the last key frame"), &[("stream", "string"), ("form", "string")]),
    asks(get("/api/v1/live", Login, Gives::Bytes("video/mp4"), video::live, "A live stream as \
        fragmented MP4; with sound=1 it includes the microphone's sound"), &[("stream", "string"), ("sound", "integer")]),
    get("/api/v1/audio", Login, Gives::Bytes("audio/wav"), video::sound, "The microphone's live \
        sound"),
    get("/api/v1/recordings", Login, ok("Hours"), recordings::hours, "The hours with recordings \
        on the card"),
    get("/api/v1/recordings/{hour}", Login, ok("Recordings"), recordings::hour, "The recordings of an hour"),
    change("DELETE", "/api/v1/recordings/{hour}", Login, None, ok("Empty"), recordings::delete, "Deletes the recordings of an hour"),
    get("/api/v1/recordings/{hour}/{name}", Login, Gives::Bytes("video/mp4"), recordings::play, "A \
        recording, or the part of it in Range"),
    change("DELETE", "/api/v1/recordings/{hour}/{name}", Login, None, ok("Empty"), recordings::delete, "Deletes a recording"),
    get("/api/v1/sounds", Login, ok("Sounds"), sounds::list, "The camera's own sounds, and whether its speaker can be used"),
    change("POST", "/api/v1/sounds", Login, Some("PlaySound"), Gives::Json(202, "Playing"), sounds::play, "Plays \
        one of the camera's sounds, or the WAV file in the body"),
    change("POST", "/onvif/{service}", Streams, Some("Soap"), SOAP, onvif::call, "ONVIF, for recorders"),
    asks(get("/onvif/snapshot", Streams, PICTURE, onvif::snapshot, "ONVIF, with the streams' login"), &[("stream", "string"), ("form", "string")]),
    get("/api/v1/config", Login, ok("Config"), config::show, "The settings"),
    change("PUT", "/api/v1/config", Login, Some("Config"), ok("Changed"), config::change, "Changes \
        the settings in the body"),
    change("POST", "/api/v1/clock", Owner, Some("Clock"), ok("Empty"), system::clock, "Sets the \
        clock from the browser's"),
    change("POST", "/api/v1/mqtt/test", Owner, Some("MqttTest"), ok("MqttTested"), config::test_mqtt, "Tests \
        the connection to a broker"),
    change("POST", "/api/v1/web-hook/test", Owner, Some("WebHookTest"), ok("MqttTested"), config::test_web_hook, "Sends \
        a test event to a web hook"),
    get("/api/v1/config/fields", Login, ok("Fields"), config::fields, "The values that each \
        setting accepts"),
    get("/api/v1/settings-file", Login, ok("SettingsFile"), config::export, "Exports all settings \
        except secrets"),
    change("POST", "/api/v1/settings-file", Login, Some("SettingsFile"), ok("Changed"), config::import, "Imports \
        exported settings"),
    asks(get("/api/v1/log", Login, ok("Log"), system::log, "The last lines of the log"), &[("lines", "integer"), ("level", "string")]),
    get("/api/v1/facts", Login, Gives::Bytes("text/plain; charset=utf-8"), system::facts, "What \
        this camera's firmware is, for support; contains no secret"),
    change("POST", "/api/v1/update", Owner, Some("NewUpdate"), ok("Update"), update::update, "Checks \
        an uploaded release; with its phrase, installs it"),
    change("POST", "/api/v1/reboot", Login, None, Gives::Json(202, "Empty"), system::reboot, "Restarts the camera"),
    get("/api/v1/uninstall", Login, ok("Uninstall"), system::uninstall_list, "Everything that \
        mi360d put on this camera and card"),
    change("POST", "/api/v1/uninstall", Owner, Some("Confirm"), ok("Uninstall"), system::uninstall, "Uninstalls \
        mi360d"),
];

fn openapi(_: &Asked<'_>) -> Answer {
    super::openapi::document(ROUTES)
}

/// Answers a request.
pub(super) fn answer(context: &Context, mut request: Request) {
    let mut body = Vec::new();
    // The gate has the whole of it already.
    let read = request.as_reader().take(BODY_LIMIT + 1).read_to_end(&mut body);
    let reply = match read {
        Ok(_) => reply_to(context, &request, &body).unwrap_or_else(Problem::into_reply),
        Err(_) => Problem::new(400, Code::BadRequest, "The body is incomplete.", "Send it again.")
            .into_reply(),
    };
    if let Err(e) = reply::send(request, reply) {
        log::debug!("a client went away: {e}");
    }
}

fn reply_to(context: &Context, request: &Request, body: &[u8]) -> Answer {
    let (path, query) = split(request.url());
    let header = |name: &str| backend::header(request, name);
    let method = request.method().to_string();
    let asking = Asking {
        method: &method,
        host: header("Host"),
        origin: header("Origin"),
        fetch_site: header("Sec-Fetch-Site"),
        cookie: header("Cookie"),
        authorization: header("Authorization"),
        csrf: header("X-CSRF-Token"),
        peer: backend::peer(request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    };
    let login = context.camera.login();
    let Some((route, parts)) = find(&method, path) else {
        // Also where there is nothing: a stranger does not learn what there is.
        if !is_open(path) {
            guard::check(login, Login, &Asking { method: "GET", ..asking })?;
        }
        return Err(no_route(path));
    };
    let access = match route.access {
        Streams if crate::camera::onvif::is_on(&context.camera) => Open,
        other => other,
    };
    let caller = guard::check(login, access, &asking)?;
    let answer = (route.handler)(&Asked {
        context,
        parts,
        query,
        body,
        asking,
        client: context.clients.client(backend::number(request).unwrap_or(u64::MAX)),
        caller: &caller,
        language: header("Accept-Language"),
        etag: header("If-None-Match"),
        encoding: header("Accept-Encoding"),
        range: header("Range"),
    })?;
    // After a reload the page needs it again, and has no request to spare. Other sites read none.
    Ok(match &caller {
        Caller::Session { csrf } if !asking.changes() => reply::with(answer, "X-CSRF-Token", csrf),
        _ => answer,
    })
}

/// Path and query of a target.
pub(super) fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// The route of a method and a path, and what stands for its `{...}`.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Option<(&'static Route, Vec<&'a str>)> {
    let wanted = if method == "HEAD" { "GET" } else { method };
    let routes = ROUTES.iter().filter(|route| route.method == wanted);
    let mut routes = routes;
    routes.find_map(|route| Some((route, parts(route.path, path)?)))
}

fn parts<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut asked = path.split('/');
    for wanted in pattern.split('/') {
        let part = asked.next()?;
        if wanted.starts_with('{') && !part.is_empty() {
            parts.push(part);
        } else if wanted != part {
            return None;
        }
    }
    asked.next().is_none().then_some(parts)
}

fn is_open(path: &str) -> bool {
    ROUTES.iter().any(|route| route.access == Open && parts(route.path, path).is_some())
}

fn no_route(path: &str) -> Problem {
    let methods: Vec<&str> = ROUTES
        .iter()
        .filter(|route| parts(route.path, path).is_some())
        .map(|route| route.method)
        .collect();
    if methods.is_empty() {
        return Problem::not_found();
    }
    let hint = "/api/v1/openapi.json describes every call.";
    let problem =
        Problem::new(405, Code::MethodNotAllowed, "This method is not supported here.", hint);
    Problem { allow: Some(methods.join(", ")), ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_the_health_and_the_way_in_are_open() {
        let open: Vec<&str> = ROUTES.iter().filter(|r| r.access == Open).map(|r| r.path).collect();
        let wanted = [
            "/",
            "/mi360d.css",
            "/mi360d.js",
            "/more.js",
            "/en.json",
            "/zones.json",
            "/pt.json",
            "/pt-said.json",
            "/healthz",
            "/api/v1/setup",
            "/api/v1/login",
        ];
        assert_eq!(open, wanted);
    }

    #[test]
    fn a_part_of_a_path_is_never_empty_and_never_holds_a_slash() {
        let (route, parts) = find("POST", "/api/v1/backups/0001-00000000/verify").unwrap();
        assert_eq!((route.takes, parts), (None, vec!["0001-00000000"]));
        for path in
            ["", "/x", "//", "/api/v1/backups/a/b/verify", "/api/v1/status/", "/api/v1/backups/"]
        {
            assert!(find("GET", path).is_none(), "{path}");
        }
        assert!(find("HEAD", "/api/v1/status").is_some());
        assert!(find("POST", "/api/v1/status").is_none());
    }

    #[test]
    fn nothing_that_is_read_changes_and_no_row_stands_twice() {
        for (i, route) in ROUTES.iter().enumerate() {
            assert!(["GET", "POST", "PUT", "DELETE"].contains(&route.method));
            assert!(route.method != "GET" || route.takes.is_none(), "{}", route.path);
            let same = |other: &Route| (other.method, other.path) == (route.method, route.path);
            assert!(!ROUTES[i + 1..].iter().any(same), "{}", route.path);
        }
    }
}
