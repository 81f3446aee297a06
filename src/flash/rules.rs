//! Rules for BOOT, CONFIG and FACTORY: their sources, and the identities that a camera accepts.
//! Pure: the laws of docs/flashing.md, and nothing else.

use crate::identity::{Health, Identity, Judgement};
use crate::image::Finding;

/// What is known of the camera that would take an identity.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// What its FACTORY contains now.
    pub identity: &'a Judgement,
    /// The address of its own WiFi, where that is known.
    pub wifi_mac: Option<&'a str>,
    /// The only healthy identity ever saved on its card, if there is just one.
    pub only_saved: Option<&'a Identity>,
    /// The did that its owner typed.
    pub typed_did: Option<&'a str>,
}

/// Why an identity is this camera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// It is the one that FACTORY contains.
    Live,
    /// FACTORY contains none, and its mac is the WiFi's own.
    WifiMac,
    /// FACTORY contains none, the WiFi does not tell, and no other was ever saved here.
    OnlySaved,
    /// FACTORY contains none, and the owner typed its did.
    TypedDid,
}

impl Ground {
    /// In words for the plan.
    pub fn words(self) -> &'static str {
        match self {
            Ground::Live => "it is the identity that the camera has now",
            Ground::WifiMac => "its mac is that of this camera's own WiFi",
            Ground::OnlySaved => "it is the only identity ever saved on this card",
            Ground::TypedDid => "its did is the one you entered",
        }
    }
}

/// Whether a FACTORY's identity is this camera's.
///
/// # Errors
/// The blocker that says why not.
pub fn own(candidate: &Judgement, live: &Live<'_>) -> Result<Ground, Finding> {
    // Two blank ones are equal, and prove nothing.
    let is_same = candidate.mark().is_some() && candidate.mark() == live.identity.mark();
    if is_same && candidate.health.is_healthy() {
        return Ok(Ground::Live);
    }
    let Some(identity) = candidate.identity.as_ref().filter(|_| candidate.health.is_healthy())
    else {
        return Err(Finding::blocker(
            "identity-not-healthy",
            format!("the FACTORY that would be written is {}", candidate.health.name()),
        )
        .of("FACTORY")
        .hint("Only a healthy identity may replace FACTORY: use another backup."));
    };
    if let (Health::Healthy, Some(now)) = (&live.identity.health, &live.identity.identity) {
        return if identity.same_as(now) { Ok(Ground::Live) } else { Err(foreign()) };
    }
    if live.typed_did.is_some_and(|did| identity.did_matches(did)) {
        return Ok(Ground::TypedDid);
    }
    match live.wifi_mac {
        Some(mac) if identity.mac_matches(mac) => Ok(Ground::WifiMac),
        Some(_) => Err(foreign()),
        None if live.only_saved.is_some_and(|saved| saved.same_as(identity)) => {
            Ok(Ground::OnlySaved)
        }
        None => Err(Finding::blocker(
            "identity-uncertain",
            "it is not certain that this identity is this camera's: its WiFi address is unknown, \
             and several identities were saved on this card",
        )
        .of("FACTORY")
        .hint("Enter this camera's did, as its label or the app shows it: --did DID.")),
    }
}

fn foreign() -> Finding {
    Finding::blocker("foreign-identity", "its FACTORY belongs to another camera")
        .of("FACTORY")
        .hint(
            "Another camera's identity is never written: it would end the cloud pairing of both \
             cameras. Choose KERNEL, ROOTFS and DATA only: --only KERNEL,ROOTFS,DATA.",
        )
}

/// The blocker for a protected partition that comes from somewhere else than
/// this camera's own backup, and was not unlocked.
pub fn locked(partition: &str) -> Finding {
    Finding::blocker(
        "partition-locked",
        format!("{partition} is written only from this camera's own backup"),
    )
    .of(partition)
    .hint(format!(
        "Leave it out, or restore a backup. To unlock it anyway, write `unlock = \
         [\"{partition}\"]` under [flash] in mi360d/config.toml on the card."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::flsh;
    use crate::identity::judge;

    fn factory(number: u32) -> Judgement {
        let (did, mac) = (format!("30000000{number}"), format!("02:00:00:00:00:0{number}"));
        let key = format!("PlantedKey00000{number}");
        let entries: [(&[u8], &[u8]); 5] = [
            (b"vendor", b"chuangmi"),
            (b"model", b"chuangmi.camera.ipc009"),
            (b"mac", mac.as_bytes()),
            (b"did", did.as_bytes()),
            (b"key", key.as_bytes()),
        ];
        judge(&flsh::build(&entries, 0x1_0000).unwrap())
    }

    fn live(identity: &Judgement) -> Live<'_> {
        Live { identity, wifi_mac: None, only_saved: None, typed_did: None }
    }

    #[test]
    fn a_healthy_identity_gives_way_to_no_other() {
        let (mine, other) = (factory(1), factory(2));
        let blank = judge(&vec![0xFF; 0x1_0000]);
        let all = Live {
            wifi_mac: Some("02:00:00:00:00:02"),
            only_saved: other.identity.as_ref(),
            typed_did: Some("300000002"),
            ..live(&mine)
        };
        assert_eq!(own(&mine, &all).unwrap(), Ground::Live);
        assert_eq!(own(&other, &all).unwrap_err().code, "foreign-identity");
        assert_eq!(own(&blank, &all).unwrap_err().code, "identity-not-healthy");
    }

    #[test]
    fn a_blank_one_takes_its_own_back_on_each_ground_and_no_other() {
        let (mine, other) = (factory(1), factory(2));
        let blank = judge(&vec![0xFF; 0x1_0000]);
        let wifi = Live { wifi_mac: Some("02:00:00:00:00:01"), ..live(&blank) };
        assert_eq!(own(&mine, &wifi).unwrap(), Ground::WifiMac);
        assert_eq!(own(&other, &wifi).unwrap_err().code, "foreign-identity");
        // The WiFi knows better than the card.
        let both = Live { only_saved: other.identity.as_ref(), ..wifi };
        assert_eq!(own(&other, &both).unwrap_err().code, "foreign-identity");
        let saved = Live { only_saved: mine.identity.as_ref(), ..live(&blank) };
        assert_eq!(own(&mine, &saved).unwrap(), Ground::OnlySaved);
        assert_eq!(own(&other, &saved).unwrap_err().code, "identity-uncertain");
        let typed = Live { typed_did: Some("300000001"), ..live(&blank) };
        assert_eq!(own(&mine, &typed).unwrap(), Ground::TypedDid);
        assert_eq!(own(&other, &typed).unwrap_err().code, "identity-uncertain");
        assert_eq!(own(&mine, &live(&blank)).unwrap_err().code, "identity-uncertain");
    }

    #[test]
    fn two_blank_ones_prove_nothing() {
        let blank = judge(&vec![0xFF; 0x1_0000]);
        assert_eq!(own(&blank, &live(&blank)).unwrap_err().code, "identity-not-healthy");
    }
}
