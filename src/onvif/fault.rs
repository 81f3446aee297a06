//! Faults: the reason why a request is not answered, as ONVIF names it, in a SOAP document. Pure.
//! ONVIF Core Specification, 5.8.2 (faults); Media, 5.2; PTZ, 5.3 and 5.5.

use super::template::Templates;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no request.
    Malformed,
    /// It is not answered here.
    Unknown,
    /// A login is missing, or wrong.
    NotAuthorized,
    /// Too many wrong ones.
    TooMany {
        /// How long to wait.
        seconds: u64,
    },
    /// There is no such profile.
    NoProfile,
    /// There is no such configuration.
    NoConfig,
    /// There is no such PTZ node.
    NoNode,
    /// There are no more profiles than the two.
    MaxProfiles,
    /// The two profiles stay.
    FixedProfile,
    /// Configurations are set on the page, if at all.
    FixedConfig,
    /// No JPEG, so no snapshot.
    NoSnapshot,
    /// No sound.
    NoAudio,
    /// There is no such preset.
    NoPreset,
    /// No presets are kept.
    TooManyPresets,
    /// There is no home position.
    NoHome,
    /// There is no such video source.
    NoSource,
    /// Imaging settings that the camera does not have.
    BadSettings,
    /// A time that is none, or is over.
    BadTime,
    /// There is no such pull point, or it is over.
    NoPoint,
    /// There are as many pull points as can be served, or this one is pulled already.
    TooManyPoints,
    /// A move of no known kind.
    BadMove,
    /// The motors do not do it.
    Motors,
    /// The camera's own firmware does not do it.
    Firmware,
}

/// Sender or receiver, the code, the code below that, and the text for people.
type Words = (&'static str, &'static str, Option<&'static str>, &'static str);

const SENDER: &str = "Sender";
const RECEIVER: &str = "Receiver";

impl Fault {
    fn words(self) -> Words {
        let argument = |code, reason| (SENDER, "InvalidArgVal", Some(code), reason);
        let unable = |code, reason| (RECEIVER, "Action", Some(code), reason);
        match self {
            Fault::Malformed => (SENDER, "WellFormed", None, "This is not a SOAP request."),
            Fault::Unknown => {
                (RECEIVER, "ActionNotSupported", None, "This camera does not support the request.")
            }
            Fault::NotAuthorized => (
                SENDER,
                "NotAuthorized",
                None,
                "Log in with the user and password of the streams, as a password digest. The page \
                 shows them.",
            ),
            Fault::TooMany { .. } => {
                (SENDER, "NotAuthorized", None, "Too many wrong passwords. Wait a minute.")
            }
            Fault::NoProfile => argument("NoProfile", "This profile does not exist."),
            Fault::NoConfig => argument("NoConfig", "This configuration does not exist."),
            Fault::NoNode => argument("NoEntity", "This PTZ node does not exist."),
            Fault::MaxProfiles => unable(
                "MaxNVTProfiles",
                "The camera has two profiles, main and sub, and cannot have more.",
            ),
            Fault::FixedProfile => (
                SENDER,
                "Action",
                Some("DeletionOfFixedProfile"),
                "The profiles main and sub are fixed.",
            ),
            Fault::FixedConfig => {
                argument("ConfigModify", "Configurations cannot be changed through ONVIF.")
            }
            Fault::NoSnapshot => {
                (RECEIVER, "ActionNotSupported", None, "This camera makes no JPEG pictures.")
            }
            Fault::NoAudio => (
                RECEIVER,
                "ActionNotSupported",
                Some("AudioNotSupported"),
                "This camera's streams have no sound.",
            ),
            Fault::NoPreset => argument("NoToken", "This preset does not exist."),
            Fault::TooManyPresets => unable("TooManyPresets", "This camera has no presets."),
            Fault::NoHome => unable("NoHomePosition", "This camera has no home position."),
            Fault::NoSource => argument("NoSource", "This video source does not exist."),
            Fault::BadSettings => {
                argument("SettingsInvalid", "This camera does not have these settings.")
            }
            Fault::BadTime => (SENDER, "InvalidArgVal", None, "The time is not valid, or is over."),
            Fault::NoPoint => argument("NoEntity", "This subscription no longer exists."),
            Fault::TooManyPoints => {
                unable("TooManySubscriptions", "Too many subscriptions or pulls at once.")
            }
            Fault::BadMove => (SENDER, "InvalidArgVal", None, "This move is not valid."),
            Fault::Firmware => (
                RECEIVER,
                "Action",
                None,
                "The camera did not accept it. The page's log shows \
                    why.",
            ),
            Fault::Motors => {
                (RECEIVER, "Action", None, "The motors do not move. The page's log shows why.")
            }
        }
    }

    /// The status of HTTP that goes with it (SOAP 1.2, part 2, 7.5.2.2).
    pub fn status(self) -> u16 {
        match self {
            Fault::NotAuthorized => 401,
            Fault::TooMany { .. } => 429,
            _ if self.words().0 == SENDER => 400,
            _ => 500,
        }
    }
}

/// A fault as a document.
pub fn fault(fault: Fault) -> String {
    let (who, code, below, reason) = fault.words();
    let templates = Templates::unpack();
    let text = |text: &str| text.to_owned();
    let below = below.map(|code| templates.fill("+subcode", &[&[("code", text(code), false)]]));
    let values = [
        ("who", text(who), false),
        ("code", text(code), false),
        ("below", below.unwrap_or_default(), true),
        ("reason", text(reason), false),
    ];
    templates.envelope(templates.fill("fault", &[&values]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onvif::xml::parse;

    #[test]
    fn a_fault_has_the_codes_of_the_specification() {
        for (which, status, codes) in [
            (Fault::Unknown, 500, vec!["ter:ActionNotSupported"]),
            (Fault::NoSnapshot, 500, vec!["ter:ActionNotSupported"]),
            (Fault::NotAuthorized, 401, vec!["ter:NotAuthorized"]),
            (Fault::NoProfile, 400, vec!["ter:InvalidArgVal", "ter:NoProfile"]),
            (Fault::MaxProfiles, 500, vec!["ter:Action", "ter:MaxNVTProfiles"]),
            (Fault::FixedProfile, 400, vec!["ter:Action", "ter:DeletionOfFixedProfile"]),
            (Fault::NoAudio, 500, vec!["ter:ActionNotSupported", "ter:AudioNotSupported"]),
        ] {
            assert_eq!(which.status(), status, "{which:?}");
            let document = fault(which);
            let tree = parse(&document).unwrap();
            let mut at = tree.path(&["Envelope", "Body", "Fault", "Code"]).unwrap();
            for code in codes {
                at = tree.below(at, &["Subcode"]).unwrap();
                assert_eq!(tree.text(tree.below(at, &["Value"]).unwrap()), code, "{which:?}");
            }
            assert!(tree.below(at, &["Subcode"]).is_none(), "{which:?}");
        }
    }
}
