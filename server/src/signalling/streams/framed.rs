//! Connections whose bytes are cut into messages by Content-Length (RFC 3261 §18.3): TCP and TLS.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::Bytes;
use sip::framing::{Frame, Framer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

use super::carry::{Reader, Received, Writer};

/// One read takes at most this much; one TLS record is as long.
const READ: usize = 16 << 10;

thread_local! {
    /// Where reads land before they are framed: one a thread, so that an idle connection holds none.
    static LANDING: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Both halves of a stream.
pub(super) fn halves<S: AsyncRead + AsyncWrite>(
    stream: S,
) -> (Incoming<ReadHalf<S>>, Outgoing<WriteHalf<S>>) {
    let (reader, writer) = tokio::io::split(stream);
    (Incoming { reader, framer: Framer::new() }, Outgoing { writer })
}

/// The receiving half.
pub(super) struct Incoming<R> {
    reader: R,
    framer: Framer,
}

impl<R: AsyncRead + Send + Unpin> Incoming<R> {
    /// How many bytes came; 0 at the end of the stream.
    async fn fill(&mut self) -> io::Result<usize> {
        let Self { reader, framer } = self;
        poll_fn(|task| {
            LANDING.with_borrow_mut(|landing| {
                let mut buffer = ReadBuf::new(landing);
                ready!(Pin::new(&mut *reader).poll_read(task, &mut buffer))?;
                framer.push(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            })
        })
        .await
    }
}

impl<R: AsyncRead + Send + Unpin> Reader for Incoming<R> {
    async fn next(&mut self) -> Received {
        loop {
            match self.framer.poll() {
                Some(Ok(Frame::Message(bytes))) => return Received::Message(bytes),
                Some(Ok(Frame::Ping)) => return Received::Ping,
                Some(Ok(Frame::Pong)) => return Received::Pong,
                Some(Err(fault)) => return Received::Broken(fault.head),
                None => {}
            }
            if !matches!(self.fill().await, Ok(1..)) {
                return Received::End;
            }
        }
    }
}

/// The sending half.
pub(super) struct Outgoing<W> {
    writer: W,
}

impl<W: AsyncWrite + Send + Unpin> Writer for Outgoing<W> {
    async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        self.writer.write_all(&bytes).await?;
        // TLS keeps what did not fit into the socket.
        self.writer.flush().await
    }

    async fn beat(&mut self) -> io::Result<()> {
        self.send(Bytes::from_static(b"\r\n\r\n")).await
    }

    async fn close(&mut self) {
        // TLS says so in a record of its own; the peer may be gone already.
        let _ = self.writer.shutdown().await;
    }
}
