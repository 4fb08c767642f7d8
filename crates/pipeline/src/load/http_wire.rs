//! Just enough HTTP/1.1 for one request after the other on one connection: a response, read from a stream.
use std::io::{self, Read};
use std::time::Duration;

/// No answer to an Export is longer; a sink that sends more is broken.
const RESPONSE_MAX: usize = 4 << 20;

/// What a load generator needs of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// The server will not take another request on this connection.
    pub close: bool,
    pub body: Vec<u8>,
}

/// How long the body is.
enum Length {
    Known(usize),
    Chunked,
}

/// Reads one response. `buffer` is scratch memory that is kept from call to call.
pub(super) fn read_response(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Response> {
    buffer.clear();
    let head_end = loop {
        read_more(stream, buffer)?;
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
    };
    let head = buffer.get(..head_end).unwrap_or_default();
    let (mut response, length) = parse_head(head)?;
    let body_start = head_end + 4;
    match length {
        Length::Known(length) => {
            while buffer.len() < body_start + length {
                read_more(stream, buffer)?;
            }
            let body = buffer.get(body_start..body_start + length);
            response.body = body.unwrap_or_default().to_vec();
        }
        Length::Chunked => loop {
            if let Some(body) = dechunk(buffer.get(body_start..).unwrap_or_default())? {
                response.body = body;
                break;
            }
            read_more(stream, buffer)?;
        },
    }
    Ok(response)
}

fn invalid(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

fn read_more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<()> {
    if buffer.len() > RESPONSE_MAX {
        return Err(invalid("the response is longer than 4 MiB"));
    }
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn parse_head(head: &[u8]) -> io::Result<(Response, Length)> {
    let head = str::from_utf8(head).map_err(|_| invalid("the response head is not text"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| invalid("the response is not HTTP/1.x"))?;
    let mut response = Response {
        status,
        ..Response::default()
    };
    let mut length = Length::Known(0);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let parsed = value
                .parse()
                .map_err(|_| invalid("the response's Content-Length is not a number"))?;
            length = Length::Known(parsed);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            response.close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("retry-after") {
            response.retry_after = value.parse().ok().map(Duration::from_secs);
        }
    }
    Ok((response, length))
}

/// The body of chunks; `None` while its last chunk is missing.
fn dechunk(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(line_end) = find(rest, b"\r\n") else {
            return Ok(None);
        };
        let size = rest
            .get(..line_end)
            .and_then(|line| str::from_utf8(line).ok())
            .and_then(|line| line.split(';').next())
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok())
            .filter(|size| *size <= RESPONSE_MAX)
            .ok_or_else(|| invalid("a chunk of the response has no valid size"))?;
        let start = line_end + 2;
        let Some(after) = rest.get(start + size + 2..) else {
            return Ok(None);
        };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(rest.get(start..start + size).unwrap_or_default());
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Response> {
        read_response(&mut text.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_response_ends_where_its_content_length_says() {
        let response =
            read("HTTP/1.1 503 Busy\r\nretry-after: 2\r\nContent-Length: 2\r\n\r\nnoHTTP").unwrap();
        let expected = Response {
            status: 503,
            retry_after: Some(Duration::from_secs(2)),
            close: false,
            body: b"no".to_vec(),
        };
        assert_eq!(response, expected);
    }

    #[test]
    fn a_chunked_response_is_joined() {
        let response = read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
        );
        assert_eq!(response.unwrap().body, b"abc");
    }

    #[test]
    fn a_response_that_breaks_off_is_an_error() {
        let error = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert_eq!(
            read("\0\0\x06\x04\r\n\r\n").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
