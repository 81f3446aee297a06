//! Which connection is dropped when there is no room. Pure: instants in, an index out.
//!
//! The newcomer is never the one: an attacker who holds connections open must not be able to
//! keep the owner out. An owner's browser sends its head within milliseconds, so the connection
//! that has waited longest without a whole request is the least likely to be the owner's.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::access::network;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its request is not whole: head or body still arrives.
    Unfinished,
    /// Its request is whole and waits for a place.
    Queued,
    /// Its request is with tiny_http.
    Served,
    /// It has its answer, or is getting one from the gate itself.
    Leaving,
}

/// What the table knows of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// The client's address, never an IPv4 address in IPv6's clothes.
    pub peer: IpAddr,
    /// When it was accepted.
    pub since: Instant,
    /// How far it has come.
    pub stage: Stage,
    /// Bytes of memory its request takes: what is reserved for it, not only what has come.
    pub held: usize,
    /// The client has closed its half: most likely it is gone.
    pub half_closed: bool,
}

/// Which connection has to go so that one from `newcomer` can be taken in: that address's oldest
/// unfinished one where it has `per_address` of them, else the oldest of all where there are
/// `total`. Loopback may fill the table: who is on the camera needs no gate to harm it.
pub fn make_room(
    seats: &[Seat],
    newcomer: IpAddr,
    total: usize,
    per_address: usize,
) -> Option<usize> {
    let unfinished = |seat: &&Seat| seat.stage == Stage::Unfinished;
    let same = |seat: &Seat| network(seat.peer) == network(newcomer);
    let own = seats.iter().filter(unfinished).filter(|seat| same(seat)).count();
    if !newcomer.is_loopback() && own >= per_address {
        return oldest(seats, |seat| seat.stage == Stage::Unfinished && same(seat));
    }
    if seats.iter().filter(unfinished).count() >= total {
        return oldest(seats, |seat| seat.stage == Stage::Unfinished);
    }
    None
}

/// Which connection has to go because all requests together hold more than `budget` bytes: the
/// oldest unfinished one that holds any, else, of those that wait for a place, the last.
pub fn over_budget(seats: &[Seat], budget: usize) -> Option<usize> {
    let held: usize = seats.iter().map(|seat| seat.held).sum();
    if held <= budget {
        return None;
    }
    oldest(seats, |seat| seat.stage == Stage::Unfinished && seat.held > 0).or_else(|| {
        let queued = seats.iter().enumerate().filter(|(_, seat)| seat.stage == Stage::Queued);
        queued.max_by_key(|(_, seat)| seat.since).map(|(index, _)| index)
    })
}

/// Which waiting connection has to go because more than `limit` wait: one whose client seems gone,
/// else the last. The last one is the newcomer, but dropping one that waited longer for it would
/// only mean that under load nobody is ever served.
pub fn over_queue(seats: &[Seat], limit: usize) -> Option<usize> {
    let queued = || seats.iter().enumerate().filter(|(_, seat)| seat.stage == Stage::Queued);
    if queued().count() <= limit {
        return None;
    }
    queued()
        .find(|(_, seat)| seat.half_closed)
        .or_else(|| queued().max_by_key(|(_, seat)| seat.since))
        .map(|(index, _)| index)
}

/// The oldest connection of which `which` is true.
pub fn oldest(seats: &[Seat], which: impl Fn(&Seat) -> bool) -> Option<usize> {
    let all = seats.iter().enumerate().filter(|(_, seat)| which(seat));
    all.min_by_key(|(_, seat)| seat.since).map(|(index, _)| index)
}

/// How a served connection gets on.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Its place in the caller's list.
    pub index: usize,
    /// How long it has been served.
    pub age: Duration,
    /// Bytes the client has taken.
    pub taken: u64,
    /// Bytes lie ready that the client does not take.
    pub waits_for_client: bool,
    /// The client has closed its half: most likely it is gone.
    pub half_closed: bool,
}

