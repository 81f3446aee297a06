//! Controls of recorders: the motors by places and presets, and those parts of imaging that ONVIF
//! has a word for. Pure: an action comes back as a wish.

use super::fault::Fault;
use super::template::{Templates, Values};
use super::xml::{At, Tree};

/// The one video source.
const SOURCE: &str = "video";
/// How long a continuous move lasts where the client names no time, in ms.
const USUAL_MS: u16 = 5000;
/// The longest of one request.
const LONGEST_MS: u16 = 10_000;
/// How long the whole way takes by pushes, in ms: 4 and 10 per cent in 260 ms.
const PAN_MS: f32 = 6500.0;
const TILT_MS: f32 = 2600.0;

/// A preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its token.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Per cent from the left and from below.
    pub at: (u8, u8),
}

/// Motors that know places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Motors {
    /// Per cent from the left and from below, where that is known.
    pub position: Option<(u8, u8)>,
    /// Whether one runs.
    pub moving: bool,
    /// Positions with names.
    pub presets: Vec<Preset>,
}

/// What imaging can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imaging {
    /// `AUTO`, `ON` (day), `OFF` (night); none where the camera does not have it or does not tell.
    pub filter: Option<&'static str>,
    /// Wide dynamic range.
    pub wdr: Option<bool>,
}

/// What is to be done before the answer is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A move, -100 to 100 each way: right and up are positive.
    Move {
        /// To the right.
        pan: i8,
        /// Up.
        tilt: i8,
        /// For so long.
        ms: u16,
    },
    /// To a place, in per cent.
    Goto(u8, u8),
    /// To a preset.
    GotoPreset(u32),
    /// To the home position.
    GotoHome,
    /// Ends a move.
    Stop,
    /// Keeps where the camera looks; the answer names the preset in place of [`TOKEN`].
    SetPreset {
        /// One that is replaced.
        id: Option<u32>,
        /// Its name.
        name: Option<String>,
    },
    /// Where the camera looks is home.
    SetHome,
    /// Deletes a preset.
    RemovePreset(u32),
    /// Sets what is named.
    Image {
        /// The filter: `AUTO`, `ON`, `OFF`.
        filter: Option<&'static str>,
        /// Wide dynamic range.
        wdr: Option<bool>,
    },
}

/// What stands for the new preset's token in the answer to `SetPreset`.
pub const TOKEN: &str = "@preset@";

/// What a request to the motors' service is to do; `None` where it only asks.
///
/// # Errors
/// [`Fault`].
pub(super) fn motors(
    tree: &Tree<'_>,
    at: At,
    action: &str,
    motors: &Motors,
) -> Result<Option<Deed>, Fault> {
    let word = |name: &str| tree.below(at, &[name]).map(|at| tree.text(at).trim());
    let preset = || {
        let id: u32 =
            word("PresetToken").unwrap_or_default().parse().map_err(|_| Fault::NoPreset)?;
        let known = motors.presets.iter().any(|preset| preset.id == id);
        if known { Ok(id) } else { Err(Fault::NoPreset) }
    };
    Ok(Some(match action {
        "ContinuousMove" => {
            let (x, y) = vector(tree, at, "Velocity")?;
            if x == 0.0 && y == 0.0 {
                return Ok(Some(Deed::Stop));
            }
            let ms = word("Timeout").map_or(Some(USUAL_MS), milliseconds).ok_or(Fault::BadMove)?;
            Deed::Move { pan: per_cent(x), tilt: per_cent(y), ms }
        }
        "RelativeMove" => {
            let (x, y) = vector(tree, at, "Translation")?;
            let ms = (x.abs() * PAN_MS).max(y.abs() * TILT_MS);
            let (pan, tilt) =
                if x.abs() * PAN_MS >= y.abs() * TILT_MS { (x, 0.0) } else { (0.0, y) };
            let ms = bounded(ms);
            if ms == 0 {
                return Ok(None);
            }
            let sign = |n: f32| {
                if n == 0.0 {
                    0
                } else if n < 0.0 {
                    -100
                } else {
                    100
                }
            };
            Deed::Move { pan: sign(pan), tilt: sign(tilt), ms }
        }
        "AbsoluteMove" => {
            let (x, y) = vector(tree, at, "Position")?;
            Deed::Goto(place(x), place(y))
        }
        "Stop" => Deed::Stop,
        "GotoPreset" => Deed::GotoPreset(preset()?),
        "RemovePreset" => Deed::RemovePreset(preset()?),
        "SetPreset" => {
            let id = if word("PresetToken").is_some() { Some(preset()?) } else { None };
            let name = word("PresetName").filter(|name| !name.is_empty());
            Deed::SetPreset { id, name: name.map(str::to_owned) }
        }
        "GotoHomePosition" => Deed::GotoHome,
        "SetHomePosition" => Deed::SetHome,
        _ => return Ok(None),
    }))
}

