//! Sound, as the old media service describes it: the microphone with its encoder, and the speaker with
//! its decoder, which are the ends of a backchannel. One of each; none can be changed. Pure.

use super::facts::{OnvifFacts, Sound};
use super::fault::Fault;
use super::template::Templates;
use super::xml::{At, Tree};

/// Kinds of configurations, and their tokens.
const KINDS: [(&str, &str); 4] = [
    ("AudioSource", "microphone"),
    ("AudioEncoder", "g711"),
    ("AudioOutput", "speaker"),
    ("AudioDecoder", "speech"),
];

fn has(kind: &str, sound: Sound) -> bool {
    if matches!(kind, "AudioSource" | "AudioEncoder") { sound.microphone } else { sound.speaker }
}

/// The body of the answer to a request whose name contains `Audio`.
///
/// # Errors
/// [`Fault`].
pub(super) fn answer(
    templates: &Templates,
    tree: &Tree<'_>,
    at: At,
    action: &str,
    facts: &OnvifFacts,
) -> Result<String, Fault> {
    let kind = KINDS.into_iter().find(|(kind, _)| action.contains(kind));
    let (kind, token) = kind.filter(|(kind, _)| has(kind, facts.sound)).ok_or(Fault::NoAudio)?;
    let asked = action.strip_prefix("Get").ok_or(Fault::FixedConfig)?;
    let of_profile = asked.strip_prefix("Compatible");
    let what = of_profile.unwrap_or(asked).strip_prefix(kind).ok_or(Fault::Unknown)?;
    let (element, inner) = match (what, of_profile.is_some()) {
        ("s", false) if kind == "AudioSource" => ("AudioSources", "s"),
        // Of the speaker there is nothing more to say.
        ("s", false) if kind == "AudioOutput" => ("AudioOutputs", "s"),
        ("Configurations", _) => ("Configurations", ""),
        ("Configuration", false) => ("Configuration", ""),
        ("ConfigurationOptions", false) => ("Options", "Options"),
        _ => return Err(Fault::Unknown),
    };
    let word = |name: &str| tree.below(at, &[name]).map(|at| tree.text(at).trim());
    if word("ConfigurationToken").is_some_and(|named| named != token) {
        return Err(Fault::NoConfig);
    }
    match word("ProfileToken") {
        Some(named) if facts.streams.iter().all(|s| s.token != named) => {
            return Err(Fault::NoProfile);
        }
        None if of_profile.is_some() => return Err(Fault::NoProfile),
        _ => {}
    }
    let attribute = if element == "Options" { "" } else { "+token" };
    let token = [("token", token.to_owned(), false)];
    Ok(templates.fill(
        "+audio",
        &[&[
            ("action", action.to_owned(), false),
            ("element", element.to_owned(), false),
            ("attribute", templates.fill(attribute, &[&token]), true),
            ("inner", templates.fill(&["+", kind, inner].concat(), &[]), true),
        ]],
    ))
}

