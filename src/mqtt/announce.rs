//! Discovery documents that a broker retains: which of them are published again, because they are
//! new or changed, and which are removed, because their entity no longer exists. Pure.
//!
//! An earlier start may have announced what no longer exists, perhaps under another prefix. The
//! broker itself remembers that, so it is asked for all retained documents of this device; nothing
//! about it has to be kept on the card.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What is gone for a moment only, such as a hack that is being replaced, is not taken back: Home
/// Assistant would forget what its owner set for the entity.
pub const SETTLE: Duration = Duration::from_secs(10);
/// Topics that are kept track of.
const MOST: usize = 256;
/// Levels that a discovery prefix may have to be found after it was changed.
const LEVELS: usize = 3;

/// One document that the broker keeps.
#[derive(Debug)]
struct RetainedDocument {
    /// As it was published in this connection; `None` where an earlier one did.
    text: Option<String>,
    /// Since when it is not wanted.
    unwanted: Option<Instant>,
}

/// The documents that the broker of one connection keeps. See the module.
#[derive(Debug, Default)]
pub struct Announced(BTreeMap<String, RetainedDocument>);

impl Announced {
    /// Notes a message that the broker had kept from before, if it is a document of this device.
    pub fn found(&mut self, device: &str, topic: &str, payload: &[u8]) {
        if self.0.len() < MOST && is_ours(device, topic, payload) {
            let document = || RetainedDocument { text: None, unwanted: None };
            self.0.entry(topic.to_owned()).or_insert_with(document);
        }
    }

    /// What has to be published now, as topic and payload, given all documents that are wanted.
    /// `complete` says that these are really all of them.
    pub fn changes(
        &mut self,
        wanted: Vec<(String, String)>,
        complete: bool,
        now: Instant,
    ) -> Vec<(String, String)> {
        let mut publish = Vec::new();
        for (topic, document) in &mut self.0 {
            if wanted.iter().any(|(other, _)| other == topic) {
                document.unwanted = None;
            } else if complete {
                document.unwanted.get_or_insert(now);
            }
        }
        for (topic, text) in wanted {
            let known = self.0.get(&topic).and_then(|document| document.text.as_ref());
            if known != Some(&text) {
                let document = RetainedDocument { text: Some(text.clone()), unwanted: None };
                self.0.insert(topic.clone(), document);
                publish.push((topic, text));
            }
        }
        let settled = |document: &RetainedDocument| {
            document.unwanted.is_some_and(|since| now.saturating_duration_since(since) >= SETTLE)
        };
        let gone = self.0.iter().filter(|(_, document)| settled(document));
        let gone: Vec<String> = gone.map(|(topic, _)| topic.clone()).collect();
        for topic in gone {
            self.0.remove(&topic);
            publish.push((topic, String::new()));
        }
        publish
    }

