//! A made-up camera: the scene, a sound, snapshots and a speaker, served by the firmware's own
//! frame transport. So `demo` and a simulated camera go the same way through the server as a real
//! one. What it pretends: picture, sound and times; the protocol is the vendor's
//! ([`crate::vendor::frames`]).

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::scene::Scene;
use super::sound;
use crate::vendor::frames::Broadcaster;
use crate::vendor::frames::payload::{jpeg_header, picture_header, sound_header};

/// One piece of sound: 640 samples at 16 kHz.
const PIECE: Duration = Duration::from_millis(40);
const SAMPLES: u32 = 640;
const RATE: u32 = 16_000;
/// How long a made-up snapshot takes; a camera's takes twice as long.
const SNAPSHOT: Duration = Duration::from_millis(400);
/// The longest sleep, after which a stop is noticed.
const IDLE: Duration = Duration::from_millis(100);

/// A running made-up camera. Dropping it ends it.
#[derive(Debug)]
pub struct Pretend {
    folder: PathBuf,
    names: Vec<String>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pretend {
    /// Serves streams of these names, sound and snapshots.
    ///
    /// # Errors
    /// Where its folder, its sockets or its thread cannot be had.
    pub fn start(streams: &[&str]) -> io::Result<Pretend> {
        let folder = new_folder()?;
        let stop = Arc::new(AtomicBool::new(false));
        let names = streams.iter().map(|name| (*name).to_owned()).collect();
        let mut camera = Pretend { folder, names, stop: Arc::clone(&stop), thread: None };
        let mut stage = Stage {
            streams: Vec::new(),
            sound: Broadcaster::bind(&camera.audio())?,
            snapshots: Broadcaster::bind(&camera.snapshots())?,
            speaker: Broadcaster::bind(&camera.speaker())?,
            began: Instant::now(),
            pictures: 0,
            pieces: 0,
            asked: Vec::new(),
        };
        for name in streams {
            stage.streams.push((Broadcaster::bind(&camera.stream(name))?, Scene::new()));
        }
        let body = move || stage.run(&stop);
        camera.thread = Some(thread::Builder::new().name("pretend".to_owned()).spawn(body)?);
        Ok(camera)
    }

    /// The folder of a stream.
    pub fn stream(&self, name: &str) -> PathBuf {
        // A name may contain anything until the server has checked it.
        let index = self.names.iter().position(|known| known == name);
        self.folder.join(format!("video_{}", index.map_or(0, |index| index + 1)))
    }

    /// The folder of the sound.
    pub fn audio(&self) -> PathBuf {
        self.folder.join("audio_in")
    }

    /// The folder of the snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.folder.join("jpeg_snap")
    }

    /// The folder of the speaker. Nobody hears what is played there.
    pub fn speaker(&self) -> PathBuf {
        self.folder.join("audio_play")
    }
}

