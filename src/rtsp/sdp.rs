//! The description of a stream (RFC 8866, RFC 6184 section 8.2.1, RFC 7798 section 7.2.1). Written
//! by hand, for it is one text; that others read it is tested with sdp-types. Pure.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::params::{Codec, Params};
use super::rtp::PAYLOAD_TYPE;
use super::sound::Form;

/// The control addresses of a stream's tracks: pictures, sound.
pub const TRACK: &str = "trackID=0";
/// See [`TRACK`].
pub const SOUND_TRACK: &str = "trackID=1";

/// See [`TRACK`]: what a client says.
pub const SPEECH_TRACK: &str = "trackID=2";
/// The feature that a client requires to be offered that track (ONVIF Streaming Specification, 5.3).
pub const BACKCHANNEL: &str = "www.onvif.org/ver20/backchannel";

/// The description of the stream `name` for a client that reached us at `local`; with sound in this
/// form, if there is any, and with the speaker where `speech` says so.
pub fn describe(
    name: &str,
    local: IpAddr,
    version: u64,
    params: &Params,
    sound: Option<Form>,
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
    units.iter().map(|unit| base64(unit)).collect::<Vec<_>>().join(",")
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

/// RFC 4648, section 4.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4usize {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// RFC 4648, section 4; nothing but the letters and the padding.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    (count < 6).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(unbase64(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(unbase64("Zg=?"), None);
        assert_eq!(unbase64("Z"), None);
    }
}
