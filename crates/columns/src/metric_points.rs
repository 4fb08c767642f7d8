//! Data points of every kind of metric as columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, BooleanArray, Int32Array, StructArray};
use arrow_schema::{DataType, Field};
use millrace_wire::field::{Fields, Value};
use millrace_wire::view::{
    BucketsView, DataView, ExponentialHistogramPointView, HistogramPointView, MetricView,
    SummaryPointView,
};

use crate::attributes::AttributeColumns;
use crate::envelopes::{EnvelopeColumns, dictionary};
use crate::error::Error;
use crate::nested::{ExemplarColumns, list};
use crate::rows::Row;
use crate::spans::append_count;
use crate::tables::Tables;
use crate::value::Pair;

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

    fn finish(&mut self, name: &str, kind: DataType, values: ArrayRef) -> Result<Column, Error> {
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

    fn column(&mut self, name: &str) -> Result<Column, Error> {
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

    fn column(&mut self, name: &str) -> Result<Column, Error> {
        let values = Arc::new(self.values.finish());
        self.finish(name, DataType::Float64, values)
    }
}

type Column = (Field, ArrayRef);

/// Builds the columns of data points.
#[derive(Default)]
pub(crate) struct PointColumns {
    envelopes: EnvelopeColumns,
    metrics: Vec<i32>,
    is_metric_written: Vec<bool>,
    metric: BinaryBuilder,
    series: UInt64Builder,
    time: UInt64Builder,
    start: UInt64Builder,
    value_double: Float64Builder,
    value_int: Int64Builder,
    flags: UInt32Builder,
    count: UInt64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bucket_counts: Numbers<UInt64Builder>,
    explicit_bounds: Numbers<Float64Builder>,
    scale: Int32Builder,
    zero_count: UInt64Builder,
    zero_threshold: Float64Builder,
    positive: Buckets,
    negative: Buckets,
    quantiles: Numbers<Float64Builder>,
    quantile_values: Float64Builder,
    attributes: AttributeColumns,
    exemplars: ExemplarColumns,
    otlp: BinaryBuilder,
}

/// One side of the buckets of exponential histograms.
#[derive(Default)]
struct Buckets {
    offset: Int32Builder,
    counts: Numbers<UInt64Builder>,
}

impl Buckets {
    fn push(&mut self, view: Option<BucketsView<'_>>) {
        self.offset.append_option(view.map(|view| view.offset()));
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
        let mut pairs = Vec::with_capacity(8);
        let mut exemplars = Vec::new();
        let (mut start, mut time, mut flags, mut is_odd) = (0, 0, 0, false);
        let mut values = Values::default();
        for field in Fields::new(row.item) {
            match (field.number, field.value) {
                (2, Value::Fixed64(value)) => start = value,
                (3, Value::Fixed64(value)) => time = value,
                (number, Value::Delimited(pair)) if number == numbering.attributes => {
                    pairs.push(Pair::new(pair));
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
        append_count(&mut self.flags, flags);
        is_odd |= self.push_distribution(kind, row.item, &mut values);
        self.push_values(&values);
        self.attributes.push(&pairs);
        self.exemplars.push(&exemplars);
        if is_odd {
            self.otlp.append_value(row.item);
        } else {
            self.otlp.append_null();
        }
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
        self.metric
            .append_option(metric.map(|metric| &metric.bytes[..]));
    }

    fn push_values(&mut self, values: &Values) {
        self.value_double.append_option(values.value_double);
        self.value_int.append_option(values.value_int);
        self.count.append_option(values.count);
        self.sum.append_option(values.sum);
        self.min.append_option(values.min);
        self.max.append_option(values.max);
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
        self.scale
            .append_option(exponential.map(|view| view.scale()));
        self.zero_count
            .append_option(exponential.map(|view| view.zero_count));
        self.zero_threshold
            .append_option(exponential.map(|view| view.zero_threshold));
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
        self.positive.push(side(8));
        self.negative.push(side(9));
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

    fn metric_columns(&mut self, tables: &Tables) -> Result<Vec<Column>, Error> {
        let metrics = Int32Array::from(std::mem::take(&mut self.metrics));
        self.is_metric_written.clear();
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
                Arc::new(self.metric.finish()),
            ),
        ])
    }

    fn quantile_column(&mut self) -> Result<Column, Error> {
        let members: Vec<Column> = vec![
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

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<Column>, Error> {
        let whole = |name: &str, nullable, builder: &mut UInt64Builder| -> Column {
            let field = Field::new(name, DataType::UInt64, nullable);
            (field, Arc::new(builder.finish()))
        };
        let real = |name: &str, builder: &mut Float64Builder| -> Column {
            let field = Field::new(name, DataType::Float64, true);
            (field, Arc::new(builder.finish()))
        };
        let small = |name: &str, builder: &mut Int32Builder| -> Column {
            let field = Field::new(name, DataType::Int32, true);
            (field, Arc::new(builder.finish()))
        };
        let mut columns = self.envelopes.finish(tables)?;
        columns.extend(self.metric_columns(tables)?);
        columns.extend([
            whole("series", false, &mut self.series),
            whole("time_unix_nano", false, &mut self.time),
            whole("start_time_unix_nano", false, &mut self.start),
            real("value_double", &mut self.value_double),
            (
                Field::new("value_int", DataType::Int64, true),
                Arc::new(self.value_int.finish()),
            ),
            (
                Field::new("flags", DataType::UInt32, true),
                Arc::new(self.flags.finish()),
            ),
            whole("count", true, &mut self.count),
            real("sum", &mut self.sum),
            real("min", &mut self.min),
            real("max", &mut self.max),
            self.bucket_counts.column("bucket_counts")?,
            self.explicit_bounds.column("explicit_bounds")?,
            small("scale", &mut self.scale),
            whole("zero_count", true, &mut self.zero_count),
            real("zero_threshold", &mut self.zero_threshold),
            small("positive_offset", &mut self.positive.offset),
            self.positive.counts.column("positive_bucket_counts")?,
            small("negative_offset", &mut self.negative.offset),
            self.negative.counts.column("negative_bucket_counts")?,
            self.quantile_column()?,
        ]);
        columns.extend(self.attributes.finish()?);
        columns.push(self.exemplars.finish()?);
        columns.push((
            Field::new("otlp", DataType::Binary, true),
            Arc::new(self.otlp.finish()),
        ));
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
