//! Peer: hyper on tokio, the cap as an atomic counter, investors in memory, and a log that many requests share a sync of.

mod admission;
mod answers;
mod body;
mod handler;
mod journal;
mod settings;
mod timestamp;
mod token;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, process, thread};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::admission::Admission;
use crate::answers::Answers;
use crate::handler::Handler;
use crate::settings::Settings;
use crate::token::Verifier;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BACKLOG: u32 = 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_environment()?;
    let admission = Admission::open(&settings)?;
    let handler: &'static Handler = Box::leak(Box::new(Handler {
        verifier: Verifier::new(&settings.secret),
        answers: Answers::new(&settings, admission.journal_id()),
        admission,
        settings,
    }));
    // A runtime of its own for every core, each with its own listener on the one port: a connection stays where the
    // kernel put it, and no task is ever stolen.
    let first = runtime()?;
    let listener = first.block_on(async { listen(0) })?;
    let port = listener.local_addr()?.port();
    for _ in 1..thread::available_parallelism()?.get() {
        let other = runtime()?;
        let listener = other.block_on(async { listen(port) })?;
        thread::spawn(move || {
            // Its failure is the process's: its share of the connections would never be answered.
            if let Err(error) = other.block_on(serve(handler, listener)) {
                eprintln!("{error}");
                process::exit(1);
            }
        });
    }
    println!("{{\"port\":{port}}}");
    first.block_on(serve(handler, listener))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.listen(BACKLOG)
}

/// Until SIGTERM. A request that is cut off then is unknown to its client, who asks again with the same key.
async fn serve(handler: &'static Handler, listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut connections = http1::Builder::new();
    connections.auto_date_header(false).half_close(false);
    let connections = Arc::new(connections);
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                let service = service_fn(move |request| handler.serve(request));
                // A connection that fails is its client's to make again.
                let _ = connections.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    };
    let accept = std::pin::pin!(accept);
    let terminated = std::pin::pin!(terminated.recv());
    match select(accept, terminated).await {
        Some(failed) => failed,
        None => Ok(()),
    }
}

/// What the first future gives, or nothing when the second one ends before.
async fn select<A, B>(
    mut first: std::pin::Pin<&mut impl Future<Output = A>>,
    mut second: std::pin::Pin<&mut impl Future<Output = B>>,
) -> Option<A> {
    use std::task::Poll;
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = first.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        second.as_mut().poll(context).map(|_| None)
    })
    .await
}