/// What a request to the imaging service is to do.
///
/// # Errors
/// [`Fault`].
pub(super) fn imaging(
    tree: &Tree<'_>,
    at: At,
    action: &str,
    imaging: &Imaging,
) -> Result<Option<Deed>, Fault> {
    let word = |path: &[&str]| tree.below(at, path).map(|at| tree.text(at).trim());
    if action != "GetServiceCapabilities" && word(&["VideoSourceToken"]) != Some(SOURCE) {
        return Err(Fault::NoSource);
    }
    if action != "SetImagingSettings" {
        return Ok(None);
    }
    let filter = match word(&["ImagingSettings", "IrCutFilter"]) {
        None => None,
        Some(mode) if imaging.filter.is_some() => {
            let known = ["AUTO", "ON", "OFF"].into_iter().find(|known| *known == mode);
            Some(known.ok_or(Fault::BadSettings)?)
        }
        Some(_) => return Err(Fault::BadSettings),
    };
    let wdr = match word(&["ImagingSettings", "WideDynamicRange", "Mode"]) {
        None => None,
        Some("ON") if imaging.wdr.is_some() => Some(true),
        Some("OFF") if imaging.wdr.is_some() => Some(false),
        Some(_) => return Err(Fault::BadSettings),
    };
    Ok(Some(Deed::Image { filter, wdr }))
}

/// What the templates say of motors that know places.
pub(super) fn motor_values(
    templates: &Templates,
    motors: Option<&Motors>,
) -> Vec<(&'static str, String, bool)> {
    let Some(motors) = motors else {
        let usual = |text: &str| text.to_owned();
        return vec![
            ("ptz-timeout", usual("PT1S"), false),
            ("ptz-longest", usual("PT1S"), false),
            ("presets-most", usual("0"), false),
            ("home-supported", usual("false"), false),
            ("move-status", usual("UNKNOWN"), false),
        ];
    };
    let one = |preset: &Preset| {
        let place = point(preset.at);
        let values: &Values<'_> = &[
            ("id", preset.id.to_string(), false),
            ("preset-name", preset.name.clone(), false),
            ("x", place.0, false),
            ("y", place.1, false),
        ];
        templates.fill("+preset", &[values])
    };
    let position = motors.position.map(point).map(|(x, y)| {
        let values: &Values<'_> = &[("x", x, false), ("y", y, false)];
        templates.fill("+position", &[values])
    });
    let status = if motors.moving { "MOVING" } else { "IDLE" };
    vec![
        ("ptz-timeout", "PT5S".to_owned(), false),
        ("ptz-longest", "PT10S".to_owned(), false),
        ("presets-most", "32".to_owned(), false),
        ("home-supported", "true".to_owned(), false),
        ("move-status", status.to_owned(), false),
        ("absolute-space", templates.fill("+absolute-space", &[]), true),
        ("absolute-default", templates.fill("+absolute-default", &[]), true),
        ("position", position.unwrap_or_default(), true),
        ("presets", motors.presets.iter().map(one).collect(), true),
        ("preset-token", TOKEN.to_owned(), false),
    ]
}

/// What the templates say of imaging.
pub(super) fn imaging_values(
    templates: &Templates,
    imaging: &Imaging,
) -> Vec<(&'static str, String, bool)> {
    let mode = |part: &str, mode: &str| {
        let values: &Values<'_> = &[("mode", mode.to_owned(), false)];
        (templates.fill(part, &[values]), templates.fill(&format!("{part}-options"), &[]))
    };
    let filter = imaging.filter.map(|filter| mode("+filter", filter)).unwrap_or_default();
    let wdr = imaging.wdr.map(|on| mode("+wdr", if on { "ON" } else { "OFF" }));
    let wdr = wdr.unwrap_or_default();
    vec![
        ("filter", filter.0, true),
        ("filter-options", filter.1, true),
        ("wdr", wdr.0, true),
        ("wdr-options", wdr.1, true),
    ]
}

/// A vector of two numbers from -1 to 1.
fn vector(tree: &Tree<'_>, at: At, name: &str) -> Result<(f32, f32), Fault> {
    let vector = tree.below(at, &[name, "PanTilt"]).ok_or(Fault::BadMove)?;
    let axis = |axis: &str| {
        let text = tree.attribute(vector, axis).ok_or(Fault::BadMove)?;
        let share: f32 = text.trim().parse().map_err(|_| Fault::BadMove)?;
        (-1.0..=1.0).contains(&share).then_some(share).ok_or(Fault::BadMove)
    };
    Ok((axis("x")?, axis("y")?))
}

fn per_cent(share: f32) -> i8 {
    (share * 100.0).round() as i8
}

/// -1 to 1 as per cent.
fn place(share: f32) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "-1 to 1 was checked")]
    let place = ((share + 1.0) * 50.0).round() as u8;
    place.min(100)
}

/// Per cent as numbers from -1 to 1.
fn point((pan, tilt): (u8, u8)) -> (String, String) {
    let share = |n: u8| format!("{:.2}", f32::from(n) / 50.0 - 1.0);
    (share(pan), share(tilt))
}

