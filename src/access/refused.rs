//! Wrong passwords that were judged already, as marks in memory: a script or an old page repeats one
//! forever, and hashing it every time would take the processor from the camera.

use std::collections::VecDeque;

use super::password::Stored;
use crate::formats::sha256::Sha256;

/// Marks that are kept.
const MOST: usize = 64;

/// See the module. The marks are keyed hashes under a random key that is never stored.
#[derive(Default)]
pub(super) struct Refused {
    key: Option<[u8; 32]>,
    /// The password for which they were wrong.
    of: Option<Stored>,
    marks: VecDeque<[u8; 32]>,
}

impl Refused {
    fn mark(&mut self, password: &str) -> Option<[u8; 32]> {
        if self.key.is_none() {
            self.key = crate::base::random().ok();
        }
        // The key has a fixed length: nobody without it can make another text of the same hash.
        let mut hash = Sha256::new_with_prefix(self.key?);
        hash.update(password.as_bytes());
        Some(Sha256::digest(hash.finalize()))
    }

    /// Whether it was wrong for this password before.
    pub fn contains(&mut self, stored: &Stored, password: &str) -> bool {
        if self.of.as_ref() != Some(stored) {
            return false;
        }
        self.mark(password).is_some_and(|mark| self.marks.contains(&mark))
    }

    /// It was wrong for this password.
    pub fn insert(&mut self, stored: &Stored, password: &str) {
        if self.of.as_ref() != Some(stored) {
            self.of = Some(stored.clone());
            self.marks.clear();
        }
        if self.marks.len() >= MOST {
            self.marks.pop_front();
        }
        let mark = self.mark(password);
        self.marks.extend(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_known_until_there_is_another_right_one() {
        let (one, two) = (Stored::make("one").unwrap(), Stored::make("two").unwrap());
        let mut refused = Refused::default();
        refused.insert(&one, "two");
        assert!(refused.contains(&one, "two") && !refused.contains(&one, "three"));
        assert!(!refused.contains(&two, "two"), "now it is right");
        for number in 0..200 {
            refused.insert(&one, &number.to_string());
        }
        assert_eq!(refused.marks.len(), MOST);
        assert!(refused.contains(&one, "199") && !refused.contains(&one, "two"));
    }
}
