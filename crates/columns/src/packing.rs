//! How Parquet packs small numbers: runs and groups of bits, differences, and streams of bytes.

use millrace_wire::varint;

/// Numbers of a group, which is what bits are packed in.
const GROUP: usize = 8;
/// So many numbers that do not repeat are packed at once.
const PACKED_MAX: usize = 63 * GROUP;
/// Differences of a block, which have a least one in common, and of its parts, which have a width in common.
const BLOCK: usize = 128;
const PART: usize = 32;

/// How many bits the numbers up to this one take.
pub(crate) const fn width_of(greatest: u64) -> u32 {
    u64::BITS - greatest.leading_zeros()
}

/// Appends numbers of so many bits each, without gaps; the last byte is filled up.
fn push_bits(out: &mut Vec<u8>, numbers: impl Iterator<Item = u64>, width: u32) {
    let (mut bits, mut filled) = (0u128, 0);
    for number in numbers {
        bits |= u128::from(number) << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= u64::BITS;
            filled -= u64::BITS;
        }
    }
    let rest = (bits as u64).to_le_bytes();
    out.extend_from_slice(rest.get(..filled.div_ceil(8) as usize).unwrap_or_default());
}

/// Writes numbers of so many bits as runs of one number and as packed groups, whichever is shorter.
pub(crate) struct Runs<'a> {
    out: &'a mut Vec<u8>,
    width: u32,
    packed: Vec<u32>,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, width: u32) -> Self {
        Self {
            out,
            width,
            packed: Vec::new(),
        }
    }

    /// Adds a number so many times.
    #[inline]
    pub(crate) fn push(&mut self, number: u32, count: usize) {
        let open = self.packed.len() % GROUP;
        let added = if open == 0 && count >= GROUP {
            0
        } else {
            // A group that has begun has to be filled.
            count.min(GROUP - open)
        };
        for _ in 0..added {
            self.packed.push(number);
        }
        if self.packed.len() == PACKED_MAX {
            self.end_packed();
        }
        let left = count - added;
        if left >= GROUP {
            self.end_packed();
            self.push_run(number, left);
        } else if left > 0 {
            self.packed.extend(std::iter::repeat_n(number, left));
        }
    }

    /// Adds numbers of which some may stand several times in a row.
    pub(crate) fn extend(&mut self, numbers: &[u32]) {
        for run in numbers.chunk_by(|left, right| left == right) {
            if let Some(number) = run.first() {
                self.push(*number, run.len());
            }
        }
    }

    fn push_run(&mut self, number: u32, count: usize) {
        varint::push(self.out, (count as u64) << 1);
        let bytes = number.to_le_bytes();
        let length = self.width.div_ceil(8) as usize;
        self.out
            .extend_from_slice(bytes.get(..length).unwrap_or_default());
    }

    fn end_packed(&mut self) {
        if self.packed.is_empty() {
            return;
        }
        if let [first, rest @ ..] = &self.packed[..]
            && rest.iter().all(|number| number == first)
        {
            let (number, count) = (*first, self.packed.len());
            self.push_run(number, count);
            return self.packed.clear();
        }
        let groups = self.packed.len().div_ceil(GROUP);
        self.packed.resize(groups * GROUP, 0);
        varint::push(self.out, (groups as u64) << 1 | 1);
        let numbers = self.packed.iter().map(|number| u64::from(*number));
        push_bits(self.out, numbers, self.width);
        self.packed.clear();
    }

    pub(crate) fn finish(mut self) {
        self.end_packed();
    }
}

/// Appends truths, a bit each.
pub(crate) fn push_truths(out: &mut Vec<u8>, truths: &[bool]) {
    push_bits(out, truths.iter().map(|truth| u64::from(*truth)), 1);
}

/// Appends numbers as the differences between them (`DELTA_BINARY_PACKED`).
pub(crate) fn push_differences(out: &mut Vec<u8>, numbers: &[u64]) {
    const PARTS: u64 = (BLOCK / PART) as u64;
    let (first, rest) = numbers.split_first().unwrap_or((&0, &[]));
    varint::push(out, BLOCK as u64);
    varint::push(out, PARTS);
    varint::push(out, numbers.len() as u64);
    varint::push(out, varint::zigzag(first.cast_signed()));
    let mut before = *first;
    for block in rest.chunks(BLOCK) {
        let mut differences = [0u64; BLOCK];
        for (difference, number) in differences.iter_mut().zip(block) {
            *difference = number.wrapping_sub(before);
            before = *number;
        }
        let used = differences.get_mut(..block.len()).unwrap_or_default();
        let signed = used.iter().map(|difference| difference.cast_signed());
        let least = signed.min().unwrap_or_default();
        for difference in used {
            *difference = difference.wrapping_sub(least.cast_unsigned());
        }
        varint::push(out, varint::zigzag(least));
        let parts = differences.as_chunks::<PART>().0;
        let widths = parts
            .iter()
            .map(|part| width_of(part.iter().fold(0, |all, difference| all | difference)));
        widths.clone().for_each(|width| out.push(width as u8));
        let begun = block.len().div_ceil(PART);
        for (part, width) in parts.iter().zip(widths).take(begun) {
            push_bits(out, part.iter().copied(), width);
        }
    }
}

/// Appends the first bytes of all numbers, then the second ones and so on (`BYTE_STREAM_SPLIT`).
pub(crate) fn push_streams(out: &mut Vec<u8>, numbers: &[u64]) {
    for place in 0..8 {
        out.extend(numbers.iter().map(|number| (number >> (8 * place)) as u8));
    }
}
