//! The byte stream of a client: cut off when a head dawdles or frames flood, and read to its end before it is closed.
use std::future::Future as _;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::automatic_answer;
use super::frame_rate::{FrameBorders, FrameHead, FrameRate, PREFACE_BYTES, kind};
use super::request_lengths::RequestLengths;

/// How long a client that is still sending is listened to after its last answer. Closing at once would make the kernel
/// send a reset, which takes the answer away from a client that has not read it yet (a 413 above all).
const LINGER: Duration = Duration::from_secs(2);
/// What is read and thrown away of a flood after the goodbye.
const FLOOD_BYTES_MAX: usize = 1 << 20;
const ENHANCE_YOUR_CALM: u32 = 11;
/// What is read at once from a client that nobody listens to any more.
const SCRATCH_BYTES: usize = 8 << 10;

/// What the stream of a connection knows of the requests on it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    started: AtomicUsize,
    finished: AtomicUsize,
    leaving: AtomicBool,
}

/// A request in progress; dropped when it is answered or given up.
#[derive(Debug)]
pub(crate) struct InProgress(Arc<Progress>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }
}

impl Progress {
    /// The head of a request is complete.
    pub(crate) fn start(self: &Arc<Self>) -> InProgress {
        self.started.fetch_add(1, Ordering::Relaxed);
        InProgress(Arc::clone(self))
    }

    /// The gateway stops: a head that is not complete yet is not waited for.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether it stops.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.started() != self.finished.load(Ordering::Relaxed)
    }
}

/// A stream that bounds the time for the head of a request, which hyper counts together with the silence before it.
pub(crate) struct ClientStream<S> {
    stream: S,
    progress: Arc<Progress>,
    protocol: Protocol,
    head_timeout: Duration,
    received: usize,
    /// How many requests had started when bytes of another head came.
    head_after: Option<usize>,
    head_deadline: Option<Pin<Box<Sleep>>>,
    linger_deadline: Option<Pin<Box<Sleep>>>,
    /// The client has said all that it will say.
    ended: bool,
    /// An HTTP/2 client that floods was told to calm down: nobody listens any more, except to throw away.
    is_dismissed: bool,
    thrown_away: usize,
    /// An answer that is being written instead of hyper's own, how much of it is, and how many bytes of hyper's it is.
    own_answer: Option<(Vec<u8>, usize, usize)>,
}

/// What is followed of the bytes on their way to hyper and back.
enum Protocol {
    Http1(RequestLengths),
    /// What is bounded is the preface; requests are many at once, and pings find a dead peer.
    Http2 {
        received: FrameBorders,
        rate: FrameRate,
        sent: FrameBorders,
    },
}

impl Protocol {
    fn of(is_http2: bool) -> Self {
        if is_http2 {
            Self::Http2 {
                received: FrameBorders::after(PREFACE_BYTES),
                rate: FrameRate::default(),
                sent: FrameBorders::after(0),
            }
        } else {
            Self::Http1(RequestLengths::default())
        }
    }

    fn is_http2(&self) -> bool {
        matches!(self, Self::Http2 { .. })
    }

    /// Follows what was read; the frame that is one too many, if there is one.
    fn received(&mut self, bytes: &mut [u8]) -> Option<FrameHead> {
        match self {
            Self::Http1(lengths) => {
                lengths.check(bytes);
                None
            }
            Self::Http2 { received, rate, .. } => {
                let mut excess = None;
                received.follow(bytes, |frame| {
                    if excess.is_none() && !rate.allows(frame) {
                        excess = Some(frame);
                    }
                });
                excess
            }
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        if let Self::Http2 { sent, .. } = self {
            sent.follow(bytes, |_| {});
        }
    }

    /// GOAWAY with `ENHANCE_YOUR_CALM`; nothing in the middle of another frame, where it would not be understood.
    fn calm(&self, excess: FrameHead) -> Option<Vec<u8>> {
        let Self::Http2 { rate, sent, .. } = self else {
            return None;
        };
        let why: &[u8] = if excess.kind == kind::PING {
            b"too_many_pings" // gRPC clients know these words, and ping less often from then on
        } else {
            b"too_many_empty_frames"
        };
        let length = u8::try_from(8 + why.len()).ok()?;
        let mut frame = vec![0, 0, length, kind::GOAWAY, 0, 0, 0, 0, 0];
        frame.extend(rate.last_stream().to_be_bytes());
        frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend(why);
        sent.is_at_border().then_some(frame)
    }
}

impl<S> ClientStream<S> {
    pub(crate) fn new(
        stream: S,
        progress: Arc<Progress>,
        is_http2: bool,
        head_timeout: Duration,
    ) -> Self {
        Self {
            stream,
            progress,
            protocol: Protocol::of(is_http2),
            head_timeout,
            received: 0,
            head_after: None,
            head_deadline: None,
            linger_deadline: None,
            ended: false,
            is_dismissed: false,
            thrown_away: 0,
            own_answer: None,
        }
    }

    fn took(&mut self, bytes: usize) {
        self.received += bytes;
        self.ended = bytes == 0;
        if !self.progress.is_busy() {
            self.head_after = Some(self.progress.started());
        }
    }

