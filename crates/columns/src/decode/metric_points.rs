//! Reads data points of every kind back.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, BinaryArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, UInt32Array, UInt64Array,
};
use millrace_wire::field::{push_delimited, push_fixed64};
use millrace_wire::varint;

use super::attributes::AttributeDecoder;
use super::nested::ExemplarDecoder;
use super::{Named, bytes_of, push_count, push_time, text_of, typed, value_of};
use crate::error::Error;

/// Reads the rows of a batch of data points.
pub(crate) struct PointDecoder<'a> {
    kind: &'a StringArray,
    time: &'a UInt64Array,
    start: &'a UInt64Array,
    value_double: &'a Float64Array,
    value_int: &'a Int64Array,
    flags: &'a UInt32Array,
    count: &'a UInt64Array,
    sum: &'a Float64Array,
    min: &'a Float64Array,
    max: &'a Float64Array,
    bucket_counts: Numbers<'a, UInt64Array>,
    explicit_bounds: Numbers<'a, Float64Array>,
    scale: &'a Int32Array,
    zero_count: &'a UInt64Array,
    zero_threshold: &'a Float64Array,
    positive: Side<'a>,
    negative: Side<'a>,
    quantiles: Numbers<'a, StructArray>,
    attributes: AttributeDecoder<'a>,
    exemplars: ExemplarDecoder<'a>,
    otlp: &'a BinaryArray,
    scratch: Vec<u8>,
}

/// A column of lists.
struct Numbers<'a, A> {
    list: &'a ListArray,
    values: &'a A,
}

impl<'a, A: Array + 'static> Numbers<'a, A> {
    fn new(batch: &'a RecordBatch, name: &str) -> Result<Self, Error> {
        let list: &ListArray = typed(batch.any(name)?.as_list_opt(), name)?;
        let values = typed(list.values().as_any().downcast_ref(), name)?;
        Ok(Self { list, values })
    }

    fn places(&self, row: usize) -> std::ops::Range<usize> {
        match self.list.value_offsets().get(row..row + 2) {
            Some([start, end]) => start.cast_unsigned() as usize..end.cast_unsigned() as usize,
            _ => 0..0,
        }
    }
}

/// One side of the buckets of exponential histograms.
struct Side<'a> {
    offset: &'a Int32Array,
    counts: Numbers<'a, UInt64Array>,
}

impl Side<'_> {
    fn append(&self, row: usize, number: u32, out: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        let Some(offset) = value_of(self.offset, row) else {
            return;
        };
        scratch.clear();
        push_count(scratch, 1, zigzag(offset));
        let places = self.counts.places(row);
        if !places.is_empty() {
            let mut packed = Vec::with_capacity(2 * places.len());
            for place in places {
                varint::push(&mut packed, self.counts.values.value(place));
            }
            push_delimited(scratch, 2, &packed);
        }
        push_delimited(out, number, scratch);
    }
}