impl Drop for Pretend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder of this process alone, short enough for a socket's name.
fn new_folder() -> io::Result<PathBuf> {
    let name = format!("mi360d-scene-{}", std::process::id());
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let temporary = std::env::temp_dir();
    for below in [temporary.as_path(), Path::new("/tmp")] {
        if below.as_os_str().len() > 40 {
            continue;
        }
        for number in 0..16 {
            let folder = below.join(format!("{name}-{number}"));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

struct Stage {
    streams: Vec<(Broadcaster, Scene)>,
    sound: Broadcaster,
    snapshots: Broadcaster,
    speaker: Broadcaster,
    began: Instant,
    pictures: u32,
    pieces: u32,
    /// The clients that wait for a snapshot, and when it is made.
    asked: Vec<(u64, Instant)>,
}

impl Stage {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let now = Instant::now();
            let picture_due = self.began + Duration::from_secs(1) / Scene::RATE * self.pictures;
            let piece_due = self.began + PIECE * self.pieces;
            if picture_due <= now {
                self.picture(picture_due);
            }
            if piece_due <= now {
                self.piece(piece_due);
            }
            self.answer(now);
            self.wait(picture_due.min(piece_due), now);
            let mut key = false;
            for (broadcaster, _) in &mut self.streams {
                broadcaster.serve(&mut |_, text| key |= text.starts_with(b"REQ_IDR"));
            }
            if key {
                self.streams.iter_mut().for_each(|(_, scene)| scene.restart());
            }
            let asked = &mut self.asked;
            self.snapshots.serve(&mut |reader, _| {
                if asked.len() < 8 {
                    asked.push((reader, Instant::now() + SNAPSHOT));
                }
            });
            self.sound.serve(&mut |_, _| {});
            self.speaker.serve(&mut |_, _| {});
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        // A camera has been on for a while when this begins.
        let since = at.saturating_duration_since(self.began) + Duration::from_secs(60);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    fn picture(&mut self, due: Instant) {
        self.pictures += 1;
        let time = self.micros(due);
        for (broadcaster, scene) in &mut self.streams {
            let key = scene.next_is_key();
            let data = scene.next_picture();
            let header = picture_header(self.pictures, time, data.len() as u32, key);
            if let Err(error) = broadcaster.broadcast(&header, &data) {
                log::warn!("the made-up camera: {error}");
            }
        }
    }

    fn piece(&mut self, due: Instant) {
        let first = self.pieces * SAMPLES;
        self.pieces += 1;
        let data: Vec<u8> =
            (0..SAMPLES).map(|n| sound::encode(sample(first.wrapping_add(n)))).collect();
        let header = sound_header(self.pieces, self.micros(due), data.len() as u32);
        if let Err(error) = self.sound.broadcast(&header, &data) {
            log::warn!("the made-up camera: {error}");
        }
    }

    fn answer(&mut self, now: Instant) {
        let (due, later) =
            std::mem::take(&mut self.asked).into_iter().partition(|(_, at)| *at <= now);
        self.asked = later;
        let due: Vec<(u64, Instant)> = due;
        for (reader, _) in due {
            let Some((_, scene)) = self.streams.first() else { continue };
            let jpeg = scene.jpeg();
            let header = jpeg_header(self.micros(now), jpeg.len() as u32);
            if let Err(error) = self.snapshots.send(reader, &header, &jpeg) {
                log::warn!("the made-up camera: {error}");
            }
        }
    }

    fn wait(&self, due: Instant, now: Instant) {
        let next = self.asked.iter().map(|(_, at)| *at).fold(due, Instant::min);
        let sleep = next.saturating_duration_since(now).min(IDLE);
        let all = self.streams.iter().map(|(broadcaster, _)| broadcaster);
        let all = all.chain([&self.sound, &self.snapshots, &self.speaker]);
        let mut fds: Vec<PollFd<'_>> = all
            .flat_map(Broadcaster::descriptors)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let sleep = PollTimeout::try_from(sleep).unwrap_or(PollTimeout::MAX);
        // Whatever it says, all are checked.
        let _ = poll(&mut fds, sleep);
    }
}

/// A bell at each full second, and near silence.
fn sample(number: u32) -> i16 {
    let in_second = number % RATE;
    let tone = f64::from(in_second) * 880.0 * std::f64::consts::TAU / f64::from(RATE);
    let fade = (-f64::from(in_second) / 2_000.0).exp();
    (12_000.0 * fade * tone.sin()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::frames::{Endpoint, EndpointKind, Event, Reader};

    #[test]
    fn the_made_up_camera_speaks_as_a_real_one_does() {
        let camera = Pretend::start(&["video_mainstream"]).unwrap();
        let endpoint = |folder, kind| Endpoint { folder, kind };
        let mut reader = Reader::new(vec![
            endpoint(camera.stream("video_mainstream"), EndpointKind::Picture),
            endpoint(camera.audio(), EndpointKind::Sound),
            endpoint(camera.snapshots(), EndpointKind::Jpeg),
        ]);
        let mut counts = [0; 3];
        let mut keys = 0;
        let end = Instant::now() + Duration::from_secs(60);
        while counts.contains(&0) || keys < 2 {
            assert!(Instant::now() < end, "{counts:?}");
            if counts[0] > 0 && counts[2] == 0 {
                reader.request_snapshot();
            }
            reader.turn(None, &mut |index, event| {
                let Event::Frame { payload, .. } = event else { return };
                counts[index] += 1;
                keys += usize::from(index == 0 && payload.data.starts_with(&[0, 0, 0, 1, 0x67]));
            });
        }
        let folder = camera.folder.clone();
        drop(camera);
        assert!(!folder.exists());
        reader.end();
    }
}