/// `PT2.5S` in ms; at most ten seconds.
fn milliseconds(text: &str) -> Option<u16> {
    let seconds: f32 = text.strip_prefix("PT")?.strip_suffix('S')?.parse().ok()?;
    let fits = seconds.is_finite() && seconds > 0.0;
    fits.then(|| bounded(seconds * 1000.0).max(1))
}

/// Not above the longest.
fn bounded(ms: f32) -> u16 {
    #[expect(clippy::cast_sign_loss, reason = "never below zero")]
    let ms = ms.clamp(0.0, LONGEST_MS.into()) as u16;
    ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onvif::xml::parse;

    fn with(
        inside: &str,
        act: impl Fn(&Tree<'_>, At) -> Result<Option<Deed>, Fault>,
    ) -> Result<Option<Deed>, Fault> {
        let text = format!("<s:Envelope><s:Body><x>{inside}</x></s:Body></s:Envelope>");
        let tree = parse(&text).unwrap();
        let at = tree.path(&["Envelope", "Body", "x"]).unwrap();
        act(&tree, at)
    }

    #[test]
    fn moves_become_wishes_within_their_bounds() {
        let door = Preset { id: 3, name: "Door".to_owned(), at: (10, 90) };
        let known = Motors { presets: vec![door], ..Motors::default() };
        let vector =
            |name: &str, x: &str, y: &str| format!("<{name}><PanTilt x='{x}' y='{y}'/></{name}>");
        let moved = |pan, tilt, ms| Ok(Some(Deed::Move { pan, tilt, ms }));
        let table = [
            ("ContinuousMove", vector("Velocity", "0.5", "-1"), moved(50, -100, 5000)),
            (
                "ContinuousMove",
                vector("Velocity", "1", "0") + "<Timeout>PT0.5S</Timeout>",
                moved(100, 0, 500),
            ),
            (
                "ContinuousMove",
                vector("Velocity", "1", "0") + "<Timeout>PT600S</Timeout>",
                moved(100, 0, 10_000),
            ),
            ("ContinuousMove", vector("Velocity", "0", "0"), Ok(Some(Deed::Stop))),
            (
                "ContinuousMove",
                vector("Velocity", "1", "0") + "<Timeout>soon</Timeout>",
                Err(Fault::BadMove),
            ),
            ("RelativeMove", vector("Translation", "-0.1", "0"), moved(-100, 0, 650)),
            ("RelativeMove", vector("Translation", "0", "0"), Ok(None)),
            ("AbsoluteMove", vector("Position", "-1", "1"), Ok(Some(Deed::Goto(0, 100)))),
            ("AbsoluteMove", vector("Position", "0", "0.5"), Ok(Some(Deed::Goto(50, 75)))),
            ("AbsoluteMove", vector("Position", "2", "0"), Err(Fault::BadMove)),
            ("AbsoluteMove", vector("Position", "nan", "0"), Err(Fault::BadMove)),
            ("GotoPreset", "<PresetToken>3</PresetToken>".into(), Ok(Some(Deed::GotoPreset(3)))),
            ("GotoPreset", "<PresetToken>4</PresetToken>".into(), Err(Fault::NoPreset)),
            ("RemovePreset", String::new(), Err(Fault::NoPreset)),
            ("Stop", String::new(), Ok(Some(Deed::Stop))),
            (
                "SetPreset",
                "<PresetName>Yard</PresetName>".into(),
                Ok(Some(Deed::SetPreset { id: None, name: Some("Yard".to_owned()) })),
            ),
            ("GetStatus", String::new(), Ok(None)),
        ];
        for (action, inside, wanted) in table {
            let got = with(&inside, |tree, at| motors(tree, at, action, &known));
            assert_eq!(got, wanted, "{action} {inside}");
        }
    }

    #[test]
    fn imaging_sets_only_what_the_camera_has() {
        let source = "<VideoSourceToken>video</VideoSourceToken>";
        let set = |inside: &str| format!("{source}<ImagingSettings>{inside}</ImagingSettings>");
        let has = Imaging { filter: Some("AUTO"), wdr: Some(false) };
        let wide = "<WideDynamicRange><Mode>ON</Mode></WideDynamicRange>";
        let image = |filter, wdr| Ok(Some(Deed::Image { filter, wdr }));
        for (inside, have, wanted) in [
            (set("<IrCutFilter>OFF</IrCutFilter>"), has, image(Some("OFF"), None)),
            (set(wide), has, image(None, Some(true))),
            (set("<Brightness>1</Brightness>"), has, image(None, None)),
            (set("<IrCutFilter>MAYBE</IrCutFilter>"), has, Err(Fault::BadSettings)),
            (set(wide), Imaging::default(), Err(Fault::BadSettings)),
            (String::new(), has, Err(Fault::NoSource)),
        ] {
            let got = with(&inside, |tree, at| imaging(tree, at, "SetImagingSettings", &have));
            assert_eq!(got, wanted, "{inside}");
        }
    }
}
