//! Export requests made by hand, byte by byte, so that no code under test is its own witness.
use bytes::Bytes;
use millrace_pipeline::batch::{Batch, Payload};
use millrace_wire::Signal;

/// A field of protobuf wire type 2.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A request with one span for each name, all in one scope.
pub(crate) fn spans(names: &[&str]) -> Bytes {
    let spans: Vec<u8> = names
        .iter()
        .flat_map(|name| {
            let ids = [field(1, &[1; 16]), field(2, &[2; 8])].concat();
            field(2, &[ids, field(5, name.as_bytes())].concat())
        })
        .collect();
    Bytes::from(field(1, &field(2, &spans)))
}

/// A request with one log record for each body.
pub(crate) fn logs(bodies: &[&str]) -> Bytes {
    let records: Vec<u8> = bodies
        .iter()
        .flat_map(|body| field(2, &field(5, &field(1, body.as_bytes()))))
        .collect();
    Bytes::from(field(1, &field(2, &records)))
}

/// A batch of such a request.
pub(crate) fn batch(signal: Signal, items: usize, request: Bytes) -> Batch {
    Batch {
        signal,
        items,
        payload: Payload::from(request),
    }
}

/// A batch with these spans.
pub(crate) fn span_batch(names: &[&str]) -> Batch {
    batch(Signal::Traces, names.len(), spans(names))
}
