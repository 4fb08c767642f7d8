//! One span, data point, log record or profile of a generated request.
use fastrand::Rng;
use millrace_wire::{Signal, varint};

use super::draft::{Draft, Value};
use super::shape::Shape;
use super::values;

/// Where an item stands and whom it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first half of its trace or profile id.
    pub generator: u64,
    /// Its place in the request, from zero.
    pub index: u32,
}

/// The three kinds of data points that are generated, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PointKind {
    Sum,
    Gauge,
    Histogram,
}

/// Encodes one item so that it has the bytes that the shape asks for, if it can.
pub(super) fn item(shape: &Shape, rng: &mut Rng, place: Place, point: PointKind) -> Draft {
    let mut filler = 0;
    // A longer filler may need longer length prefixes around it, hence more than one attempt.
    for _ in 0..3 {
        let draft = encode(shape, &mut rng.clone(), place, point, filler);
        let missing = shape.bytes_per_item.cast_signed() - draft.bytes.len().cast_signed();
        filler = filler.saturating_add_signed(missing);
        if missing == 0 || filler == 0 {
            break;
        }
    }
    encode(shape, rng, place, point, filler)
}

fn encode(shape: &Shape, rng: &mut Rng, place: Place, point: PointKind, filler: usize) -> Draft {
    match shape.signal {
        Signal::Traces => span(shape, rng, place, filler),
        Signal::Metrics => data_point(shape, rng, place, point, filler),
        Signal::Logs => log_record(shape, rng, place, filler),
        Signal::Profiles => profile(rng, place, filler),
    }
}

/// The attributes of the shape and one more that fills the item up; none where nothing is missing.
fn attributes(draft: &mut Draft, number: u32, shape: &Shape, rng: &mut Rng, filler: usize) {
    for place in 0..shape.attributes {
        let (key, value) = values::attribute(rng, place);
        draft.attribute(number, &key, &value);
    }
    if filler > 0 {
        let text = values::text(rng, filler);
        draft.attribute(number, "app.note", &Value::Text(text));
    }
}

/// The place of the root of the trace that the span at this place belongs to.
fn root_of(shape: &Shape, index: u32) -> u32 {
    index - index % shape.spans_per_trace.max(1) as u32
}

fn span(shape: &Shape, rng: &mut Rng, place: Place, filler: usize) -> Draft {
    const SERVER: u64 = 2;
    const CLIENT: u64 = 3;

    let root = root_of(shape, place.index);
    let is_root = root == place.index;
    let duration_ns = rng.u32(50_000..500_000_000);
    let mut span = Draft::default();
    span.generator_id(1, place.generator, root);
    span.span_id(2, place.index);
    if !is_root {
        span.span_id(4, root);
    }
    span.text(
        5,
        if is_root {
            "GET /api/products"
        } else {
            "SELECT products"
        },
    );
    span.varint(6, if is_root { SERVER } else { CLIENT });
    span.time(7, 0);
    span.time(8, duration_ns);
    attributes(&mut span, 9, shape, rng, filler);
    for event in 0..shape.events {
        let mut draft = Draft::default();
        draft.time(1, duration_ns / 2);
        draft.text(2, "cache.miss");
        let (key, value) = values::attribute(rng, event % 4);
        draft.attribute(3, &key, &value);
        span.nest(11, &draft);
    }
    span.nest(15, &Draft::default());
    span
}

fn log_record(shape: &Shape, rng: &mut Rng, place: Place, filler: usize) -> Draft {
    const INFO: u64 = 9;
    const WARN: u64 = 13;

    let is_warning = rng.u8(..8) == 0;
    let mut record = Draft::default();
    record.time(1, 0);
    record.varint(2, if is_warning { WARN } else { INFO });
    record.text(3, if is_warning { "WARN" } else { "INFO" });
    let mut body = Draft::default();
    let length = rng.usize(20..60);
    body.text(1, &values::text(rng, length));
    record.nest(5, &body);
    attributes(&mut record, 6, shape, rng, filler);
    record.generator_id(9, place.generator, root_of(shape, place.index));
    record.span_id(10, place.index);
    record.time(11, 1_000);
    record
}

/// A point of a sum, a gauge or a histogram; its exemplar carries the sequence number.
fn data_point(shape: &Shape, rng: &mut Rng, place: Place, kind: PointKind, filler: usize) -> Draft {
    let mut point = Draft::default();
    point.time(2, 0);
    point.time(3, 0);
    let measured = f64::from(rng.u32(1..1_000_000)) / 1000.0;
    let (attributes_number, exemplars_number) = match kind {
        PointKind::Sum => {
            point.fixed64(6, rng.u64(..1_000_000));
            (7, 5)
        }
        PointKind::Gauge => {
            point.double(4, measured);
            (7, 5)
        }
        PointKind::Histogram => {
            histogram(&mut point, rng, measured);
            (9, 8)
        }
    };
    let mut exemplar = Draft::default();
    exemplar.time(2, 0);
    exemplar.double(3, measured);
    exemplar.span_id(4, place.index);
    exemplar.generator_id(5, place.generator, root_of(shape, place.index));
    point.nest(exemplars_number, &exemplar);
    attributes(&mut point, attributes_number, shape, rng, filler);
    point
}

/// Five buckets between four bounds, counted up to the whole.
fn histogram(point: &mut Draft, rng: &mut Rng, measured: f64) {
    let counts: [u64; 5] = std::array::from_fn(|_| rng.u64(..1000));
    point.fixed64(4, counts.iter().sum());
    point.double(5, measured);
    point.packed(6, &counts);
    point.packed(7, &[5.0_f64, 25.0, 100.0, 500.0].map(f64::to_bits));
}

/// A profile of CPU samples; as many of them as fill it.
fn profile(rng: &mut Rng, place: Place, filler: usize) -> Draft {
    let mut kind = Draft::default();
    kind.varint(1, 1);
    kind.varint(2, 2);
    let mut profile = Draft::default();
    profile.nest(1, &kind);
    profile.time(3, 0);
    profile.varint(4, 10_000_000_000);
    profile.nest(5, &kind);
    profile.varint(6, 10_000_000);
    profile.generator_id(7, place.generator, place.index);
    let end = profile.bytes.len() + filler;
    while profile.bytes.len() < end {
        let mut values = Draft::default();
        varint::push(&mut values.bytes, rng.u64(128..16_000));
        let mut sample = Draft::default();
        sample.varint(1, 1);
        sample.nest(4, &values);
        profile.nest(2, &sample);
    }
    profile
}
