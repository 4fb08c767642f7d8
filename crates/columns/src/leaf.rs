//! A column without lists, encoded as it is filled: a value that was there before costs a comparison, or a look into a table.
//!
//! Parquet's own writer takes arrays, hashes each value of them again, and computes a level for each. Sorted rows
//! mostly repeat what the row before them has.

use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page};

use crate::dictionary::{Dictionary, Numbers};
use crate::error::Error;
use crate::packer::Packer;
use crate::packing::{Runs, push_differences, push_streams, push_truths, width_of};

/// Rows of a page: what a search for one trace has to decode of a column for one span.
const PAGE_ROWS: usize = 8_192;
/// The same of columns that hold little: passing over what a dictionary or nulls say is quick, and each page has a header.
const LIGHT_PAGE_ROWS: usize = 65_536;
/// Pages with long values end sooner.
const PAGE_BYTES: usize = 1 << 20;
/// A dictionary with more says too little.
const DICTIONARY_BYTES_MAX: usize = 4 << 20;
/// Texts that hardly repeat (so many of a hundred among at least so many differ) are ids: a dictionary is for nothing.
const DISTINCT_PERCENT: usize = 94;
const SAMPLE_MIN: usize = 1_024;
/// Texts that hardly repeat are not longer, on average, if they are ids (a UUID has 36 characters) and not sentences.
const ID_BYTES_MAX: usize = 40;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Texts or bytes, which may repeat or not.
    Text,
    /// Texts of which the least and greatest let a search pass over a row group.
    Name,
    /// Texts or bytes that are known by a number.
    Known,
    /// Ids that do not repeat.
    Id,
    /// Ids that repeat, and that people look for.
    TraceId,
    /// Numbers that repeat.
    Number(Width),
    /// Times, one after the other.
    Time,
    /// Numbers of 8 bytes that do not repeat.
    Duration,
    Truth,
}

/// What the bits of a number mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Int32,
    UInt32,
    Int64,
    Double,
}

/// The values of a page that is being filled.
pub(crate) enum Values {
    Dictionary(Vec<u32>),
    /// Where each ends, and all of them.
    Plain(Vec<usize>, Vec<u8>),
    Numbers(Vec<u64>),
    Truths(Vec<bool>),
}

/// A page as it goes into the file, and its rows.
pub(crate) struct Packed {
    pub(crate) page: CompressedPage,
    pub(crate) rows: usize,
}

/// One column of one row group.
pub(crate) struct Leaf {
    pub(crate) of: Use,
    /// The level of a row with a value; one without has the level below it. At 0 every row has one.
    pub(crate) level: u32,
    pub(crate) texts: Dictionary,
    pub(crate) numbers: Numbers,
    values: Values,
    last: Option<u32>,
    /// How many rows lack a value, and how many behind them have one, again and again.
    runs: Vec<(usize, usize)>,
    page_start: usize,
    pub(crate) rows: usize,
    pub(crate) missing: usize,
    pub(crate) pages: Vec<Packed>,
    /// Of all numbers that no dictionary has.
    pub(crate) bounds: Option<(u64, u64)>,
}

impl Leaf {
    /// A column in which every row has a value.
    pub(crate) fn required(of: Use) -> Self {
        Self::at_level(of, 0)
    }

    /// A column in which rows may lack a value.
    pub(crate) fn optional(of: Use) -> Self {
        Self::at_level(of, 1)
    }

    /// The same inside of a group that rows may lack.
    pub(crate) fn nested(of: Use) -> Self {
        Self::at_level(of, 2)
    }

    fn at_level(of: Use, level: u32) -> Self {
        Self {
            of,
            level,
            texts: Dictionary::default(),
            numbers: Numbers::default(),
            values: match of {
                Use::Text | Use::Name | Use::Known | Use::TraceId | Use::Number(_) => {
                    Values::Dictionary(Vec::new())
                }
                Use::Id => Values::Plain(Vec::new(), Vec::new()),
                Use::Time | Use::Duration => Values::Numbers(Vec::new()),
                Use::Truth => Values::Truths(Vec::new()),
            },
            last: None,
            runs: Vec::new(),
            page_start: 0,
            rows: 0,
            missing: 0,
            pages: Vec::new(),
            bounds: None,
        }
    }

