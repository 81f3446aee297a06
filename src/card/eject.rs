//! Decisions about a card that is ejected or formatted. Pure.
//!
//! Values of `sdcard_status` as `miio_sdcard` of 3.5.1_0052 sets them: 0 normal, 1 not there,
//! 2 full, 3 broken, 4 formatting, 5 ejected, 6 being repaired, 7 being ejected. At 4, 6 and 7 it is
//! about to unmount.

use std::time::{Duration, Instant};

/// A failed request of the app is over by then: nine tries half a second apart, the
/// longest `mkfs.fat` of a large card, and room.
const LONGEST: Duration = Duration::from_secs(90);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The number of the card's mount; none while it is not mounted.
    Mount(Option<u32>),
    /// A value of `sdcard_status`.
    Status(u32),
    /// mortoxd is gone, and its last value with it.
    Silence,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing.
    Nothing,
    /// Close everything.
    LetGo,
    /// There is a card to be used.
    ComeBack,
}

/// What is known.
#[derive(Debug)]
pub struct Watch {
    mount: Option<u32>,
    status: Option<u32>,
    /// The mount that was used last.
    used: Option<u32>,
    /// Since when the card is released; none while it is used.
    away: Option<Instant>,
}

impl Watch {
    /// A card that is used, with the number of its mount.
    pub fn new(mount: Option<u32>) -> Watch {
        Watch { mount, status: None, used: mount, away: None }
    }

    /// The card is not let go after all.
    pub fn keep(&mut self) {
        self.away = None;
    }

    /// Takes in what was seen.
    pub fn saw(&mut self, seen: Seen, now: Instant) -> Deed {
        match seen {
            Seen::Mount(mount) => {
                self.mount = mount;
                if mount.is_none() {
                    // The kernel gives the next mount the same number again.
                    self.used = None;
                }
            }
            Seen::Status(status) => self.status = Some(status),
            Seen::Silence => self.status = None,
        }
        let wanted = matches!(self.status, Some(4 | 6 | 7));
        match self.away {
            None if wanted && matches!(seen, Seen::Status(_)) && self.mount.is_some() => {
                self.away = Some(now);
                Deed::LetGo
            }
            None if self.mount.is_some() && self.mount != self.used => {
                // It was unmounted and mounted without a word.
                self.used = self.mount;
                Deed::ComeBack
            }
            Some(since) => {
                let over = now.saturating_duration_since(since) >= LONGEST;
                if self.mount.is_some() && (over || !wanted) {
                    (self.away, self.used) = (None, self.mount);
                    Deed::ComeBack
                } else {
                    Deed::Nothing
                }
            }
            None => Deed::Nothing,
        }
    }
}

/// The number of the mount on `point` in the text of `/proc/self/mountinfo`: the topmost one.
pub fn mount_id(text: &str, point: &str) -> Option<u32> {
    let mut lines = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let id = words.next()?.parse().ok()?;
        (words.nth(3)? == point).then_some(id)
    });
    lines.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Deed::{ComeBack, LetGo, Nothing};
    use Seen::{Mount, Silence, Status};

    /// What it is, what is seen in which second, and what is done.
    type Case = (&'static str, &'static [(u64, Seen)], &'static [Deed]);

    /// What happens second by second.
    fn told(story: &[(u64, Seen)]) -> Vec<Deed> {
        let begun = Instant::now();
        let mut watch = Watch::new(Some(20));
        let mut deeds: Vec<Deed> = story
            .iter()
            .map(|(second, seen)| watch.saw(*seen, begun + Duration::from_secs(*second)))
            .collect();
        deeds.retain(|deed| *deed != Nothing);
        deeds
    }

    #[test]
    fn the_card_is_let_go_when_asked_and_used_again_when_it_is_back() {
        let cases: [Case; 10] = [
            ("nothing", &[(0, Status(0)), (1, Mount(Some(20)))], &[]),
            (
                "a format",
                &[(0, Status(4)), (1, Mount(None)), (9, Mount(Some(31))), (9, Status(0))],
                &[LetGo, ComeBack],
            ),
            (
                "a format whose last word comes before the mount is seen",
                &[(0, Status(4)), (1, Mount(None)), (9, Status(0)), (9, Mount(Some(31)))],
                &[LetGo, ComeBack],
            ),
            (
                "an eject, and another card an hour later",
                &[
                    (0, Status(7)),
                    (1, Mount(None)),
                    (1, Status(5)),
                    (3600, Mount(Some(40))),
                    (3600, Status(0)),
                ],
                &[LetGo, ComeBack],
            ),
            (
                "a format that fails",
                &[(0, Status(4)), (6, Mount(Some(20))), (6, Status(0)), (8, Mount(Some(20)))],
                &[LetGo, ComeBack],
            ),
            (
                "a format that nobody says the end of",
                &[(0, Status(4)), (50, Mount(Some(20))), (91, Mount(Some(20))), (95, Status(0))],
                &[LetGo, ComeBack],
            ),
            (
                "mortoxd ends in between",
                &[(0, Status(4)), (1, Mount(None)), (2, Silence), (9, Mount(Some(31)))],
                &[LetGo, ComeBack],
            ),
            (
                "a card pulled out and put in, without mortoxd",
                &[(0, Mount(None)), (30, Mount(Some(31))), (32, Mount(Some(31)))],
                &[ComeBack],
            ),
            (
                "an eject that is over before it is heard of, and the same number again",
                &[(0, Mount(None)), (0, Status(7)), (0, Status(5)), (9, Mount(Some(20)))],
                &[ComeBack],
            ),
            ("a wish while there is no card", &[(0, Mount(None)), (1, Status(4))], &[]),
        ];
        for (what, story, wanted) in cases {
            assert_eq!(told(story), wanted, "{what}");
        }
    }

    #[test]
    fn a_card_that_is_kept_for_a_flash_is_not_let_go_a_second_time() {
        let now = Instant::now();
        let mut watch = Watch::new(Some(20));
        assert_eq!(watch.saw(Status(4), now), LetGo);
        watch.keep();
        assert_eq!(watch.saw(Mount(Some(20)), now), Nothing);
        assert_eq!(watch.saw(Status(0), now), Nothing);
    }

    #[test]
    fn the_topmost_mount_on_the_card_s_place_counts() {
        let text = "15 1 31:2 / / ro - squashfs /dev/root ro\n\
                    20 15 179:1 / /mnt/sdcard rw,relatime - vfat /dev/mmcblk0p1 rw\n\
                    21 15 179:1 / /mnt/sdcard2 rw - vfat /dev/mmcblk0p1 rw\n\
                    22 20 179:1 / /mnt/sdcard rw - vfat /dev/mmcblk0p1 rw\nodd\n";
        assert_eq!(mount_id(text, "/mnt/sdcard"), Some(22));
        assert_eq!(mount_id(text, "/mnt/data"), None);
        assert_eq!(mount_id("", "/mnt/sdcard"), None);
    }
}