/// What of it belongs into a profile: behind the video's source, behind its encoder, and at the end.
pub(super) fn in_profile(templates: &Templates, sound: Sound) -> [(&'static str, String, bool); 3] {
    let one = |(kind, token): (&str, &str)| {
        if !has(kind, sound) {
            return String::new();
        }
        let values = [
            ("kind", kind.to_owned(), false),
            ("token", token.to_owned(), false),
            ("inner", templates.fill(&["+", kind].concat(), &[]), true),
        ];
        templates.fill("+audio-in-profile", &[&values])
    };
    let [source, encoder, output, decoder] = KINDS.map(one);
    let back = [("inner", output + &decoder, true)];
    let back = if sound.speaker { templates.fill("+extension", &[&back]) } else { String::new() };
    [("audio-source", source, true), ("audio-encoder", encoder, true), ("audio-back", back, true)]
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::facts::tests::facts;
    use super::*;
    use crate::onvif::xml::parse;

    fn ask(sound: Sound, action: &str, inside: &str) -> Result<String, Fault> {
        let text = format!("<Envelope><Body><{action}>{inside}</{action}></Body></Envelope>");
        let facts = OnvifFacts { sound, ..facts(true) };
        answer("media", &parse(&text).unwrap(), &facts).map(|out| out.body)
    }

    const BOTH: Sound = Sound { microphone: true, speaker: true };

    #[test]
    fn microphone_and_speaker_are_described_each_with_what_belongs_to_it() {
        let main = "<ProfileToken>main</ProfileToken>";
        for (kind, token, of_it, options) in [
            ("AudioSource", "microphone", ">microphone</tt:SourceToken>", "InputTokensAvailable"),
            ("AudioEncoder", "g711", ">G711</tt:Encoding>", ">64</tt:Items>"),
            ("AudioOutput", "speaker", ">speaker</tt:OutputToken>", "OutputLevelRange"),
            ("AudioDecoder", "speech", ">speech</tt:Name>", "G711DecOptions"),
        ] {
            let named = format!("<ConfigurationToken>{token}</ConfigurationToken>");
            for (action, inside, words) in [
                (format!("Get{kind}Configurations"), "", of_it),
                (format!("Get{kind}Configuration"), &named[..], of_it),
                (format!("GetCompatible{kind}Configurations"), main, of_it),
                (format!("Get{kind}ConfigurationOptions"), &named, options),
                (format!("Get{kind}ConfigurationOptions"), main, options),
            ] {
                let body = ask(BOTH, &action, inside).unwrap();
                let tree = parse(&body).unwrap();
                let response = format!("{action}Response");
                let at = tree.path(&["Envelope", "Body", &response]).unwrap();
                let element = tree.first(at).unwrap();
                let options = tree.name(element) == "Options";
                let has = tree.attribute(element, "token");
                assert_eq!(has, (!options).then_some(token), "{body}");
                assert!(body.contains(words) && !body.contains(['{', '}']), "{body}");
            }
            for (action, inside, fault) in [
                (
                    format!("Get{kind}Configuration"),
                    "<ConfigurationToken>x</ConfigurationToken>",
                    Fault::NoConfig,
                ),
                (format!("GetCompatible{kind}Configurations"), "", Fault::NoProfile),
                (
                    format!("Get{kind}ConfigurationOptions"),
                    "<ProfileToken>x</ProfileToken>",
                    Fault::NoProfile,
                ),
                (format!("Set{kind}Configuration"), "", Fault::FixedConfig),
                (format!("Add{kind}Configuration"), main, Fault::FixedConfig),
                (format!("Get{kind}Something"), "", Fault::Unknown),
                (format!("GetCompatible{kind}Configuration"), main, Fault::Unknown),
            ] {
                assert_eq!(ask(BOTH, &action, inside), Err(fault), "{action}");
            }
            assert_eq!(
                ask(Sound::default(), &format!("Get{kind}Configurations"), ""),
                Err(Fault::NoAudio)
            );
        }
        assert!(
            ask(BOTH, "GetAudioSources", "")
                .unwrap()
                .contains("<trt:AudioSources token=\"microphone\"><tt:Channels>1<")
        );
        assert!(
            ask(BOTH, "GetAudioOutputs", "")
                .unwrap()
                .contains("<trt:AudioOutputs token=\"speaker\"></")
        );
        for action in ["GetAudioEncoders", "GetAudioDecoders"] {
            assert_eq!(ask(BOTH, action, ""), Err(Fault::Unknown));
        }
    }

    #[test]
    fn a_profile_has_the_sound_that_is_there_in_the_schema_s_order() {
        let names = |sound: Sound| {
            let body = ask(sound, "GetProfiles", "").unwrap();
            let tree = parse(&body).unwrap();
            let at = tree.path(&["Envelope", "Body", "GetProfilesResponse"]).unwrap();
            let profile = tree.first(at).unwrap();
            ["AudioSourceConfiguration", "AudioEncoderConfiguration", "Extension"]
                .map(|name| tree.below(profile, &[name]).is_some())
        };
        assert_eq!(names(BOTH), [true; 3]);
        assert_eq!(names(Sound { microphone: true, speaker: false }), [true, true, false]);
        assert_eq!(names(Sound { microphone: false, speaker: true }), [false, false, true]);
        let body = ask(BOTH, "GetProfiles", "").unwrap();
        let at = |name: &str| body.find(&format!("<tt:{name}Configuration")).unwrap();
        let order = [
            "VideoSource",
            "AudioSource",
            "VideoEncoder",
            "AudioEncoder",
            "PTZ",
            "AudioOutput",
            "AudioDecoder",
        ];
        assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{body}");
    }
}
