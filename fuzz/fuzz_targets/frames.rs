//! The firmware's frame transport: datagrams, the header of a frame's file, payloads, sound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::rtsp::sound::{SoundForm, Transcoder};
use mi360d::vendor::frames::payload;
use mi360d::vendor::frames::wire::{self, Datagram, LARGEST_MAP, PAGE, PAGE_HEADER};

fuzz_target!(|data: &[u8]| {
    match wire::datagram(data) {
        Ok(Datagram::Frame { map_length, .. }) => {
            assert!(map_length > 0 && map_length % PAGE == 0 && map_length <= LARGEST_MAP);
        }
        Ok(Datagram::Descriptor { backend, path }) => {
            assert!((1..=2).contains(&backend) && path.len() + 16 <= data.len());
            let _ = wire::check_path(path, "/run/audio_in".as_ref());
        }
        Ok(Datagram::Text(_)) | Err(_) => {}
    }
    if let Some(header) = data.first_chunk::<PAGE_HEADER>() {
        let file = data.len() as u64;
        for announced in [PAGE, 2 * PAGE, data.len() as u32] {
            if let Ok(size) = wire::payload_size(header, file, announced) {
                assert!(size as usize + PAGE_HEADER <= data.len());
            }
        }
    }
    for parse in [payload::picture, payload::sound, payload::jpeg] {
        if let Ok(found) = parse(data) {
            assert_eq!(found.data.len() + payload::HEADER, data.len());
        }
    }
    let _ = payload::found_elsewhere(data);
    for form in [SoundForm::G711, SoundForm::L16] {
        let mut transcoder = Transcoder::new(form);
        for piece in data.chunks(640) {
            let most = 4 * piece.len() + 2;
            assert!(transcoder.piece(piece).is_none_or(|out| out.len() <= most));
        }
    }
});
