//! Data points of every kind of metric as columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, BooleanArray, DictionaryArray, Int32Array, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};
use millrace_wire::view::{
    BucketsView, DataView, ExponentialHistogramPointView, HistogramPointView, MetricView,
    SummaryPointView,
};

use crate::attributes::AttributeColumns;
use crate::column::Column;
use crate::envelopes::EnvelopeColumns;
use crate::error::Error;
use crate::nested::{ExemplarColumns, list};
use crate::rows::Row;
use crate::spans::ATTRIBUTES;
use crate::sparse::{Sparse, add_bytes, add_count, add_number};
use crate::tables::Tables;

/// A column of lists of numbers.
struct Numbers<B> {
    ends: Vec<i32>,
    values: B,
    count: i32,
}

impl<B: Default> Default for Numbers<B> {
    fn default() -> Self {
        Self {
            ends: vec![0],
            values: B::default(),
            count: 0,
        }
    }
}

impl<B> Numbers<B> {
    fn end_row(&mut self, added: usize) {
        self.count += (added as u32).cast_signed();
        self.ends.push(self.count);
    }

    fn finish(
        &mut self,
        name: &str,
        kind: DataType,
        values: ArrayRef,
    ) -> Result<NamedArray, Error> {
        self.count = 0;
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        list(name, Field::new("element", kind, false), ends, values)
    }
}

impl Numbers<UInt64Builder> {
    fn push(&mut self, numbers: impl Iterator<Item = u64>) {
        let added = numbers
            .map(|number| self.values.append_value(number))
            .count();
        self.end_row(added);
    }

    fn column(&mut self, name: &str) -> Result<NamedArray, Error> {
        let values = Arc::new(self.values.finish());
        self.finish(name, DataType::UInt64, values)
    }
}

impl Numbers<Float64Builder> {
    fn push(&mut self, numbers: impl Iterator<Item = f64>) {
        let added = numbers
            .map(|number| self.values.append_value(number))
            .count();
        self.end_row(added);
    }

    fn column(&mut self, name: &str) -> Result<NamedArray, Error> {
        let values = Arc::new(self.values.finish());
        self.finish(name, DataType::Float64, values)
    }
}

type NamedArray = (Field, ArrayRef);

/// Builds the columns of data points.
#[derive(Default)]
pub(crate) struct PointColumns {
    envelopes: EnvelopeColumns,
    metrics: Vec<i32>,
    is_metric_written: Vec<bool>,
    metric: Sparse<BinaryBuilder>,
    series: UInt64Builder,
    time: UInt64Builder,
    start: UInt64Builder,
    value_double: Sparse<Float64Builder>,
    value_int: Sparse<Int64Builder>,
    flags: Sparse<UInt32Builder>,
    count: Sparse<UInt64Builder>,
    sum: Sparse<Float64Builder>,
    min: Sparse<Float64Builder>,
    max: Sparse<Float64Builder>,
    bucket_counts: Numbers<UInt64Builder>,
    explicit_bounds: Numbers<Float64Builder>,
    scale: Sparse<Int32Builder>,
    zero_count: Sparse<UInt64Builder>,
    zero_threshold: Sparse<Float64Builder>,
    positive: Buckets,
    negative: Buckets,
    quantiles: Numbers<Float64Builder>,
    quantile_values: Float64Builder,
    attributes: AttributeColumns,
    exemplars: ExemplarColumns,
    otlp: Sparse<BinaryBuilder>,
    rows: usize,
}

/// One side of the buckets of exponential histograms.
#[derive(Default)]
struct Buckets {
    offset: Sparse<Int32Builder>,
    counts: Numbers<UInt64Builder>,
}

impl Buckets {
    fn push(&mut self, row: usize, view: Option<BucketsView<'_>>) {
        add_number(&mut self.offset, row, view.map(|view| view.offset()));
        self.counts
            .push(view.into_iter().flat_map(|view| view.counts()));
    }
}

