//! One instrument: its streams for all readers, and the way of a measurement into them.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use millrace_recorder::fork::{AtFork, Shared};
use millrace_recorder::metric::{Exemplar, Stream, StreamOptions};
use millrace_wire::encode::Number;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::attributes::{AttributeSet, AttributesKey, KeptKeys, cleaned};
use super::fault::{Fault, Said};
use crate::clock::now_unix_nano;

/// Which measurements may become exemplars.
#[derive(Debug)]
pub(super) enum ExemplarFilter {
    AlwaysOff,
    AlwaysOn,
    /// Those made while a sampled span is current.
    TraceBased,
    /// Those that an object of the user's says.
    Custom(Py<PyAny>),
}

/// What one view makes of the instrument for one reader.
pub(super) struct InstrumentStream {
    /// Greater than that of every stream before it.
    id: u64,
    pub(super) reader: u64,
    pub(super) stream: Stream<AttributesKey>,
    /// The attributes that the view keeps, if not all.
    kept: Option<Arc<KeptKeys>>,
    /// Makes the reservoir of a series, where the user brought one.
    reservoir_factory: Option<Py<PyAny>>,
}

/// The streams of an instrument, in the order in which they were added.
#[derive(Default)]
pub(super) struct Streams(pub(super) Vec<InstrumentStream>);

impl AtFork for Streams {
    fn in_child(&mut self) {
        for stream in &mut self.0 {
            stream.stream.begin_in_child();
        }
    }
}

pub(super) struct Instrument {
    name: String,
    /// Set when the instrument joins a provider; until then nothing is counted.
    filter: OnceLock<ExemplarFilter>,
    pub(super) streams: Shared<Streams>,
    is_enabled: AtomicBool,
    /// Whether a stream may not have every attribute of a measurement, so that exemplars have to keep them.
    pub(super) drops_attributes: AtomicBool,
    said: Said,
}

/// A measurement that may become an exemplar.
struct Sample {
    time_unix_nano: u64,
    span: Option<([u8; 16], [u8; 8])>,
    attributes: Option<AttributesKey>,
}

/// What is counted.
struct Measurement<'a, 'py> {
    value: Number,
    /// The object that `value` was.
    given: &'a Bound<'py, PyAny>,
    context: Option<&'a Bound<'py, PyAny>>,
    /// Whose streams count it, if not all do.
    reader: Option<u64>,
    sample: Option<Sample>,
}

/// What a new series of a stream needs, to be made without the lock.
struct Missing {
    stream: u64,
    kept: Option<Arc<KeptKeys>>,
    reservoir_factory: Option<Py<PyAny>>,
}

impl InstrumentStream {
    fn missing(&self, py: Python<'_>) -> Missing {
        let factory = self.reservoir_factory.as_ref();
        Missing {
            stream: self.id,
            kept: self.kept.clone(),
            reservoir_factory: factory.map(|factory| factory.clone_ref(py)),
        }
    }
}

