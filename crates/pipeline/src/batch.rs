//! A batch: the bytes of OTLP requests of one signal on their way through the pipeline.
use bytes::Bytes;
use millrace_wire::Signal;

/// One or more export requests of one signal, still the bytes they came as.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which of the four services the bytes belong to.
    pub signal: Signal,
    /// Spans, data points, log records or profiles inside, counted when the bytes were validated.
    pub items: usize,
    /// The request itself.
    pub payload: Payload,
}

/// A rope of request bytes.
///
/// Protobuf merges repeated fields, so the concatenation of two export requests *is* their merged
/// request: batching appends a reference and copies nothing.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Payload {
    /// Length of the request in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for the empty request, which OTLP allows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order; none of them is empty.
    #[must_use]
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// A request made from parts of this one: a copy, which keeps the budget of its source in use.
    ///
    /// Without that, copies would wait in queues uncounted; with it, they hold at most the budget once more.
    #[must_use]
    pub fn derive(&self, request: Vec<u8>) -> Self {
        Self::from(Bytes::from_owner(Derived {
            request,
            _source: self.clone(),
        }))
    }

    /// Makes this the merged request of both.
    pub fn append(&mut self, other: Self) {
        self.len += other.len;
        self.chunks.extend(other.chunks);
    }

    /// The request as one piece of memory: free when it already is one, else one copy.
    #[must_use]
    pub fn to_contiguous(&self) -> Bytes {
        match self.chunks.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => {
                let mut joined = Vec::with_capacity(self.len);
                for chunk in many {
                    joined.extend_from_slice(chunk);
                }
                Bytes::from(joined)
            }
        }
    }
}

/// A copy and what it was copied from.
struct Derived {
    request: Vec<u8>,
    _source: Payload,
}

impl AsRef<[u8]> for Derived {
    fn as_ref(&self) -> &[u8] {
        &self.request
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        let chunks = if len == 0 { Vec::new() } else { vec![bytes] };
        Self { chunks, len }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::Budget;

    #[test]
    fn appending_payloads_concatenates_their_bytes_without_copying_them() {
        let first = Bytes::from_static(b"\x0a\x01a");
        let mut payload = Payload::from(first.clone());
        payload.append(Payload::from(Bytes::from_static(b"\x0a\x01b")));

        assert_eq!(
            payload.to_contiguous(),
            Bytes::from_static(b"\x0a\x01a\x0a\x01b")
        );
        assert_eq!(payload.len(), 6);
        assert_eq!(payload.chunks()[0].as_ptr(), first.as_ptr());
    }

    #[tokio::test]
    async fn a_copy_made_from_a_request_keeps_its_budget_in_use() {
        let budget = Budget::new(100);
        let reservation = budget.reserve(80, Duration::ZERO).await.unwrap();
        let request = Payload::from(reservation.hold(vec![0; 80]));
        let part = request.derive(vec![0; 10]);
        drop(request);
        assert_eq!((part.len(), budget.used()), (10, 80));
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_empty_request_is_a_payload_without_chunks() {
        assert!(Payload::from(Bytes::new()).chunks().is_empty());
    }
}
