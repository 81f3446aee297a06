//! The description of a stream (RFC 8866, RFC 6184 section 8.2.1, RFC 7798 section 7.2.1). Written
//! by hand, for it is one text; that others read it is tested with sdp-types. Pure.

use std::fmt::Write as _;
use std::net::IpAddr;

use base64ct::{Base64, Encoding as _};

use super::params::{Codec, Params};
use super::rtp::PAYLOAD_TYPE;
use super::sound::SoundForm;

/// The control addresses of a stream's tracks: pictures, sound.
pub const TRACK: &str = "trackID=0";
/// See [`TRACK`].
pub const SOUND_TRACK: &str = "trackID=1";

/// See [`TRACK`]: what a client says.
pub const SPEECH_TRACK: &str = "trackID=2";
/// The feature that a client requires to be offered that track (ONVIF Streaming Specification,
/// 5.3).
pub const BACKCHANNEL: &str = "www.onvif.org/ver20/backchannel";

/// The description of the stream `name` for a client that reached us at `local`; with sound in this
/// form, if there is any, and with the speaker where `speech` says so.
pub fn describe(
    name: &str,
    local: IpAddr,
    version: u64,
    params: &Params,
    sound: Option<SoundForm>,
    speech: bool,
) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let any = if local.is_ipv4() { "0.0.0.0" } else { "::" };
    let (codec, fmtp) = match params.codec {
        Codec::H264 => ("H264", fmtp_h264(params)),
        Codec::H265 => ("H265", fmtp_h265(params)),
    };
    let mut text = format!(
        "v=0\r\no=- {version} 1 IN {family} {local}\r\ns={name}\r\nc=IN {family} {any}\r\n\
         t=0 0\r\na=control:*\r\na=range:npt=now-\r\nm=video 0 RTP/AVP {PAYLOAD_TYPE}\r\n\
         a=rtpmap:{PAYLOAD_TYPE} {codec}/90000\r\na=fmtp:{PAYLOAD_TYPE} {fmtp}\r\n"
    );
    if let Some(rate) = params.rate {
        let _ = write!(text, "a=framerate:{:.3}\r\n", rate.per_second());
    }
    let _ = write!(text, "a=control:{TRACK}\r\n");
    if let Some(form) = sound {
        let (kind, name) = (form.payload_type(), form.name());
        let _ = write!(
            text,
            "m=audio 0 RTP/AVP {kind}\r\na=rtpmap:{kind} {name}\r\na=ptime:40\r\n\
             a=control:{SOUND_TRACK}\r\n"
        );
    }
    if speech {
        let _ = write!(
            text,
            "m=audio 0 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=sendonly\r\na=control:{SPEECH_TRACK}\r\n"
        );
    }
    text
}

fn list(units: &[Vec<u8>]) -> String {
    units.iter().map(|unit| Base64::encode_string(unit)).collect::<Vec<_>>().join(",")
}

fn fmtp_h264(params: &Params) -> String {
    let mut text = "packetization-mode=1".to_owned();
    if let Some(sps) = params.h264() {
        let [profile, flags, level] = sps.profile;
        let _ = write!(text, ";profile-level-id={profile:02X}{flags:02X}{level:02X}");
    }
    let sets = [params.sps.as_slice(), params.pps.as_slice()].concat();
    let _ = write!(text, ";sprop-parameter-sets={}", list(&sets));
    text
}

fn fmtp_h265(params: &Params) -> String {
    let mut text = String::new();
    if let Some(sps) = params.h265() {
        let [first, .., level] = sps.profile;
        let tier = first >> 5 & 1;
        let profile = first & 31;
        let _ = write!(text, "profile-id={profile};tier-flag={tier};level-id={level};");
    }
    let _ = write!(
        text,
        "sprop-vps={};sprop-sps={};sprop-pps={}",
        list(&params.vps),
        list(&params.sps),
        list(&params.pps)
    );
    text
}
