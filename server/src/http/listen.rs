//! The HTTP listener, plain or with TLS: a slow handshake holds up nobody else's.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::quota::{Place, Quota};
use crate::tls::Keeper;

/// A browser has this long for its half of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes under way at once, all sources and one.
const HANDSHAKES: usize = 512;
const HANDSHAKES_PER_SOURCE: usize = 128;
/// Connections with their handshake done that wait to be served.
const READY: usize = 64;

/// The two ends of a connection's socket. What a proxy says of others is not believed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Ours.
    pub(crate) local: SocketAddr,
    /// The peer's.
    pub(crate) remote: SocketAddr,
    /// Whether it is TLS.
    pub(crate) secure: bool,
}

impl Ends {
    fn of(stream: &TcpStream, secure: bool) -> io::Result<Self> {
        Ok(Self { local: stream.local_addr()?, remote: stream.peer_addr()?, secure })
    }
}

impl Connected<IncomingStream<'_, Door>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// Where requests come in.
pub(super) enum Door {
    /// HTTP.
    Plain(TcpListener),
    /// HTTPS.
    Tls { local: SocketAddr, ready: mpsc::Receiver<(Socket, Ends)>, accepting: AbortHandle },
}

impl Door {
    pub(super) fn open(listener: TcpListener, tls: Option<Keeper>) -> io::Result<Self> {
        let Some(keeper) = tls else { return Ok(Self::Plain(listener)) };
        let local = listener.local_addr()?;
        let (done, ready) = mpsc::channel(READY);
        let accepting = tokio::spawn(shake_hands(listener, keeper, done)).abort_handle();
        Ok(Self::Tls { local, ready, accepting })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Self::Tls { accepting, .. } = self {
            accepting.abort();
        }
    }
}

impl Listener for Door {
    type Io = Socket;
    type Addr = Ends;

    async fn accept(&mut self) -> (Socket, Ends) {
        match self {
            Self::Plain(listener) => loop {
                let stream = next(listener).await;
                if let Ok(ends) = Ends::of(&stream, false) {
                    return (Socket::Plain(stream), ends);
                }
            },
            Self::Tls { ready, .. } => match ready.recv().await {
                Some(accepted) => accepted,
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<Ends> {
        let local = match self {
            Self::Plain(listener) => listener.local_addr()?,
            Self::Tls { local, .. } => *local,
        };
        Ok(Ends { local, remote: local, secure: matches!(self, Self::Tls { .. }) })
    }
}

async fn shake_hands(listener: TcpListener, keeper: Keeper, done: mpsc::Sender<(Socket, Ends)>) {
    let quota = Quota::new(HANDSHAKES, HANDSHAKES_PER_SOURCE);
    loop {
        let stream = next(&listener).await;
        let Ok(ends) = Ends::of(&stream, true) else { continue };
        let Some(place) = quota.take(ends.remote.ip()) else { continue };
        let acceptor = TlsAcceptor::from(keeper.borrow().http());
        tokio::spawn(shake_hand(acceptor, stream, ends, place, done.clone()));
    }
}

async fn shake_hand(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    ends: Ends,
    place: Place,
    done: mpsc::Sender<(Socket, Ends)>,
) {
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            // When the server has ended, so has the connection.
            let _ = done.send((Socket::Tls(Box::new(stream)), ends)).await;
        }
        Ok(Err(_)) | Err(_) => {
            metrics::counter!("strowger_tls_handshakes_failed_total").increment(1);
        }
    }
    drop(place);
}

async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Fails only on a connection that is gone already.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // Out of descriptors: wait for some to come back instead of spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// A connection of either kind.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(task, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(task, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(task),
            Self::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(task),
        }
    }
}
