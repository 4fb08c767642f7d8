//! The byte stream of a client: cut off when a head dawdles, and read to its end before it is closed.
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

/// How long a client that is still sending is listened to after its last answer. Closing at once would make the kernel
/// send a reset, which takes the answer away from a client that has not read it yet (a 413 above all).
const LINGER: Duration = Duration::from_secs(2);
/// What an HTTP/2 client says first.
const PREFACE_BYTES: usize = 24;
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
    /// HTTP/2: what is bounded is the preface; requests are many at once, and pings find a dead peer.
    is_http2: bool,
    head_timeout: Duration,
    received: usize,
    /// How many requests had started when bytes of another head came.
    head_after: Option<usize>,
    head_deadline: Option<Pin<Box<Sleep>>>,
    linger_deadline: Option<Pin<Box<Sleep>>>,
    /// The client has said all that it will say.
    ended: bool,
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
            is_http2,
            head_timeout,
            received: 0,
            head_after: None,
            head_deadline: None,
            linger_deadline: None,
            ended: false,
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
        if self.is_http2 {
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

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_http2 && this.progress.is_leaving() && !this.progress.is_busy() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                this.took(buffer.filled().len() - before);
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
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
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
        let deadline = this
            .linger_deadline
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
        loop {
            let mut unread = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
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
