//! The piano over a WebSocket.

use render::{Limiter, Piano, PianoOptions};
use serde_json::json;
use studio::Limits;
use tungstenite::Message;
use tungstenite::stream::MaybeTlsStream;

use crate::client::get;
use crate::world::{model, shared, start};

type Socket = tungstenite::WebSocket<MaybeTlsStream<std::net::TcpStream>>;

fn open(address: std::net::SocketAddr) -> tungstenite::Result<Socket> {
    let url = format!("ws://{address}/api/piano?sample_rate=16000");
    tungstenite::connect(url).map(|(socket, _)| socket)
}

/// The samples of an answer, left and right.
fn ask(socket: &mut Socket, question: &serde_json::Value) -> (Vec<f32>, Vec<f32>) {
    socket.send(Message::text(question.to_string())).unwrap();
    let answer = socket.read().unwrap().into_data();
    let (samples, rest) = answer.as_chunks::<4>();
    assert!(rest.is_empty());
    let samples: Vec<f32> = samples.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let (left, right) = samples.split_at(samples.len() / 2);
    (left.to_vec(), right.to_vec())
}

#[test]
fn it_plays_what_the_built_in_piano_plays() {
    let mut socket = open(shared()).unwrap();
    let first = json!({ "frames": 3000, "events": [
        { "frame": 500, "key": 60, "velocity": 90 },
        { "frame": 100, "pedal": true },
    ] });
    let second = json!({ "frames": 2000, "events": [{ "frame": 10, "key": 60, "velocity": 0 }] });
    let (mut left, mut right) = ask(&mut socket, &first);
    let (more_left, more_right) = ask(&mut socket, &second);
    left.extend(more_left);
    right.extend(more_right);
    let mut piano = Piano::new(16_000, PianoOptions::default());
    let (mut wanted_left, mut wanted_right) = (vec![0.0; 5000], vec![0.0; 5000]);
    let mut from = 0;
    let mut process = |piano: &mut Piano, until: usize| {
        piano.process(
            &mut wanted_left[from..until],
            &mut wanted_right[from..until],
        );
        from = until;
    };
    process(&mut piano, 100);
    piano.pedal(true);
    process(&mut piano, 500);
    piano.note_on(60, 90);
    // The second question begins here.
    process(&mut piano, 3000);
    process(&mut piano, 3010);
    piano.note_off(60);
    process(&mut piano, 5000);
    Limiter::new(16_000).process(&mut wanted_left, &mut wanted_right);
    let distance = |a: &[f32], b: &[f32]| {
        let pairs = a.iter().zip(b);
        pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
    };
    assert!(wanted_left.iter().any(|sample| sample.abs() > 0.01));
    assert!(distance(&left, &wanted_left) < 1e-6);
    assert!(distance(&right, &wanted_right) < 1e-6);
    let (silence, _) = ask(&mut socket, &json!({ "frames": 2000, "reset": true }));
    assert!(silence.iter().all(|sample| *sample == 0.0));
}

#[test]
fn what_is_not_understood_ends_the_connection() {
    for question in [
        "music".to_owned(),
        json!({}).to_string(),
        json!({ "frames": 48_001 }).to_string(),
        json!({ "frames": -1 }).to_string(),
        json!({ "frames": 10, "events": [{ "frame": 0, "key": 300, "velocity": 1 }] }).to_string(),
        json!({ "frames": 10, "file": "/etc/passwd" }).to_string(),
    ] {
        let mut socket = open(shared()).unwrap();
        socket.send(Message::text(question.clone())).unwrap();
        let answer = socket.read();
        assert!(
            matches!(answer, Ok(Message::Close(Some(_)))),
            "{question}: {answer:?}"
        );
    }
    let odd = json!({ "frames": 100, "events": [
        { "frame": 9_999_999, "key": 60, "velocity": 255 },
        { "frame": 5, "key": 255, "velocity": 127 },
    ] });
    let (left, _) = ask(&mut open(shared()).unwrap(), &odd);
    assert_eq!(left.len(), 100);
}

#[test]
fn pianos_are_counted_and_given_back() {
    let limits = Limits {
        pianos: 1,
        ..Limits::default()
    };
    let address = start(limits, vec![model("only")]);
    let mut first = open(address).unwrap();
    ask(&mut first, &json!({ "frames": 10 }));
    let Err(tungstenite::Error::Http(refused)) = open(address) else {
        panic!("a second piano was there");
    };
    assert_eq!(refused.status(), 503);
    first.close(None).unwrap();
    while first.read().is_ok() {}
    let began = std::time::Instant::now();
    while open(address).is_err() {
        assert!(began.elapsed().as_secs() < 5);
    }
}

#[test]
fn it_is_no_page() {
    let answer = get(shared(), "/api/piano");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (426, "no_websocket")
    );
    assert_eq!(get(shared(), "/api/piano?sample_rate=3").status, 422);
    assert_eq!(get(shared(), "/api/piano?sample_rate=x").status, 400);
}