    /// All topics, to take everything back.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What to subscribe to, to be sent all documents of a device that the broker keeps: under this
/// prefix, and under any other of up to three levels.
pub fn subscriptions(device: &str, prefix: &str) -> Vec<String> {
    let anywhere = (1..=LEVELS).map(|levels| vec!["+"; levels].join("/"));
    let prefixes = std::iter::once(prefix.to_owned()).chain(anywhere);
    prefixes.map(|prefix| format!("{prefix}/+/{device}/+/config")).collect()
}

/// Whether this program published the message for this device: the end of the topic is ours, and
/// the document says so.
fn is_ours(device: &str, topic: &str, payload: &[u8]) -> bool {
    let mut levels = topic.rsplit('/');
    let shape = (levels.next(), levels.nth(1));
    let document = || serde_json::from_slice::<Value>(payload).unwrap_or_default();
    shape == (Some("config"), Some(device)) && document()["origin"]["name"] == "mi360d"
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = br#"{"origin": {"name": "mi360d"}}"#;

    fn pairs(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter()
            .map(|key| (format!("ha/sensor/cam/{key}/config"), format!("{{{key}}}")))
            .collect()
    }

    fn topic(key: &str) -> String {
        format!("ha/sensor/cam/{key}/config")
    }

    #[test]
    fn what_is_gone_is_taken_back_once_and_only_after_it_stayed_away() {
        let (mut announced, start) = (Announced::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(announced.changes(pairs(&["a", "b"]), true, at(0)), pairs(&["a", "b"]));
        assert!(announced.changes(pairs(&["a", "b"]), true, at(1)).is_empty());
        assert!(announced.changes(pairs(&["a"]), true, at(2)).is_empty());
        // It came back in time.
        assert!(announced.changes(pairs(&["a", "b"]), true, at(9)).is_empty());
        assert!(announced.changes(pairs(&["a"]), true, at(10)).is_empty());
        assert!(announced.changes(pairs(&["a"]), true, at(19)).is_empty());
        let gone = vec![(topic("b"), String::new())];
        assert_eq!(announced.changes(pairs(&["a"]), true, at(20)), gone);
        assert!(announced.changes(pairs(&["a"]), true, at(99)).is_empty());
        // Later it is announced like a new one.
        assert_eq!(announced.changes(pairs(&["a", "b"]), true, at(100)), pairs(&["b"]));
        let changed = vec![(topic("a"), "other".to_owned())];
        assert_eq!(announced.changes(changed.clone(), true, at(101)), changed);
        assert_eq!(announced.topics().count(), 2);
    }

    #[test]
    fn what_an_earlier_start_announced_is_taken_back_under_any_prefix() {
        let (mut announced, start) = (Announced::default(), Instant::now());
        for topic in [topic("a"), topic("old"), "was/once/sensor/cam/a/config".to_owned()] {
            announced.found("cam", &topic, OURS);
        }
        for (topic, payload) in [
            ("ha/sensor/other/old/config", OURS),
            ("ha/sensor/cam/old/state", OURS),
            ("ha/sensor/cam/theirs/config", br#"{"origin": {"name": "zigbee2mqtt"}}"#),
            ("ha/sensor/cam/none/config", b"{}"),
            ("ha/sensor/cam/broken/config", b"\xff"),
            ("cam", OURS),
            ("", b""),
        ] {
            announced.found("cam", topic, payload);
        }
        assert_eq!(announced.changes(pairs(&["a"]), true, start), pairs(&["a"]));
        let gone = announced.changes(pairs(&["a"]), true, start + SETTLE);
        let none = String::new;
        assert_eq!(
            gone,
            [(topic("old"), none()), ("was/once/sensor/cam/a/config".to_owned(), none())]
        );
    }

    #[test]
    fn nothing_is_taken_back_while_not_all_is_known() {
        let (mut announced, start) = (Announced::default(), Instant::now());
        announced.found("cam", &topic("hack"), OURS);
        for seconds in 0..100 {
            let now = start + Duration::from_secs(seconds);
            assert!(announced.changes(Vec::new(), false, now).is_empty());
        }
        let later = start + Duration::from_secs(100);
        assert!(announced.changes(Vec::new(), true, later).is_empty());
        assert_eq!(announced.changes(Vec::new(), true, later + SETTLE).len(), 1);
    }

    #[test]
    fn the_broker_cannot_make_us_remember_without_end() {
        let mut announced = Announced::default();
        for number in 0..10_000 {
            announced.found("cam", &topic(&number.to_string()), OURS);
        }
        assert_eq!(announced.topics().count(), MOST);
    }

    #[test]
    fn documents_are_asked_for_wherever_they_may_be() {
        let wanted = [
            "a/b/c/d/+/cam/+/config",
            "+/+/cam/+/config",
            "+/+/+/cam/+/config",
            "+/+/+/+/cam/+/config",
        ];
        assert_eq!(subscriptions("cam", "a/b/c/d"), wanted);
    }
}
