//! The network: connections, their number, their end.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tower::ServiceExt;

use crate::error::StudioError;
use crate::studio::Studio;

/// A client that does not say what it wants within that is left.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the server looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// After a failure of the network (too many open files), a rest.
const REST: Duration = Duration::from_millis(200);

/// Answers requests until `stop` is set; then work that goes on is stopped and
/// connections are cut.
///
/// # Errors
/// [`StudioError::Io`] where the listener or the runtime cannot be used.
pub fn serve(studio: &Studio, listener: TcpListener, stop: &AtomicBool) -> Result<(), StudioError> {
    let runtime: Runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    listener.set_nonblocking(true)?;
    let _within = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let accepting = runtime.spawn(accept(studio.clone(), listener));
    runtime.block_on(async {
        while !stop.load(Ordering::Relaxed) && !accepting.is_finished() {
            sleep(LOOK).await;
        }
    });
    studio.close();
    drop(_within);
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(())
}

async fn accept(studio: Studio, listener: tokio::net::TcpListener) {
    let router = studio.router();
    let connections = Arc::new(Semaphore::new(studio.limits().connections));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            connection(router, stream).await;
            drop(permit);
        });
    }
}

/// Serves a connection until either side ends it.
async fn connection(router: axum::Router, stream: TcpStream) {
    // Notes are small, and are to come at once.
    let _slower_without = stream.set_nodelay(true);
    let service = router.map_request(|request: Request<Incoming>| request.map(Body::new));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    // A client that breaks the protocol or goes away needs no answer.
    let _broken = served.await;
}