impl Instrument {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            filter: OnceLock::new(),
            streams: Shared::new(Streams::default()),
            is_enabled: AtomicBool::new(true),
            drops_attributes: AtomicBool::new(false),
            said: Said::default(),
        }
    }

    /// Says which measurements may become exemplars; only the first word counts.
    pub(super) fn filter_exemplars(&self, filter: ExemplarFilter) {
        let _ = self.filter.set(filter);
    }

    pub(super) fn enable(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled, Ordering::Relaxed);
    }

    pub(super) fn say(&self, fault: Fault, given: &Bound<'_, PyAny>) {
        self.said.once(fault, &self.name, given);
    }

    /// Counts one measurement, in every stream of `reader` or of all readers. Whatever is given, nothing is raised.
    #[inline]
    pub(super) fn measure(
        &self,
        value: Number,
        given: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
        reader: Option<u64>,
    ) {
        if !self.is_enabled.load(Ordering::Relaxed) {
            return;
        }
        let mut sample = self.sample(given, attributes, context);
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_none()) else {
            let measurement = Measurement {
                value,
                given,
                context,
                reader,
                sample,
            };
            self.record(&AttributeSet::empty(given.as_borrowed()), measurement);
            return;
        };
        #[cfg(Py_GIL_DISABLED)]
        let copy = attributes
            .cast_exact::<PyDict>()
            .and_then(|dict| Ok(dict.copy()?.into_any()));
        #[cfg(Py_GIL_DISABLED)]
        let attributes = copy.as_ref().unwrap_or(attributes);
        let mut set = AttributeSet::empty(given.as_borrowed());
        if let Ok(dict) = attributes.cast_exact::<PyDict>()
            && set.read(dict).is_ok()
        {
            if let Some(sample) = &mut sample
                && self.drops_attributes.load(Ordering::Relaxed)
            {
                sample.attributes = Some(set.to_key(None));
            }
            self.record(
                &set,
                Measurement {
                    value,
                    given,
                    context,
                    reader,
                    sample,
                },
            );
        } else {
            self.record_cleaned(
                attributes,
                Measurement {
                    value,
                    given,
                    context,
                    reader,
                    sample,
                },
            );
        }
    }

    /// Counts a measurement whose attributes Python has to look at first.
    #[cold]
    fn record_cleaned(&self, attributes: &Bound<'_, PyAny>, mut measurement: Measurement<'_, '_>) {
        let dict = cleaned(attributes).unwrap_or_else(|_| {
            self.say(Fault::Attributes, attributes);
            PyDict::new(attributes.py())
        });
        let set = AttributeSet::read_cleaned(&dict).unwrap_or_else(|_| {
            self.say(Fault::Attributes, attributes);
            AttributeSet::empty(attributes.as_borrowed())
        });
        if let Some(sample) = &mut measurement.sample {
            sample.attributes = Some(set.to_key(None));
        }
        self.record(&set, measurement);
    }

    /// Counts a measurement in each stream.
    #[inline]
    fn record(&self, set: &AttributeSet<'_, '_>, measurement: Measurement<'_, '_>) {
        let mut reservoirs = Vec::new();
        let mut streams = self.streams.lock();
        let missing = self.record_from(0, &mut streams, set, &measurement, None, &mut reservoirs);
        drop(streams);
        if let Some(missing) = missing {
            self.record_new(missing, set, &measurement, &mut reservoirs);
        }
        if !reservoirs.is_empty() {
            self.offer(&reservoirs, &measurement);
        }
    }

    /// Goes on where a series is missing: makes its key without the lock, and counts then.
    #[cold]
    fn record_new(
        &self,
        mut missing: Missing,
        set: &AttributeSet<'_, '_>,
        measurement: &Measurement<'_, '_>,
        reservoirs: &mut Vec<AttributesKey>,
    ) {
        loop {
            let Missing {
                stream,
                kept,
                reservoir_factory,
            } = missing;
            let reservoir = reservoir_factory.and_then(|factory| {
                let made = factory.bind(measurement.given.py()).call0();
                made.map_err(|_| self.say(Fault::Exemplar, measurement.given))
                    .ok()
            });
            let filtered = kept.map(|kept| set.filtered(&kept));
            let key = filtered
                .as_ref()
                .unwrap_or(set)
                .to_key(reservoir.map(Bound::unbind));
            let mut streams = self.streams.lock();
            let next = self.record_from(
                stream,
                &mut streams,
                set,
                measurement,
                Some(key),
                reservoirs,
            );
            drop(streams);
            match next {
                Some(next) => missing = next,
                None => return,
            }
        }
    }

    /// Counts in the streams from `first` on; ends early at one that needs a new series and was not given its key.
    #[inline]
    fn record_from(
        &self,
        first: u64,
        streams: &mut Streams,
        set: &AttributeSet<'_, '_>,
        measurement: &Measurement<'_, '_>,
        mut key: Option<AttributesKey>,
        reservoirs: &mut Vec<AttributesKey>,
    ) -> Option<Missing> {
        for one in &mut streams.0 {
            if one.id < first
                || measurement
                    .reader
                    .is_some_and(|reader| reader != one.reader)
            {
                continue;
            }
            let filtered = one.kept.as_ref().map(|kept| set.filtered(kept));
            let set = filtered.as_ref().unwrap_or(set);
            let hash = set.hash();
            let place = match one.stream.find(hash, |key| set.is(key)) {
                Some(place) => place,
                None if !one.stream.has_room() => {
                    self.drops_attributes.store(true, Ordering::Relaxed);
                    one.stream.overflow(now_unix_nano())
                }
                None => match key.take() {
                    Some(key) => one.stream.insert(hash, key, now_unix_nano()),
                    None => return Some(one.missing(measurement.given.py())),
                },
            };
            one.stream.update(place, measurement.value);
            if let Some(sample) = &measurement.sample {
                one.stream.offer(place, measurement.value, || {
                    sample.exemplar(measurement.value)
                });
                if let Some(key) = one.stream.key(place)
                    && key.reservoir().is_some()
                {
                    reservoirs.push(key.clone());
                }
            }
        }
        None
    }

    /// Offers a measurement to reservoirs of the user's, as the specification describes them.
    #[cold]
    fn offer(&self, reservoirs: &[AttributesKey], measurement: &Measurement<'_, '_>) {
        let Measurement {
            given,
            context,
            sample: Some(sample),
            ..
        } = measurement
        else {
            return;
        };
        let py = given.py();
        let offered = || -> PyResult<()> {
            let context = context_or_current(py, *context)?;
            for key in reservoirs {
                let attributes = sample
                    .attributes
                    .as_ref()
                    .unwrap_or(key)
                    .to_dict(py, None)?;
                if let Some(reservoir) = key.reservoir() {
                    let arguments = (given, sample.time_unix_nano, attributes, &context);
                    reservoir.call_method1(py, "offer", arguments)?;
                }
            }
            Ok(())
        };
        if offered().is_err() {
            self.say(Fault::Exemplar, given);
        }
    }

    /// What an exemplar of this measurement would know, if it may become one.
    #[inline]
    fn sample(
        &self,
        given: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> Option<Sample> {
        let filter = self.filter.get()?;
        if matches!(filter, ExemplarFilter::AlwaysOff) {
            return None;
        }
        let py = given.py();
        let context = context.filter(|context| !context.is_none());
        let span = crate::context::span_ids(py, context).unwrap_or_else(|_| {
            self.say(Fault::Exemplar, given);
            None
        });
        let time_unix_nano = match filter {
            ExemplarFilter::TraceBased if !span.is_some_and(|span| span.is_sampled()) => {
                return None;
            }
            ExemplarFilter::Custom(filter) => {
                let now = now_unix_nano();
                let is_sampled = context_or_current(py, context).and_then(|context| {
                    let arguments = (given, now, attributes, context);
                    let answer = filter.bind(py).call_method1("should_sample", arguments)?;
                    answer.is_truthy()
                });
                if !is_sampled.unwrap_or_else(|_| {
                    self.say(Fault::Exemplar, given);
                    false
                }) {
                    return None;
                }
                now
            }
            _ => now_unix_nano(),
        };
        Some(Sample {
            time_unix_nano,
            span: span.map(|span| (span.trace_id, span.span_id)),
            attributes: None,
        })
    }

    /// Adds a stream.
    pub(super) fn add_stream(
        &self,
        reader: u64,
        options: StreamOptions,
        overflow_key: AttributesKey,
        kept: Option<KeptKeys>,
        reservoir_factory: Option<Py<PyAny>>,
    ) {
        if kept.is_some() || reservoir_factory.is_some() {
            self.drops_attributes.store(true, Ordering::Relaxed);
        }
        let stream = Stream::new(options, overflow_key, now_unix_nano());
        let kept = kept.map(Arc::new);
        let mut streams = self.streams.lock();
        let id = streams.0.last().map_or(1, |last| last.id + 1);
        streams.0.push(InstrumentStream {
            id,
            reader,
            stream,
            kept,
            reservoir_factory,
        });
    }

    /// Takes the streams of a reader away.
    pub(super) fn remove_streams(&self, reader: u64) {
        let mut streams = self.streams.lock();
        let (removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut streams.0)
            .into_iter()
            .partition(|stream| stream.reader == reader);
        streams.0 = kept;
        drop(streams);
        // What they hold is let go of without the lock.
        drop(removed);
    }
}

impl Sample {
    fn exemplar(&self, value: Number) -> Exemplar<AttributesKey> {
        Exemplar {
            filtered_attributes: self.attributes.clone(),
            time_unix_nano: self.time_unix_nano,
            value,
            span: self.span,
        }
    }
}

/// The context that was given, or the current one.
fn context_or_current<'py>(
    py: Python<'py>,
    context: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    match context.filter(|context| !context.is_none()) {
        Some(context) => Ok(context.clone()),
        None => py
            .import("opentelemetry.context")?
            .call_method0("get_current"),
    }
}
