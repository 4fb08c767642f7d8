//! OTLP/HTTP on one blocking connection: one `write` for the whole request, one `read` for the answer.
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use super::answer::{Answer, rejected_items};
use super::http_wire::read_response;
use super::plan::Plan;

/// One connection and the buffer that all of its requests are stamped into.
pub(super) struct HttpSender {
    plan: Arc<Plan>,
    stream: Option<TcpStream>,
    /// Head and body of the next request, one piece of memory so that it takes one system call.
    request: Vec<u8>,
    head_length: usize,
    incoming: Vec<u8>,
}

impl HttpSender {
    /// Connects with the first request.
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let mut request = head(&plan, plan.template.bytes().len());
        let head_length = request.len();
        request.extend_from_slice(plan.template.bytes());
        Self {
            plan,
            stream: None,
            request,
            head_length,
            incoming: Vec::new(),
        }
    }

    /// Sends the run of sequence numbers at `place` and waits for the answer.
    pub(super) fn send(&mut self, place: u64, time_unix_nano: u64) -> Answer {
        self.exchange(place, time_unix_nano)
            .unwrap_or_else(|error| {
                self.stream = None;
                Answer::of_error(&error)
            })
    }

    fn exchange(&mut self, place: u64, time_unix_nano: u64) -> io::Result<Answer> {
        self.prepare(place, time_unix_nano)?;
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.write_all(&self.request)?;
        self.plan.count_sent(self.request.len() - self.head_length);
        let response = read_response(&mut stream, &mut self.incoming)?;
        if !response.close {
            self.stream = Some(stream);
        }
        Ok(Answer::of_http(
            response.status,
            response.retry_after,
            rejected_items(&response.body),
        ))
    }

    fn prepare(&mut self, place: u64, time_unix_nano: u64) -> io::Result<()> {
        if let Some(body) = self.plan.compressed(place, time_unix_nano)? {
            self.request = head(&self.plan, body.len());
            self.head_length = self.request.len();
            self.request.extend_from_slice(&body);
        } else if let Some(body) = self.request.get_mut(self.head_length..) {
            self.plan.stamp(body, place, time_unix_nano);
        }
        Ok(())
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = self.plan.endpoint.connect(self.plan.timeout)?;
        stream.set_read_timeout(Some(self.plan.timeout))?;
        stream.set_write_timeout(Some(self.plan.timeout))?;
        Ok(stream)
    }
}

fn head(plan: &Plan, length: usize) -> Vec<u8> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n",
        plan.endpoint.path, plan.endpoint.authority,
    );
    if let Some(coding) = plan.compression.name() {
        head.push_str("content-encoding: ");
        head.push_str(coding);
        head.push_str("\r\n");
    }
    for (name, value) in &plan.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}