    /// The same column, empty, of another row group; returns this one.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self::at_level(self.of, self.level);
        std::mem::replace(self, next)
    }

    /// Goes on to this row, counted from the start of the row group; the rows up to it have no value.
    #[inline]
    fn pass_to(&mut self, row: usize) {
        let missing = row.saturating_sub(self.rows);
        if missing > 0 {
            self.rows += missing;
            self.missing += missing;
            match self.runs.last_mut() {
                Some((without, 0)) => *without += missing,
                _ => self.runs.push((missing, 0)),
            }
        }
    }

    #[inline]
    fn begin(&mut self, row: usize) {
        if self.level > 0 {
            self.pass_to(row);
            match self.runs.last_mut() {
                Some((_, with)) => *with += 1,
                None => self.runs.push((0, 1)),
            }
        }
        self.rows += 1;
    }

    /// Adds text or bytes in this row.
    #[inline]
    pub(crate) fn put(&mut self, row: usize, value: &[u8]) {
        self.begin(row);
        match &mut self.values {
            Values::Dictionary(numbers) => {
                let number = match self.last {
                    Some(last) if self.texts.get(last) == value => last,
                    _ => self.texts.intern(value),
                };
                self.last = Some(number);
                numbers.push(number);
            }
            Values::Plain(ends, bytes) => {
                bytes.extend_from_slice(value);
                ends.push(bytes.len());
            }
            Values::Numbers(_) | Values::Truths(_) => {}
        }
    }

    /// Adds the value with this number; only of [`Use::Known`].
    #[inline]
    pub(crate) fn put_known(&mut self, row: usize, number: u32) {
        self.begin(row);
        if let Values::Dictionary(numbers) = &mut self.values {
            numbers.push(number);
        }
    }

    /// The bits of a number in this row.
    #[inline]
    pub(crate) fn put_number(&mut self, row: usize, bits: u64) {
        self.begin(row);
        match &mut self.values {
            Values::Dictionary(numbers) => {
                let number = match self.last {
                    Some(last) if self.numbers.get(last) == Some(bits) => last,
                    _ => self.numbers.intern(bits),
                };
                self.last = Some(number);
                numbers.push(number);
            }
            Values::Numbers(numbers) => {
                let (least, greatest) = self.bounds.unwrap_or((bits, bits));
                self.bounds = Some((least.min(bits), greatest.max(bits)));
                numbers.push(bits);
            }
            Values::Plain(..) | Values::Truths(_) => {}
        }
    }

    pub(crate) fn put_truth(&mut self, row: usize, truth: bool) {
        self.begin(row);
        if let Values::Truths(truths) = &mut self.values {
            truths.push(truth);
        }
    }

    /// Adds text or bytes, unless there are none.
    #[inline]
    pub(crate) fn put_some(&mut self, row: usize, value: &[u8]) {
        if !value.is_empty() {
            self.put(row, value);
        }
    }

    /// Adds a count, unless it is zero.
    #[inline]
    pub(crate) fn put_count(&mut self, row: usize, count: u32) {
        if count != 0 {
            self.put_number(row, u64::from(count));
        }
    }

    /// Whether the last value of a dictionary was this text.
    #[inline]
    pub(crate) fn ends_with(&self, value: &[u8]) -> bool {
        self.last
            .is_some_and(|last| matches!(self.of, Use::Text) && self.texts.get(last) == value)
    }

    /// Adds the last value of the dictionary once more, which [`Self::ends_with`] has found to be the same; or which is known to
    /// be, if the column is not [`Use::Text`].
    #[inline]
    pub(crate) fn repeat(&mut self, row: usize) {
        self.begin(row);
        if let (Values::Dictionary(numbers), Some(last)) = (&mut self.values, self.last) {
            numbers.push(last);
        }
    }

    /// Ends the page if there is enough in it. So many rows are there now.
    pub(crate) fn end_batch(&mut self, rows: usize, packer: &mut Packer) -> Result<(), Error> {
        if self.level > 0 {
            self.pass_to(rows);
        }
        if self.pages.is_empty() {
            self.judge();
        }
        let (rows_max, bytes) = match &self.values {
            Values::Dictionary(_) | Values::Truths(_) => (LIGHT_PAGE_ROWS, 0),
            Values::Plain(_, bytes) => (PAGE_ROWS, bytes.len()),
            Values::Numbers(_) => (PAGE_ROWS, 0),
        };
        if self.rows - self.page_start >= rows_max || bytes >= PAGE_BYTES {
            self.end_page(packer)?;
        }
        if self.of == Use::Text && self.texts.page().len() > DICTIONARY_BYTES_MAX {
            self.give_up_dictionary(packer)?;
        }
        Ok(())
    }

    /// Texts that hardly repeat are written one after the other.
    fn judge(&mut self) {
        let Values::Dictionary(numbers) = &self.values else {
            return;
        };
        let hardly_repeats = numbers.len() >= SAMPLE_MIN
            && self.texts.len() * 100 >= numbers.len() * DISTINCT_PERCENT;
        if self.of != Use::Text || !hardly_repeats {
            return;
        }
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for number in numbers {
            bytes.extend_from_slice(self.texts.get(*number));
            ends.push(bytes.len());
        }
        self.values = Values::Plain(ends, bytes);
        (self.texts, self.last) = (Dictionary::default(), None);
    }

    /// What comes from now on stands in the pages themselves.
    fn give_up_dictionary(&mut self, packer: &mut Packer) -> Result<(), Error> {
        if let Values::Dictionary(_) = &self.values {
            self.end_page(packer)?;
            (self.values, self.last) = (Values::Plain(Vec::new(), Vec::new()), None);
        }
        Ok(())
    }

    /// Whether the page holds ids.
    fn is_of_ids(&self) -> bool {
        match &self.values {
            Values::Plain(ends, bytes) => bytes.len() <= ends.len() * ID_BYTES_MAX,
            _ => self.of == Use::TraceId,
        }
    }

    /// Ends the page that is being filled, if there is anything in it.
    pub(crate) fn end_page(&mut self, packer: &mut Packer) -> Result<(), Error> {
        let rows = self.rows - self.page_start;
        if rows == 0 {
            return Ok(());
        }
        self.page_start = self.rows;
        let mut content = Vec::new();
        self.push_levels(&mut content);
        let is_of_ids = self.is_of_ids();
        let encoding = self.push_values(&mut content);
        let page = Page::DataPage {
            buf: packer.pack(&content, is_of_ids)?.into(),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let page = CompressedPage::new(page, content.len());
        self.pages.push(Packed { page, rows });
        Ok(())
    }

    fn push_levels(&mut self, content: &mut Vec<u8>) {
        if self.level == 0 {
            return;
        }
        let mut levels = Vec::new();
        let mut runs = Runs::new(&mut levels, width_of(u64::from(self.level)));
        for (without, with) in self.runs.drain(..) {
            runs.push(self.level - 1, without);
            runs.push(self.level, with);
        }
        runs.finish();
        content.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        content.extend_from_slice(&levels);
    }

    fn push_values(&mut self, content: &mut Vec<u8>) -> Encoding {
        match &mut self.values {
            Values::Dictionary(numbers) => {
                let different = self.texts.len().max(self.numbers.values().len());
                let width = width_of(different.saturating_sub(1) as u64);
                content.push(width as u8);
                let mut runs = Runs::new(content, width);
                runs.extend(numbers);
                runs.finish();
                numbers.clear();
                Encoding::RLE_DICTIONARY
            }
            Values::Plain(ends, bytes) => {
                let mut start = 0;
                let lengths = ends
                    .drain(..)
                    .map(|end| (end - std::mem::replace(&mut start, end)) as u64);
                push_differences(content, &lengths.collect::<Vec<_>>());
                content.append(bytes);
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
            Values::Numbers(numbers) => {
                let encoding = if self.of == Use::Time {
                    push_differences(content, numbers);
                    Encoding::DELTA_BINARY_PACKED
                } else {
                    push_streams(content, numbers);
                    Encoding::BYTE_STREAM_SPLIT
                };
                numbers.clear();
                encoding
            }
            Values::Truths(truths) => {
                push_truths(content, truths);
                truths.clear();
                Encoding::PLAIN
            }
        }
    }

    /// Whether there is no value at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.missing == self.rows
    }
}
