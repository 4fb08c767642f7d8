//! The body that OTLP wants in the answers that hyper gives by itself, to heads that it cannot read (H4).
use std::io::IoSlice;

use millrace_wire::Status;

use super::request_lengths::RequestLengths;

/// `google.rpc.Code` of a request that will be as wrong the next time.
const INVALID_ARGUMENT: i32 = 3;
const HEAD_END: &[u8] = b"\r\n\r\n";
const NO_BODY: &str = "content-length: 0\r\n";

/// What to write instead of `slices` when hyper's own answer is the last of them.
///
/// That is an error without a body and without a type: the service gives its errors both. hyper closes the connection
/// after it, so it is always the end of what is written.
pub(super) fn replace(slices: &[IoSlice<'_>], lengths: &RequestLengths) -> Option<Vec<u8>> {
    let last = slices.iter().rev().find(|slice| !slice.is_empty())?;
    if !last.ends_with(HEAD_END) {
        return None;
    }
    let begin = last
        .windows(b"HTTP/1.1 4".len())
        .rposition(|window| window == b"HTTP/1.1 4")?;
    let head = std::str::from_utf8(last.get(begin..)?).ok()?;
    if !head.contains(NO_BODY) || head.contains("content-type:") {
        return None;
    }
    let message = match head.get(9..12)? {
        _ if lengths.is_double() => {
            "a request has either Content-Length or Transfer-Encoding, and this one had both"
        }
        "431" => "the head of the request is too large, or has too many headers",
        "414" => "the path of the request is too long",
        _ => "the head of the request is not valid HTTP/1.1",
    };
    let status = Status {
        code: INVALID_ARGUMENT,
        message: message.to_owned(),
        bad_request: None,
        retry_delay: None,
    };
    let (media_type, body) = if lengths.is_json() {
        ("application/json", status.to_json())
    } else {
        ("application/x-protobuf", status.encode())
    };
    let length = body.len();
    let head = head.replacen(
        NO_BODY,
        &format!("content-type: {media_type}\r\ncontent-length: {length}\r\n"),
        1,
    );
    let before = slices.iter().flat_map(|slice| slice.iter());
    let kept = slices.iter().map(|slice| slice.len()).sum::<usize>() - (last.len() - begin);
    let mut answer: Vec<u8> = before.take(kept).copied().collect();
    answer.extend(head.as_bytes());
    answer.extend(body);
    Some(answer)
}