impl<'a> PointDecoder<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self, Error> {
        let side = |offset, counts| -> Result<Side<'a>, Error> {
            Ok(Side {
                offset: batch.numbers::<Int32Type>(offset)?,
                counts: Numbers::new(batch, counts)?,
            })
        };
        Ok(Self {
            kind: batch.text("type")?,
            time: batch.numbers::<UInt64Type>("time_unix_nano")?,
            start: batch.numbers::<UInt64Type>("start_time_unix_nano")?,
            value_double: batch.numbers::<Float64Type>("value_double")?,
            value_int: batch.numbers::<Int64Type>("value_int")?,
            flags: batch.numbers::<UInt32Type>("flags")?,
            count: batch.numbers::<UInt64Type>("count")?,
            sum: batch.numbers::<Float64Type>("sum")?,
            min: batch.numbers::<Float64Type>("min")?,
            max: batch.numbers::<Float64Type>("max")?,
            bucket_counts: Numbers::new(batch, "bucket_counts")?,
            explicit_bounds: Numbers::new(batch, "explicit_bounds")?,
            scale: batch.numbers::<Int32Type>("scale")?,
            zero_count: batch.numbers::<UInt64Type>("zero_count")?,
            zero_threshold: batch.numbers::<Float64Type>("zero_threshold")?,
            positive: side("positive_offset", "positive_bucket_counts")?,
            negative: side("negative_offset", "negative_bucket_counts")?,
            quantiles: Numbers::new(batch, "quantile_values")?,
            attributes: AttributeDecoder::new(batch)?,
            exemplars: ExemplarDecoder::new(batch)?,
            otlp: batch.bytes("otlp")?,
            scratch: Vec::new(),
        })
    }

    pub(crate) fn append(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(point) = bytes_of(self.otlp, row) {
            out.extend_from_slice(point);
            return Ok(());
        }
        match text_of(self.kind, row) {
            "histogram" => self.append_histogram(row, out),
            "exponential_histogram" => self.append_exponential(row, out),
            "summary" => self.append_summary(row, out),
            _ => self.append_number(row, out),
        }
    }

    fn append_times(&self, row: usize, out: &mut Vec<u8>) {
        push_time(out, 2, value_of(self.start, row).unwrap_or_default());
        push_time(out, 3, value_of(self.time, row).unwrap_or_default());
    }

    fn append_flags(&self, row: usize, number: u32, out: &mut Vec<u8>) {
        let flags = value_of(self.flags, row).unwrap_or_default();
        push_count(out, number, flags.into());
    }

    fn append_number(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.append_times(row, out);
        push_double(out, 4, value_of(self.value_double, row));
        self.exemplars.append(row, 5, out)?;
        if let Some(value) = value_of(self.value_int, row) {
            push_fixed64(out, 6, value.cast_unsigned());
        }
        self.attributes.append(row, 7, out)?;
        self.append_flags(row, 8, out);
        Ok(())
    }

    fn append_histogram(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.append_times(row, out);
        push_time(out, 4, value_of(self.count, row).unwrap_or_default());
        push_double(out, 5, value_of(self.sum, row));
        let counts = self.bucket_counts.places(row);
        if !counts.is_empty() {
            self.scratch.clear();
            for place in counts {
                let count = self.bucket_counts.values.value(place);
                self.scratch.extend_from_slice(&count.to_le_bytes());
            }
            push_delimited(out, 6, &self.scratch);
        }
        let bounds = self.explicit_bounds.places(row);
        if !bounds.is_empty() {
            self.scratch.clear();
            for place in bounds {
                let bound = self.explicit_bounds.values.value(place);
                self.scratch.extend_from_slice(&bound.to_le_bytes());
            }
            push_delimited(out, 7, &self.scratch);
        }
        self.exemplars.append(row, 8, out)?;
        self.attributes.append(row, 9, out)?;
        self.append_flags(row, 10, out);
        push_double(out, 11, value_of(self.min, row));
        push_double(out, 12, value_of(self.max, row));
        Ok(())
    }

    fn append_exponential(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.attributes.append(row, 1, out)?;
        self.append_times(row, out);
        push_time(out, 4, value_of(self.count, row).unwrap_or_default());
        push_double(out, 5, value_of(self.sum, row));
        push_count(
            out,
            6,
            zigzag(value_of(self.scale, row).unwrap_or_default()),
        );
        push_time(out, 7, value_of(self.zero_count, row).unwrap_or_default());
        self.positive.append(row, 8, out, &mut self.scratch);
        self.negative.append(row, 9, out, &mut self.scratch);
        self.append_flags(row, 10, out);
        self.exemplars.append(row, 11, out)?;
        push_double(out, 12, value_of(self.min, row));
        push_double(out, 13, value_of(self.max, row));
        let threshold = value_of(self.zero_threshold, row).unwrap_or_default();
        push_double(
            out,
            14,
            Some(threshold).filter(|value| value.to_bits() != 0),
        );
        Ok(())
    }

    fn append_summary(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.append_times(row, out);
        push_time(out, 4, value_of(self.count, row).unwrap_or_default());
        let sum = value_of(self.sum, row).unwrap_or_default();
        push_double(out, 5, Some(sum).filter(|value| value.to_bits() != 0));
        let quantiles = self.quantiles.values.numbers::<Float64Type>("quantile")?;
        let values = self.quantiles.values.numbers::<Float64Type>("value")?;
        for place in self.quantiles.places(row) {
            self.scratch.clear();
            for (number, column) in [(1, quantiles), (2, values)] {
                let value = value_of(column, place).filter(|value| value.to_bits() != 0);
                push_double(&mut self.scratch, number, value);
            }
            push_delimited(out, 6, &self.scratch);
        }
        self.attributes.append(row, 7, out)?;
        self.append_flags(row, 8, out);
        Ok(())
    }
}

fn zigzag(value: i32) -> u64 {
    varint::zigzag(value.into())
}

fn push_double(out: &mut Vec<u8>, number: u32, value: Option<f64>) {
    if let Some(value) = value {
        push_fixed64(out, number, value.to_bits());
    }
}
