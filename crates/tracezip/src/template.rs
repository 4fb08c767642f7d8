//! Texts that differ in a few words only: what is the same, and the words with digits that stand in it.
//!
//! Every word is a slot of its own then: it has a dictionary for its place in the texts of a key, and is coded like any value.

use std::ops::Range;

use crate::dictionary::Dictionary;
use crate::family::Slot;
use crate::hash::xxh64;
use crate::memory::{allocated, of_vec};
use crate::model::Model;
use crate::shape::Kind;
use crate::signature::WORD;

/// Words of one text.
const WORDS_MAX: usize = 8;
/// Lengths of texts that are looked at.
const LENGTHS: Range<usize> = 8..257;
/// Templates of one key.
const TEMPLATES_MAX: usize = 8;
/// Stands in a skeleton for a word.
pub(crate) const GAP: u8 = 0;

/// A text with its words cut out.
#[derive(Debug, Default)]
pub(crate) struct Split {
    skeleton: Vec<u8>,
    pub(crate) words: Vec<Range<usize>>,
}

impl Split {
    /// Cuts a text; whether there are words in it, not too many, and something else.
    pub(crate) fn cut(&mut self, text: &[u8]) -> bool {
        self.skeleton.clear();
        self.words.clear();
        if !LENGTHS.contains(&text.len()) || text.contains(&GAP) {
            return false;
        }
        let (mut start, mut has_digit) = (0, false);
        for (at, byte) in text.iter().enumerate() {
            if byte.is_ascii_alphanumeric() {
                has_digit |= byte.is_ascii_digit();
                continue;
            }
            if has_digit {
                if self.words.len() == WORDS_MAX {
                    return false;
                }
                self.words.push(start..at);
                has_digit = false;
            }
            start = at + 1;
        }
        if has_digit {
            self.words.push(start..text.len());
        }
        if !(1..=WORDS_MAX).contains(&self.words.len()) {
            return false;
        }
        let mut end = 0;
        for word in &self.words {
            self.skeleton
                .extend_from_slice(text.get(end..word.start).unwrap_or_default());
            self.skeleton.push(GAP);
            end = word.end;
        }
        self.skeleton
            .extend_from_slice(text.get(end..).unwrap_or_default());
        self.skeleton.len() > self.words.len()
    }
}

/// Texts that have the same skeleton.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) skeleton: Box<[u8]>,
    pub(crate) words: Vec<Slot>,
}

/// The templates of one key.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    all: Vec<Template>,
    /// Hashes of skeletons that came once.
    once: [u32; 4],
    next: u8,
    pub(crate) which: Model,
}

impl Templates {
    pub(crate) fn find(&self, split: &Split) -> Option<usize> {
        self.all
            .iter()
            .position(|known| *known.skeleton == *split.skeleton)
    }

    pub(crate) fn get_mut(&mut self, template: usize) -> Option<&mut Template> {
        self.all.get_mut(template)
    }

    /// Whether a skeleton comes for the second time and there is room for a template of it.
    fn is_wanted(&mut self, split: &Split) -> bool {
        if self.all.len() >= TEMPLATES_MAX {
            return false;
        }
        let hash = xxh64(&split.skeleton, 0) as u32;
        if self.once.contains(&hash) {
            return true;
        }
        let places = self.once.len();
        if let Some(place) = self.once.get_mut(usize::from(self.next) % places) {
            *place = hash;
        }
        self.next = self.next.wrapping_add(1);
        false
    }

    pub(crate) fn held(&self) -> usize {
        let templates = self.all.iter().map(|template| {
            let words = template.words.iter().map(|word| word.model.held());
            allocated(template.skeleton.len()) + of_vec(&template.words) + words.sum::<usize>()
        });
        of_vec(&self.all) + templates.sum::<usize>() + self.which.held()
    }
}

impl Dictionary {
    /// Learns from a text that came as it is, and was cut.
    pub(crate) fn learn_template(&mut self, key: u16, split: &Split) {
        let is_wanted = self
            .key_mut(key)
            .is_some_and(|key| key.templates.is_wanted(split));
        if !is_wanted {
            return;
        }
        let [low, high] = key.to_le_bytes();
        let mut words = Vec::with_capacity(split.words.len());
        for index in 0..split.words.len() {
            let Some(word) = self.own_key_of(&[WORD, low, high, index as u8]) else {
                return;
            };
            words.push(Slot::new(word, Kind::Text));
        }
        if let Some(key) = self.key_mut(key) {
            key.templates.all.push(Template {
                skeleton: split.skeleton.as_slice().into(),
                words,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_words_with_digits_and_its_pieces_make_it_whole_again() {
        let mut split = Split::default();
        let text = b"SELECT a FROM t1 WHERE b = 'X-12' AND c = 7";
        assert!(split.cut(text));
        let words: Vec<&[u8]> = split.words.iter().map(|word| &text[word.clone()]).collect();
        assert_eq!(words, [&b"t1"[..], b"12", b"7"]);
        let mut again = Vec::new();
        let pieces = split.skeleton.split(|byte| *byte == GAP);
        for (index, piece) in pieces.enumerate() {
            again.extend_from_slice(piece);
            again.extend_from_slice(words.get(index).copied().unwrap_or_default());
        }
        assert_eq!(again, text);
        for other in [
            &b"0123456789"[..],
            b"no word at all",
            b"a\0b 1234567",
            b"short 1",
        ] {
            assert!(!split.cut(other), "{other:?}");
        }
    }
}