/// Which served connection has to go so that a waiting request gets its place: one whose client
/// seems gone, else the one whose client takes its answer most slowly. One that is younger than
/// `grace`, or that waits for the handler and not for the client, stays.
pub fn slowest(paces: &[Pace], grace: Duration) -> Option<usize> {
    let old = paces.iter().filter(|pace| pace.age >= grace);
    let gone = old.clone().find(|pace| pace.half_closed);
    // Bytes a second, rounded down, is fine enough to find the slowest.
    let rate = |pace: &Pace| {
        let millis = u64::try_from(pace.age.as_millis()).unwrap_or(u64::MAX).max(1);
        pace.taken.saturating_mul(1000) / millis
    };
    gone.or_else(|| old.filter(|pace| pace.waits_for_client).min_by_key(|pace| rate(pace)))
        .map(|pace| pace.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 2));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 3));
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Seats that came in at the given seconds.
    fn seats(list: &[(IpAddr, u64, Stage, usize)]) -> Vec<Seat> {
        let start = Instant::now();
        list.iter()
            .map(|&(peer, second, stage, held)| Seat {
                half_closed: false,
                peer,
                since: start + Duration::from_secs(second),
                stage,
                held,
            })
            .collect()
    }

    #[test]
    fn a_full_table_drops_its_oldest_unfinished_and_no_finished_one() {
        use Stage::{Leaving, Queued, Served, Unfinished};
        let seats = seats(&[
            (OTHER, 0, Served, 0),
            (OTHER, 1, Queued, 9),
            (OTHER, 5, Unfinished, 0),
            (OTHER, 3, Unfinished, 0),
            (OTHER, 2, Leaving, 0),
        ]);
        assert_eq!(make_room(&seats, LAN, 2, 16), Some(3));
        assert_eq!(make_room(&seats, LAN, 3, 16), None, "there is room");
    }

    #[test]
    fn an_address_at_its_limit_loses_its_own_oldest_and_nobody_elses() {
        let seats = seats(&[
            (OTHER, 0, Stage::Unfinished, 0),
            (LAN, 2, Stage::Unfinished, 0),
            (LAN, 1, Stage::Unfinished, 0),
        ]);
        assert_eq!(make_room(&seats, LAN, 64, 2), Some(2));
        assert_eq!(make_room(&seats, OTHER, 64, 2), None);
        assert_eq!(make_room(&seats, LAN, 64, 3), None);
        let v6 = |last: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
        let network =
            self::seats(&[(v6(1), 0, Stage::Unfinished, 0), (v6(2), 1, Stage::Unfinished, 0)]);
        assert_eq!(make_room(&network, v6(3), 64, 2), Some(0), "a whole /64 is one address");
    }

    #[test]
    fn loopback_may_fill_the_table_and_then_the_oldest_goes() {
        let seats =
            seats(&[(LOOPBACK, 1, Stage::Unfinished, 0), (LOOPBACK, 0, Stage::Unfinished, 0)]);
        assert_eq!(make_room(&seats, LOOPBACK, 3, 1), None);
        assert_eq!(make_room(&seats, LOOPBACK, 2, 1), Some(1));
    }

    #[test]
    fn too_many_bytes_cost_the_oldest_that_holds_some() {
        let seats = seats(&[
            (LAN, 0, Stage::Unfinished, 0),
            (LAN, 1, Stage::Queued, 60),
            (LAN, 2, Stage::Unfinished, 40),
        ]);
        assert_eq!(over_budget(&seats, 99), Some(2));
        assert_eq!(over_budget(&seats, 100), None);
        let queued = self::seats(&[(LAN, 0, Stage::Queued, 60), (LAN, 1, Stage::Queued, 60)]);
        assert_eq!(over_budget(&queued, 99), Some(1));
    }

    #[test]
    fn a_full_queue_sends_away_who_is_gone_and_else_the_last() {
        let mut seats = seats(&[
            (LAN, 0, Stage::Unfinished, 0),
            (LAN, 1, Stage::Queued, 9),
            (LAN, 3, Stage::Queued, 9),
            (LAN, 2, Stage::Queued, 9),
        ]);
        assert_eq!(over_queue(&seats, 3), None);
        assert_eq!(over_queue(&seats, 2), Some(2));
        seats[0].half_closed = true;
        seats[1].half_closed = true;
        assert_eq!(over_queue(&seats, 2), Some(1));
    }

    fn pace(index: usize, secs: u64, taken: u64) -> Pace {
        Pace {
            index,
            age: Duration::from_secs(secs),
            taken,
            waits_for_client: true,
            half_closed: false,
        }
    }

    #[test]
    fn the_slowest_reader_gives_up_its_place() {
        let grace = Duration::from_secs(2);
        // 100, 50 and 500 bytes a second.
        let paces = [pace(7, 10, 1000), pace(8, 100, 5000), pace(9, 2, 1000)];
        assert_eq!(slowest(&paces, grace), Some(8));
        let young = [pace(7, 1, 0)];
        assert_eq!(slowest(&young, grace), None, "the young have time");
        let patient = [Pace { waits_for_client: false, ..pace(7, 60, 0) }];
        assert_eq!(slowest(&patient, grace), None, "a long poll is not a slow reader");
        let gone = [paces[1], Pace { half_closed: true, ..pace(5, 3, 9_999_999) }];
        assert_eq!(slowest(&gone, grace), Some(5), "who is gone goes first");
    }
}