    fn awaits_head(&self) -> bool {
        if self.protocol.is_http2() {
            self.received < PREFACE_BYTES
        } else {
            self.head_after == Some(self.progress.started())
        }
    }

    /// Ready when the head has taken too long.
    fn poll_head_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.awaits_head() {
            self.head_deadline = None;
            return Poll::Pending;
        }
        let timeout = self.head_timeout;
        self.head_deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)))
            .as_mut()
            .poll(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientStream<S> {
    /// Tells a client that floods why the connection ends, as far as it takes that in.
    fn dismiss(&mut self, excess: FrameHead, context: &mut Context<'_>) {
        self.is_dismissed = true;
        if let Some(frame) = self.protocol.calm(excess) {
            let mut stream = Pin::new(&mut self.stream);
            let _ = stream.as_mut().poll_write(context, &frame);
            let _ = stream.as_mut().poll_flush(context);
            let _ = stream.as_mut().poll_shutdown(context);
        }
    }

    /// Reads until the client ends, has sent too much, or has had time enough to read what it was told.
    fn poll_throw_away(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self
            .linger_deadline
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
        while self.thrown_away < FLOOD_BYTES_MAX || !self.is_dismissed {
            let mut unread = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => self.thrown_away += unread.filled().len(),
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    /// Writes an answer of ours where hyper answers by itself; `None` where it does not.
    fn poll_own_answer(
        &mut self,
        slices: &[io::IoSlice<'_>],
        context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        if self.own_answer.is_none()
            && let Protocol::Http1(lengths) = &self.protocol
            && let Some(answer) = automatic_answer::replace(slices, lengths)
        {
            self.own_answer = Some((answer, 0, slices.iter().map(|slice| slice.len()).sum()));
        }
        let (answer, written, stands_for) = self.own_answer.as_mut()?;
        while let Some(rest) = answer.get(*written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => {
                    return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(bytes)) => *written += bytes,
                other => return Some(other),
            }
        }
        let stands_for = *stands_for;
        self.own_answer = None;
        Some(Poll::Ready(Ok(stands_for)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_dismissed {
            ready!(this.poll_throw_away(context));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !this.protocol.is_http2() && this.progress.is_leaving() && !this.progress.is_busy() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                this.took(buffer.filled().len() - before);
                let bytes = buffer.filled_mut().get_mut(before..);
                if let Some(excess) = this.protocol.received(bytes.unwrap_or_default()) {
                    buffer.set_filled(before);
                    this.dismiss(excess, context);
                    return Pin::new(this).poll_read(context, buffer);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => this
                .poll_head_deadline(context)
                .map(|()| Err(io::ErrorKind::TimedOut.into())),
            failed @ Poll::Ready(_) => failed,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.is_dismissed {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if let Some(outcome) = this.poll_own_answer(slices, context) {
            return outcome;
        }
        let stream = Pin::new(&mut this.stream);
        let written = match slices {
            [one] => ready!(stream.poll_write(context, one))?,
            _ => ready!(stream.poll_write_vectored(context, slices))?,
        };
        let mut left = written;
        for slice in slices {
            let now = slice.len().min(left);
            this.protocol.sent(slice.get(..now).unwrap_or_default());
            left -= now;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Says goodbye, then listens until the client does.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger_deadline.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if this.ended || this.progress.is_leaving() {
            return Poll::Ready(Ok(()));
        }
        this.poll_throw_away(context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn s5_bytes_that_trickle_do_not_extend_the_time_for_a_head() {
        let (mut client, stream) = duplex(64);
        let mut stream = ClientStream::new(stream, Arc::default(), false, HEAD);
        let began = Instant::now();
        tokio::spawn(async move {
            while client.write_all(b"a").await.is_ok() {
                sleep(Duration::from_secs(3)).await;
            }
        });
        let mut bytes = Vec::new();
        let error = stream.read_to_end(&mut bytes).await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!((began.elapsed().as_secs(), bytes.len()), (10, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_a_head_ends_with_the_head() {
        let (mut client, stream) = duplex(64);
        let progress = Arc::new(Progress::default());
        let mut stream = ClientStream::new(stream, Arc::clone(&progress), false, HEAD);
        client.write_all(b"head").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        let request = progress.start();
        let body = tokio::time::timeout(Duration::from_secs(60), stream.read_u8()).await;
        drop(request);
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read_u8()).await;

        assert!(
            body.is_err() && silence.is_err(),
            "nobody but the caller gave up"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_the_rest_of_a_head() {
        let (mut client, stream) = duplex(64);
        let progress = Arc::new(Progress::default());
        let mut stream = ClientStream::new(stream, Arc::clone(&progress), false, HEAD);
        client.write_all(b"he").await.unwrap();
        stream.read_exact(&mut [0; 2]).await.unwrap();
        progress.leave();

        assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_still_sending_is_listened_to_for_a_while() {
        let (mut client, stream) = duplex(64);
        let mut stream = ClientStream::new(stream, Arc::default(), false, HEAD);
        stream.write_all(b"413").await.unwrap();
        let closing = tokio::spawn(async move { stream.shutdown().await });
        client.write_all(&[0; 1000]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        drop(client);

        assert_eq!(answer, b"413");
        closing.await.unwrap().unwrap();
    }
}
