//! Finds heads of HTTP/1.1 requests that give their length twice, which hyper answers as if they gave it once (H12).
//!
//! `Content-Length` beside `Transfer-Encoding` is how one request is smuggled inside another: two servers in a row
//! disagree about its end. hyper believes the chunks and forgets the length before anybody sees it, so the bytes are
//! followed here on their way to hyper. A head of that kind loses its last line feed, and hyper refuses what is left.

/// Longest line that is kept; a longer one is no length, and neither the type of an OTLP request.
const LINE_BYTES_MAX: usize = 256;

/// Where a connection is between the first byte of a head and the last of a body.
#[derive(Debug, Default)]
pub(super) struct RequestLengths {
    place: Place,
    line: Vec<u8>,
    head: Head,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    RequestLine,
    Headers,
    Body(u64),
    ChunkSize,
    /// The data of a chunk and the line end after it.
    Chunk(u64),
    Trailers,
    /// Not HTTP, so hyper refuses it: nothing that follows is looked at.
    Lost,
}

/// What the head being read has said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// `Content-Length`, if there is one; `Err` where it is no number.
    length: Option<Result<u64, ()>>,
    /// Whether `Transfer-Encoding`, if there is one, ends with `chunked`.
    is_chunked: Option<bool>,
    is_json: bool,
}

impl RequestLengths {
    /// Whether the last head announces JSON.
    pub(super) fn is_json(&self) -> bool {
        self.head.is_json
    }

    /// Whether the last head was broken for its two lengths.
    pub(super) fn is_double(&self) -> bool {
        self.head.length.is_some() && self.head.is_chunked.is_some()
    }

    /// Follows the bytes that a client sent, and breaks the first head with two lengths.
    pub(super) fn check(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.place {
                Place::Lost => return,
                Place::Body(left) | Place::Chunk(left) => {
                    let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    at += taken;
                    self.skip(taken as u64);
                }
                _ => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let line = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
                    let room = LINE_BYTES_MAX - self.line.len();
                    self.line
                        .extend_from_slice(line.get(..room).unwrap_or(line));
                    let Some(end) = end else { return };
                    self.end_line();
                    if self.place == Place::Lost
                        && self.is_double()
                        && let Some(line_feed) = bytes.get_mut(at + end)
                    {
                        *line_feed = 0;
                    }
                    at += end + 1;
                }
            }
        }
    }

    fn skip(&mut self, taken: u64) {
        self.place = match self.place {
            Place::Body(left) if left == taken => Place::RequestLine,
            Place::Body(left) => Place::Body(left - taken),
            Place::Chunk(left) if left == taken => Place::ChunkSize,
            Place::Chunk(left) => Place::Chunk(left - taken),
            other => other,
        };
    }

    fn end_line(&mut self) {
        let mut buffer = std::mem::take(&mut self.line);
        let line = buffer.strip_suffix(b"\r").unwrap_or(&buffer);
        self.place = match self.place {
            Place::RequestLine | Place::Trailers if line.is_empty() => Place::RequestLine,
            Place::RequestLine => {
                self.head = Head::default();
                Place::Headers
            }
            Place::Headers if line.is_empty() => self.head.what_follows(),
            Place::Headers => {
                self.head.note(line);
                Place::Headers
            }
            Place::ChunkSize => chunk(line),
            other => other,
        };
        buffer.clear();
        self.line = buffer; // its memory serves the whole connection
    }
}

impl Head {
    fn note(&mut self, line: &[u8]) {
        let Some((name, value)) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.split_once(':'))
        else {
            return;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            self.length = Some(value.parse().map_err(|_| ()));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            let last = value.rsplit(',').next().unwrap_or_default().trim();
            self.is_chunked = Some(last.eq_ignore_ascii_case("chunked"));
        } else if name.eq_ignore_ascii_case("content-type") {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            self.is_json = media_type.eq_ignore_ascii_case("application/json");
        }
    }

    fn what_follows(&self) -> Place {
        match (self.length, self.is_chunked) {
            (None | Some(Ok(0)), None) => Place::RequestLine,
            (Some(Ok(length)), None) => Place::Body(length),
            (None, Some(true)) => Place::ChunkSize,
            _ => Place::Lost,
        }
    }
}

fn chunk(line: &[u8]) -> Place {
    let size = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split([';', ' ', '\t']).next())
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match size {
        Some(0) => Place::Trailers,
        Some(size) => size.checked_add(2).map_or(Place::Lost, Place::Chunk),
        None => Place::Lost,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONCE: &str = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\r\n\r\n";
    const CHUNKS: &str = "\r\nPOST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n5;a=b\r\n12\n\n4\r\n0\r\nX-Y: z\r\n\r\n";
    const TWICE: &str = "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nX: y\r\ncontent-length: 5\r\n\r\n0\r\n\r\n";

    /// What hyper gets of `text` that comes in pieces of these sizes.
    fn checked(text: &str, sizes: &[usize]) -> String {
        let (mut lengths, mut out) = (RequestLengths::default(), Vec::new());
        let mut bytes = text.as_bytes().to_vec();
        let mut sizes = sizes.iter().copied().chain(std::iter::repeat(usize::MAX));
        while !bytes.is_empty() {
            let rest = bytes.split_off(bytes.len().min(sizes.next().unwrap()));
            lengths.check(&mut bytes);
            out.append(&mut bytes);
            bytes = rest;
        }
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn h12_the_head_with_two_lengths_is_found_behind_any_others_and_however_it_is_cut(
            before in prop::collection::vec(prop::bool::ANY, 0..6),
            sizes in prop::collection::vec(1_usize..40, 0..30),
        ) {
            let before: String = before.into_iter().map(|once| if once { ONCE } else { CHUNKS }).collect();
            prop_assert_eq!(checked(&before, &sizes), before.clone());

            let found = checked(&format!("{before}{TWICE}{TWICE}"), &sizes);
            let broken = TWICE.replacen("5\r\n\r\n", "5\r\n\r\0", 1);
            prop_assert_eq!(found, format!("{before}{broken}{TWICE}"));
        }

        #[test]
        fn bytes_that_are_not_http_change_nothing_and_end_nothing(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let mut seen = bytes.clone();
            RequestLengths::default().check(&mut seen);
            prop_assert_eq!(seen, bytes);
        }
    }

    #[test]
    fn the_type_of_the_last_head_is_known() {
        let mut lengths = RequestLengths::default();
        lengths.check(&mut b"POST / HTTP/1.1\r\nContent-Type: Application/JSON; a=b\r\n".to_vec());
        assert!(lengths.is_json());
        lengths.check(&mut b"\r\nPOST / HTTP/1.1\r\n".to_vec());
        assert!(!lengths.is_json());
    }
}
