//! Who waits, who leaves, and what becomes of the work.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use studio::Limits;

use crate::client::{Stream, generate, raw};
use crate::world::{model, start};

/// Work for longer than a test takes.
fn endless() -> Value {
    json!({ "may_end": false, "variations": 4 })
}

fn short() -> Value {
    json!({ "may_end": false, "length": { "notes": 3 } })
}

fn stop(address: std::net::SocketAddr, id: &str) -> u16 {
    let head = format!(
        "POST /api/generate/{id}/stop HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    raw(address, &head, &[]).status
}

#[test]
fn places_are_told_and_move_up_when_someone_leaves() {
    let limits = Limits {
        waiting: 2,
        ..Limits::default()
    };
    let address = start(limits, vec![model("only")]);
    let mut first = Stream::open(address, &endless());
    first.until("note");
    let mut second = Stream::open(address, &endless());
    assert_eq!(second.until("queued")["place"], 1);
    let mut third = Stream::open(address, &short());
    assert_eq!(third.until("queued")["place"], 2);
    let full = generate(address, &short());
    assert_eq!((full.status, full.code().as_str()), (503, "busy"));
    assert_eq!(full.header("retry-after"), Some("5"));
    drop(second);
    assert_eq!(third.until("queued")["place"], 1);
    drop(first);
    third.until("done");
}

#[test]
fn work_ends_when_the_client_leaves() {
    let address = start(Limits::default(), vec![model("only")]);
    for _ in 0..5 {
        let mut stream = Stream::open(address, &endless());
        stream.until("note");
    }
    let began = Instant::now();
    Stream::open(address, &short()).until("done");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_stopped_generation_gives_what_it_has() {
    let address = start(Limits::default(), vec![model("only")]);
    let mut stream = Stream::open(address, &endless());
    let id = stream.until("begin")["id"].as_str().unwrap().to_owned();
    stream.until("note");
    assert_eq!(stop(address, "0"), 404);
    assert_eq!(stop(address, &id), 204);
    for variation in 0..4 {
        let piece = stream.until("piece");
        assert_eq!(
            (&piece["ended"], &piece["variation"]),
            (&json!("stopped"), &json!(variation))
        );
    }
    stream.until("done");
    assert!(stream.next().is_none());
    assert_eq!(stop(address, &id), 404);
}

#[test]
fn a_client_that_does_not_read_holds_up_no_one() {
    let address = start(Limits::default(), vec![model("only")]);
    let idle = Stream::open(
        address,
        &json!({ "may_end": false, "length": { "notes": 3000 } }),
    );
    Stream::open(address, &short()).until("done");
    drop(idle);
}
