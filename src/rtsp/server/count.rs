//! The server's counts of its viewers and streams, for the daemon's page.

use std::time::Instant;

use crate::rtsp::ring::RingCursor;
use crate::rtsp::server::poll_loop::PollLoop;
use crate::rtsp::server::session::{Session, Track};
use crate::rtsp::stats::{Stats, ViewerStats};

impl PollLoop {
    /// Frames that a viewer has lost and does not know of yet: its socket takes nothing.
    fn missed(&self, stream: usize, place: Option<&RingCursor>) -> u64 {
        let feed = self.feeds.get(stream);
        feed.zip(place).map_or(0, |(feed, place)| feed.state().ring.missed(place))
    }

    /// The document of it.
    pub(super) fn stats(&self, now: Instant) -> Stats {
        fn pictures_of(session: &Session) -> impl Iterator<Item = &Track> {
            session.tracks.iter().filter(|track| !track.is_sound() && !track.is_speech())
        }
        let name = |stream: usize| self.feeds.get(stream).map_or("", |feed| feed.name.as_str());
        let viewers = self.sessions.iter().map(|session| ViewerStats {
            peer: session.peer.to_string(),
            stream: name(session.stream).to_owned(),
            transport: if session.is_tcp() { "tcp" } else { "udp" }.to_owned(),
            playing: session.is_playing(),
            sound: session.tracks.iter().any(Track::is_sound),
            speaks: session.tracks.iter().any(Track::is_speech),
            seconds: now.saturating_duration_since(session.since).as_secs(),
            pictures: pictures_of(session).map(|track| track.pictures).sum(),
            bytes: session.tracks.iter().map(|track| track.bytes).sum(),
            lost: pictures_of(session)
                .map(|track| track.lost + self.missed(session.stream, track.place.as_ref()))
                .sum(),
        });
        let watching = self.askers.iter().filter_map(|asker| {
            Some(ViewerStats {
                peer: "the page".to_owned(),
                stream: name(asker.watches()?).to_owned(),
                transport: "page".to_owned(),
                playing: true,
                sound: asker.hears(),
                speaks: false,
                seconds: now.saturating_duration_since(asker.since).as_secs(),
                pictures: asker.pictures,
                bytes: asker.bytes,
                lost: asker.lost + self.missed(asker.watches()?, asker.place()),
            })
        });
        let viewers: Vec<ViewerStats> = viewers.chain(watching).collect();
        let streams = self.feeds.iter().map(|feed| {
            feed.stats(viewers.iter().filter(|viewer| viewer.stream == feed.name).count())
        });
        Stats {
            listen: self.listener.local_addr().map_or_else(|_| String::new(), |a| a.to_string()),
            login: self.password.is_some(),
            seconds: now.saturating_duration_since(self.started).as_secs(),
            streams: streams.collect(),
            viewers,
            sound: self.sound.as_ref().map(|(feed, form)| feed.sound_stats(*form)),
            snapshots: self.snapshots.as_ref().map(|snapshots| snapshots.words()),
            speaker: self.speaker.as_ref().map(|speaker| speaker.words()),
            most_viewers: self.most_viewers,
            refused: self.refused,
            wrong_logins: self.wrong_logins,
        }
    }
}
