//! Random bytes as decisions: each is taken once, and zeros follow the last one.

pub struct Hand<'a>(pub &'a [u8]);

impl<'a> Hand<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let number = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(number) % bound.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes bytes at one place: sets, puts in, removes, cuts off, says twice.
    pub fn edit(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.byte() % 6 {
            0 => bytes.insert(at, self.byte()),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..(at + self.below(32)).min(bytes.len()), [])),
            3 => {
                let piece = bytes[at..(at + self.below(64)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.byte();
                }
            }
        }
    }
}