/// What a point says beside its attributes and exemplars.
#[derive(Default)]
struct Values {
    value_double: Option<f64>,
    value_int: Option<i64>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

/// Numbers of the fields of the points of one kind, and of those that a column has.
struct Numbering {
    attributes: u32,
    exemplars: u32,
    known: &'static [u32],
}

const NUMBER: Numbering = Numbering {
    attributes: 7,
    exemplars: 5,
    known: &[2, 3, 4, 5, 6, 7, 8],
};
const HISTOGRAM: Numbering = Numbering {
    attributes: 9,
    exemplars: 8,
    known: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
};
const EXPONENTIAL: Numbering = Numbering {
    attributes: 1,
    exemplars: 11,
    known: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
};
const SUMMARY: Numbering = Numbering {
    attributes: 7,
    exemplars: u32::MAX,
    known: &[2, 3, 4, 5, 6, 7, 8],
};

impl PointColumns {
    pub(crate) fn new(attributes: AttributeColumns) -> Self {
        Self {
            attributes,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        self.envelopes.push(tables, row);
        self.push_metric(tables, row);
        let data = tables
            .metrics
            .get(row.metric)
            .and_then(|metric| MetricView::new(&metric.bytes).data());
        let kind = data.as_ref().map_or("", DataView::kind);
        let numbering = match kind {
            "histogram" => HISTOGRAM,
            "exponential_histogram" => EXPONENTIAL,
            "summary" => SUMMARY,
            _ => NUMBER,
        };
        let mut pairs = Vec::with_capacity(ATTRIBUTES);
        let mut exemplars = Vec::new();
        let (mut start, mut time, mut flags, mut is_odd) = (0, 0, 0, false);
        let mut values = Values::default();
        for field in Fields::new(row.item) {
            match (field.number, field.value) {
                (2, Value::Fixed64(value)) => start = value,
                (3, Value::Fixed64(value)) => time = value,
                (number, Value::Delimited(pair)) if number == numbering.attributes => {
                    pairs.push(pair);
                }
                (number, Value::Delimited(bytes)) if number == numbering.exemplars => {
                    exemplars.push(bytes);
                }
                (4, Value::Fixed64(bits)) if kind == "gauge" || kind == "sum" => {
                    values.set_double(f64::from_bits(bits));
                }
                (6, Value::Fixed64(bits)) if kind == "gauge" || kind == "sum" => {
                    values.set_int(bits.cast_signed());
                }
                (8, Value::Varint(bits))
                    if kind != "histogram" && kind != "exponential_histogram" =>
                {
                    flags = bits as u32;
                }
                (10, Value::Varint(bits)) => flags = bits as u32,
                (number, _) => is_odd |= !numbering.known.contains(&number),
            }
        }
        self.start.append_value(start);
        self.time.append_value(time);
        add_count(&mut self.flags, self.rows, flags);
        is_odd |= self.push_distribution(kind, row.item, &mut values);
        self.push_values(&values);
        self.attributes.push(&pairs);
        self.exemplars.push(&exemplars);
        add_bytes(&mut self.otlp, self.rows, is_odd.then_some(row.item));
        self.rows += 1;
    }

    fn push_metric(&mut self, tables: &Tables, row: &Row<'_>) {
        self.metrics.push(row.metric.cast_signed());
        self.series.append_value(row.series);
        let index = row.metric as usize;
        if self.is_metric_written.len() <= index {
            self.is_metric_written.resize(index + 1, false);
        }
        let is_written = self
            .is_metric_written
            .get_mut(index)
            .is_some_and(|written| std::mem::replace(written, true));
        let metric = tables.metrics.get(row.metric).filter(|_| !is_written);
        add_bytes(
            &mut self.metric,
            self.rows,
            metric.map(|metric| &metric.bytes[..]),
        );
    }

    fn push_values(&mut self, values: &Values) {
        let row = self.rows;
        add_number(&mut self.value_double, row, values.value_double);
        add_number(&mut self.value_int, row, values.value_int);
        add_number(&mut self.count, row, values.count);
        add_number(&mut self.sum, row, values.sum);
        add_number(&mut self.min, row, values.min);
        add_number(&mut self.max, row, values.max);
    }

    /// Adds what only histograms and summaries have. True where a part of the message stands there several times or is
    /// present without content, which columns cannot tell from its absence.
    fn push_distribution(&mut self, kind: &str, point: &[u8], values: &mut Values) -> bool {
        let histogram = (kind == "histogram").then(|| HistogramPointView::new(point));
        let exponential =
            (kind == "exponential_histogram").then(|| ExponentialHistogramPointView::new(point));
        let summary = (kind == "summary").then(|| SummaryPointView::new(point));
        if let Some(view) = &histogram {
            values.count = Some(view.count);
            (values.sum, values.min, values.max) = (view.sum, view.min, view.max);
        }
        if let Some(view) = &exponential {
            values.count = Some(view.count);
            (values.sum, values.min, values.max) = (view.sum, view.min, view.max);
        }
        if let Some(view) = &summary {
            (values.count, values.sum) = (Some(view.count), Some(view.sum));
        }
        self.bucket_counts
            .push(histogram.iter().flat_map(HistogramPointView::bucket_counts));
        self.explicit_bounds.push(
            histogram
                .iter()
                .flat_map(HistogramPointView::explicit_bounds),
        );
        let row = self.rows;
        add_number(&mut self.scale, row, exponential.map(|view| view.scale()));
        let zero_count = exponential.map(|view| view.zero_count);
        add_number(&mut self.zero_count, row, zero_count);
        let zero_threshold = exponential.map(|view| view.zero_threshold);
        add_number(&mut self.zero_threshold, row, zero_threshold);
        let side = |number: u32| {
            exponential
                .filter(|_| Fields::new(point).any(|field| field.number == number))
                .map(|view| {
                    if number == 8 {
                        view.positive()
                    } else {
                        view.negative()
                    }
                })
        };
        let is_odd = exponential.is_some()
            && [8, 9].into_iter().any(|number| {
                Fields::new(point)
                    .filter(|field| field.number == number)
                    .count()
                    > 1
            });
        self.positive.push(row, side(8));
        self.negative.push(row, side(9));
        let quantiles: Vec<(f64, f64)> = summary
            .iter()
            .flat_map(SummaryPointView::quantile_values)
            .collect();
        for (_, value) in &quantiles {
            self.quantile_values.append_value(*value);
        }
        self.quantiles
            .push(quantiles.iter().map(|(quantile, _)| *quantile));
        is_odd
    }

    fn metric_columns(&mut self, tables: &Tables, rows: usize) -> Result<Vec<NamedArray>, Error> {
        let metrics = Int32Array::from(std::mem::take(&mut self.metrics));
        let views: Vec<MetricView<'_>> = tables
            .metrics
            .entries()
            .iter()
            .map(|metric| MetricView::new(&metric.bytes))
            .collect();
        let data: Vec<Option<DataView<'_>>> = views.iter().map(MetricView::data).collect();
        let at = |index: &i32| {
            data.get(index.cast_unsigned() as usize)
                .and_then(Option::as_ref)
        };
        let temporality: Vec<i32> = metrics
            .values()
            .iter()
            .map(|index| at(index).map_or(0, |data| data.aggregation_temporality))
            .collect();
        let monotonic: Vec<bool> = metrics
            .values()
            .iter()
            .map(|index| at(index).is_some_and(|data| data.is_monotonic))
            .collect();
        Ok(vec![
            dictionary(
                "metric_id",
                &metrics,
                tables.metrics.entries().iter().map(|metric| &*metric.id),
            )?,
            dictionary("name", &metrics, views.iter().map(|view| view.name))?,
            dictionary(
                "description",
                &metrics,
                views.iter().map(|view| view.description),
            )?,
            dictionary("unit", &metrics, views.iter().map(|view| view.unit))?,
            dictionary(
                "type",
                &metrics,
                data.iter()
                    .map(|data| data.as_ref().map_or("", DataView::kind)),
            )?,
            (
                Field::new("aggregation_temporality", DataType::Int32, false),
                Arc::new(Int32Array::from(temporality)),
            ),
            (
                Field::new("is_monotonic", DataType::Boolean, false),
                Arc::new(BooleanArray::from(monotonic)),
            ),
            (
                Field::new("metric", DataType::Binary, true),
                self.metric.finish(rows),
            ),
        ])
    }

    fn quantile_column(&mut self) -> Result<NamedArray, Error> {
        let members: Vec<NamedArray> = vec![
            (
                Field::new("quantile", DataType::Float64, false),
                Arc::new(self.quantiles.values.finish()),
            ),
            (
                Field::new("value", DataType::Float64, false),
                Arc::new(self.quantile_values.finish()),
            ),
        ];
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
        let structures = StructArray::try_new(fields.into(), arrays, None)?;
        let kind = DataType::Struct(structures.fields().clone());
        self.quantiles
            .finish("quantile_values", kind, Arc::new(structures))
    }

    pub(crate) fn end_group(&mut self) {
        self.envelopes.end_group();
        self.attributes.end_group();
        self.is_metric_written.clear();
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<Column<'_>>, Error> {
        let rows = std::mem::take(&mut self.rows);
        let whole = |name: &str, builder: &mut UInt64Builder| -> NamedArray {
            let field = Field::new(name, DataType::UInt64, false);
            (field, Arc::new(builder.finish()))
        };
        let sparse = |name: &str, array: ArrayRef| {
            (Field::new(name, array.data_type().clone(), true), array)
        };
        let mut arrays = self.metric_columns(tables, rows)?;
        arrays.extend([
            whole("series", &mut self.series),
            whole("time_unix_nano", &mut self.time),
            whole("start_time_unix_nano", &mut self.start),
            sparse("value_double", self.value_double.finish(rows)),
            sparse("value_int", self.value_int.finish(rows)),
            sparse("flags", self.flags.finish(rows)),
            sparse("count", self.count.finish(rows)),
            sparse("sum", self.sum.finish(rows)),
            sparse("min", self.min.finish(rows)),
            sparse("max", self.max.finish(rows)),
            self.bucket_counts.column("bucket_counts")?,
            self.explicit_bounds.column("explicit_bounds")?,
            sparse("scale", self.scale.finish(rows)),
            sparse("zero_count", self.zero_count.finish(rows)),
            sparse("zero_threshold", self.zero_threshold.finish(rows)),
            sparse("positive_offset", self.positive.offset.finish(rows)),
            self.positive.counts.column("positive_bucket_counts")?,
            sparse("negative_offset", self.negative.offset.finish(rows)),
            self.negative.counts.column("negative_bucket_counts")?,
            self.quantile_column()?,
        ]);
        let mut columns = self.envelopes.finish()?;
        columns.extend(arrays.into_iter().map(Column::array));
        columns.extend(self.attributes.finish());
        columns.push(Column::array(self.exemplars.finish()?));
        columns.push(Column::array(sparse("otlp", self.otlp.finish(rows))));
        Ok(columns)
    }
}

impl Values {
    fn set_double(&mut self, value: f64) {
        (self.value_double, self.value_int) = (Some(value), None);
    }

    fn set_int(&mut self, value: i64) {
        (self.value_double, self.value_int) = (None, Some(value));
    }
}

/// A column of few different texts.
fn dictionary<'a>(
    name: &str,
    keys: &Int32Array,
    texts: impl Iterator<Item = &'a str>,
) -> Result<(Field, ArrayRef), Error> {
    let values = Arc::new(StringArray::from_iter_values(texts));
    let array = DictionaryArray::try_new(keys.clone(), values)?;
    let kind = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    Ok((Field::new(name, kind, false), Arc::new(array)))
}
