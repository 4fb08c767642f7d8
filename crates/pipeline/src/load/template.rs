//! A request that is encoded once and then only stamped: fresh ids and times at known places, no encoding.
use fastrand::Rng;
use millrace_wire::Signal;

use super::LoadError;
use super::draft::{Draft, Mark, MarkKind, Value};
use super::items::{self, Place, PointKind};
use super::shape::Shape;
use super::values;

/// A pre-encoded OTLP request of one [`Shape`].
///
/// # Identity of generated items
/// Every item carries the id of its generator and a sequence number from 1 upwards, so that a
/// [`Sink`](super::Sink) can say which items never came, came twice or came out of order:
///
/// | signal | generator (8 bytes, big-endian) | sequence number (8 bytes, big-endian) |
/// |---|---|---|
/// | traces, logs | first half of `trace_id` | `span_id` |
/// | metrics | first half of the exemplar's `trace_id` | the exemplar's `span_id` |
/// | profiles | first half of `profile_id` | second half of `profile_id` |
///
/// The second half of a `trace_id` is the sequence number of the root of its trace.
#[derive(Clone, Debug)]
pub struct Template {
    shape: Shape,
    generator: u64,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Template {
    /// Encodes the request; everything but ids and times is the same for equal shapes.
    ///
    /// # Errors
    /// [`LoadError::Options`] when a knob of the shape is out of its range.
    pub fn new(shape: &Shape, generator: u64) -> Result<Self, LoadError> {
        shape.check()?;
        let draft = request(shape, generator);
        Ok(Self {
            shape: shape.clone(),
            generator,
            bytes: draft.bytes,
            marks: draft.marks,
        })
    }

    /// Which telemetry the request carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.shape.signal
    }

    /// Items in the request.
    #[must_use]
    pub fn items(&self) -> usize {
        self.shape.items
    }

    /// Whose sequence numbers the items carry.
    #[must_use]
    pub fn generator(&self) -> u64 {
        self.generator
    }

    /// The encoded request with zeros where [`stamp`](Self::stamp) writes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the items of `request`, a copy of [`bytes`](Self::bytes), the sequence numbers from `first` upwards
    /// and times that begin at `time_unix_nano`.
    pub fn stamp(&self, request: &mut [u8], first: u64, time_unix_nano: u64) {
        for mark in &self.marks {
            let bytes = match mark.kind {
                MarkKind::Sequence => (first + u64::from(mark.add)).to_be_bytes(),
                MarkKind::Time => (time_unix_nano + u64::from(mark.add)).to_le_bytes(),
            };
            if let Some(place) = request
                .get_mut(mark.offset as usize..)
                .and_then(|rest| rest.first_chunk_mut())
            {
                *place = bytes;
            }
        }
    }

    /// One stamped request in memory of its own.
    #[must_use]
    pub fn request(&self, first: u64, time_unix_nano: u64) -> Vec<u8> {
        let mut request = self.bytes.clone();
        self.stamp(&mut request, first, time_unix_nano);
        request
    }
}

fn request(shape: &Shape, generator: u64) -> Draft {
    let mut rng = Rng::with_seed(shape.seed);
    let mut request = Draft::default();
    for service in 0..shape.services {
        // Block `service` of `services` blocks whose lengths differ by one at most.
        let begin = shape.items * service / shape.services;
        let end = shape.items * (service + 1) / shape.services;
        let mut scope = Draft::default();
        scope.text(1, "millrace.load");
        scope.text(2, env!("CARGO_PKG_VERSION"));
        let mut items = Draft::default();
        items.nest(1, &scope);
        let places = (begin..end).map(|index| Place {
            generator,
            index: index as u32,
        });
        if shape.signal == Signal::Metrics {
            metrics(&mut items, shape, &mut rng, &places.collect::<Vec<_>>());
        } else {
            for place in places {
                items.nest(2, &items::item(shape, &mut rng, place, PointKind::Sum));
            }
        }
        let mut of_resource = Draft::default();
        of_resource.nest(1, &resource(service));
        of_resource.nest(2, &items);
        request.nest(1, &of_resource);
    }
    if shape.signal == Signal::Profiles {
        request.nest(2, &dictionary());
    }
    request
}

fn resource(service: usize) -> Draft {
    let name = values::service_name(service);
    let mut resource = Draft::default();
    for (key, value) in [
        ("service.name", name.clone()),
        ("service.namespace", "shop".to_owned()),
        ("service.version", "2.1.0".to_owned()),
        ("host.name", format!("{name}-7d9c5b6f4-x2x{service}")),
        ("telemetry.sdk.language", "rust".to_owned()),
    ] {
        resource.attribute(1, key, &Value::Text(value));
    }
    resource
}

/// Deals the points out to metrics of the three kinds in turn.
fn metrics(scope: &mut Draft, shape: &Shape, rng: &mut Rng, places: &[Place]) {
    const CUMULATIVE: u64 = 2;

    let kinds = [PointKind::Sum, PointKind::Gauge, PointKind::Histogram];
    for (chunk, kind) in places
        .chunks(shape.points_per_metric)
        .zip(kinds.into_iter().cycle())
    {
        let mut data = Draft::default();
        for place in chunk {
            data.nest(1, &items::item(shape, rng, *place, kind));
        }
        let (number, name, unit) = match kind {
            PointKind::Sum => (7, "http.server.requests", "{request}"),
            PointKind::Gauge => (5, "system.cpu.utilization", "1"),
            PointKind::Histogram => (9, "http.server.request.duration", "ms"),
        };
        if kind != PointKind::Gauge {
            data.varint(2, CUMULATIVE);
        }
        if kind == PointKind::Sum {
            data.varint(3, 1);
        }
        let mut metric = Draft::default();
        metric.text(1, name);
        metric.text(3, unit);
        metric.nest(number, &data);
        scope.nest(2, &metric);
    }
}

/// What the indices of a profile point into: index 0 of every table stands for "none".
fn dictionary() -> Draft {
    let empty = Draft::default();
    let mut function = Draft::default();
    function.varint(1, 3);
    let mut line = Draft::default();
    line.varint(1, 1);
    line.varint(2, 42);
    let mut location = Draft::default();
    location.nest(3, &line);
    let mut stack = Draft::default();
    stack.nest(
        1,
        &Draft {
            bytes: vec![1],
            marks: Vec::new(),
        },
    );
    let mut dictionary = Draft::default();
    dictionary.nest(1, &empty);
    dictionary.nest(2, &empty);
    dictionary.nest(2, &location);
    dictionary.nest(3, &empty);
    dictionary.nest(3, &function);
    dictionary.nest(4, &empty);
    for text in ["", "cpu", "nanoseconds", "handle_request"] {
        dictionary.text(5, text);
    }
    dictionary.nest(6, &empty);
    dictionary.nest(7, &empty);
    dictionary.nest(7, &stack);
    dictionary
}
