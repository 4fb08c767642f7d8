//! From a request straight to the ids of its items, past everything else.
//!
//! A sink reads what a gateway has validated before, so this does not validate again: it costs a few
//! nanoseconds an item, where validation costs hundreds. Bytes that make no sense end the walk with an error.
use millrace_wire::Signal;
use millrace_wire::field::{Fields, Value};

/// The request's framing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Who generated an item, and as which of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub generator: u64,
    pub sequence: u64,
}

/// Calls `visit` with the encoded item of every span, data point, log record or profile.
pub(super) fn items<'a>(
    signal: Signal,
    request: &'a [u8],
    visit: &mut impl FnMut(&'a [u8]),
) -> Result<(), Malformed> {
    each(request, 1, &mut |of_resource| {
        each(of_resource, 2, &mut |of_scope| {
            each(of_scope, 2, &mut |item| match signal {
                Signal::Metrics => data_points(item, visit),
                Signal::Traces | Signal::Logs | Signal::Profiles => {
                    visit(item);
                    Ok(())
                }
            })
        })
    })
}

/// The fields of a metric that hold data points: gauge, sum, histogram, exponential histogram, summary.
fn data_points<'a>(metric: &'a [u8], visit: &mut impl FnMut(&'a [u8])) -> Result<(), Malformed> {
    let mut fields = Fields::new(metric);
    for field in fields.by_ref() {
        if matches!(field.number, 5 | 7 | 9 | 10 | 11) {
            each(field.value.delimited(), 1, &mut |point| {
                visit(point);
                Ok(())
            })?;
        }
    }
    if fields.rest().is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

#[inline]
fn each<'a>(
    message: &'a [u8],
    number: u32,
    visit: &mut impl FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    for field in fields.by_ref() {
        if field.number == number
            && let Value::Delimited(content) = field.value
        {
            visit(content)?;
        }
    }
    if fields.rest().is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

/// The identity that [`Template`](super::Template) gives its items; `None` for telemetry of others.
#[inline]
pub(super) fn identity(signal: Signal, item: &[u8]) -> Option<Identity> {
    match signal {
        Signal::Traces => first_ids(item).or_else(|| ids(item, 1, 2)),
        Signal::Logs => ids(item, 9, 10),
        Signal::Metrics => Fields::new(item)
            .filter(|field| matches!(field.number, 5 | 8 | 11))
            .find_map(|exemplar| ids(exemplar.value.delimited(), 5, 4)),
        Signal::Profiles => {
            let id = Fields::new(item).find(|field| field.number == 7)?;
            let (generator, sequence) = id.value.delimited().split_first_chunk()?;
            Some(Identity {
                generator: u64::from_be_bytes(*generator),
                sequence: u64::from_be_bytes(*sequence.first_chunk()?),
            })
        }
    }
}

/// The ids of a span that begins with both, as encoders of all languages write it: no parsing.
#[inline]
fn first_ids(span: &[u8]) -> Option<Identity> {
    const TRACE_ID: [u8; 2] = [1 << 3 | 2, 16];
    const SPAN_ID: [u8; 2] = [2 << 3 | 2, 8];

    let (generator, rest) = span.strip_prefix(&TRACE_ID)?.split_first_chunk()?;
    let (_, rest) = rest.split_first_chunk::<8>()?;
    let sequence = rest.strip_prefix(&SPAN_ID)?.first_chunk()?;
    Some(Identity {
        generator: u64::from_be_bytes(*generator),
        sequence: u64::from_be_bytes(*sequence),
    })
}

/// Reads no further than the second of the two ids.
#[inline]
fn ids(message: &[u8], trace_id: u32, span_id: u32) -> Option<Identity> {
    let (mut generator, mut sequence) = (None, None);
    for field in Fields::new(message) {
        if field.number == trace_id {
            generator = field.value.delimited().first_chunk();
        } else if field.number == span_id {
            sequence = field.value.delimited().first_chunk();
        } else {
            continue;
        }
        if let (Some(generator), Some(sequence)) = (generator, sequence) {
            return Some(Identity {
                generator: u64::from_be_bytes(*generator),
                sequence: u64::from_be_bytes(*sequence),
            });
        }
    }
    None
}

/// When the item was sent, as [`Template`](super::Template) stamps it: nanoseconds since 1970.
pub(super) fn time_unix_nano(signal: Signal, item: &[u8]) -> Option<u64> {
    let number = match signal {
        Signal::Traces => 7,
        Signal::Logs => 1,
        Signal::Metrics | Signal::Profiles => 3,
    };
    Fields::new(item)
        .find(|field| field.number == number)
        .map(|field| field.value.bits())
}
