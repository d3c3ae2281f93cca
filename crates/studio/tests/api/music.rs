//! MIDI files as notes, sound and pictures.

use studio::Limits;

use crate::client::{get, post, post_head, post_midi, raw};
use crate::world::{midi, model, shared, start};

#[test]
fn a_file_becomes_notes_in_seconds() {
    let answer = post_midi(shared(), "/api/score", &midi(8)).json();
    let notes = answer["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 8);
    assert_eq!(notes[3]["onset"], 1.5);
    assert_eq!(notes[3]["duration"], 0.416667);
    assert_eq!(notes[3]["pitch"], 48 + 21);
    assert_eq!(answer["pedals"][0]["duration"], 2.0);
    assert_eq!(answer["seconds"], 3.916667);
    assert_eq!(answer["damage"], "");
}

#[test]
fn examples_are_pieces() {
    let address = shared();
    let examples = get(address, "/api/examples").json();
    for example in examples.as_array().unwrap() {
        let name = example["name"].as_str().unwrap();
        let file = get(address, &format!("/api/examples/{name}"));
        assert_eq!(file.header("content-type"), Some("audio/midi"));
        let score = post_midi(address, "/api/score", &file.body).json();
        assert!(score["notes"].as_array().unwrap().len() > 100, "{name}");
        assert_eq!(score["damage"], "");
    }
}

#[test]
fn a_file_becomes_sound_and_pictures() {
    let address = shared();
    let rendered = |query: &str| {
        let answer = post_midi(address, &format!("/api/render?{query}"), &midi(4));
        assert_eq!(answer.status, 200, "{query}");
        answer
    };
    let wav = rendered("format=wav&sample_rate=16000");
    assert_eq!(&wav.body[..4], b"RIFF");
    assert_eq!(wav.header("content-type"), Some("audio/wav"));
    let length = wav.header("content-length").unwrap();
    assert_eq!(length, wav.body.len().to_string());
    // Two seconds of notes and some of ringing, 16 bits, two sides.
    assert!(wav.body.len() > 3 * 16_000 * 4);
    let samples: Vec<i16> = wav.body[44..]
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    assert!(samples.iter().any(|sample| sample.abs() > 1000));
    let flac = rendered("format=flac&bits=24");
    assert_eq!(&flac.body[..4], b"fLaC");
    let png = rendered("format=png&title=A%20piece&prompt_seconds=1");
    assert_eq!(&png.body[..4], b"\x89PNG");
    let svg = rendered("format=svg&title=%3Cscript%3E");
    let svg = String::from_utf8(svg.body).unwrap();
    assert!(svg.starts_with("<svg") && !svg.contains("<script"));
}

#[test]
fn what_cannot_be_rendered_is_refused_with_a_reason() {
    let address = shared();
    let cases = [
        ("", 400),
        ("format=mp3", 400),
        ("format=wav&sample_rate=1", 422),
        ("format=wav&sample_rate=-1", 400),
        ("format=wav&bits=7", 400),
        ("format=png&width=100000", 422),
        ("format=png&prompt_seconds=nan", 400),
        ("format=wav&file=/etc/passwd", 400),
    ];
    for (query, status) in cases {
        let answer = post_midi(address, &format!("/api/render?{query}"), &midi(4));
        assert_eq!(answer.status, status, "{query}");
        assert!(
            !answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
    let title = format!("/api/render?format=png&title={}", "x".repeat(201));
    assert_eq!(post_midi(address, &title, &midi(4)).status, 422);
}

#[test]
fn files_that_are_no_music_are_refused() {
    let address = shared();
    let drums = {
        let mut score = crate::world::piece(4);
        score.tracks[0].is_drum = true;
        score::write_midi(&score).unwrap()
    };
    // A note that ends 2^28 quarter notes after it begins, in no time at all.
    let mut endless = crate::world::piece(4);
    endless.ticks_per_quarter = 1;
    endless.tracks[0].notes[0].duration = 1 << 28;
    endless.tempos.push(score::Tempo {
        onset: 0,
        microseconds_per_quarter: 1,
    });
    let endless = score::write_midi(&endless).unwrap();
    for (bytes, code) in [
        (b"no music".to_vec(), "unusable_music"),
        (Vec::new(), "unusable_music"),
        (drums, "unusable_music"),
        (endless, "over_limit"),
        (midi(60_000), "over_limit"),
    ] {
        let answer = post_midi(address, "/api/score", &bytes);
        assert_eq!((answer.status, answer.code().as_str()), (422, code));
    }
    let answer = post(address, "/api/score", "text/plain", &midi(4));
    assert_eq!((answer.status, answer.code().as_str()), (415, "wrong_type"));
}

#[test]
fn bodies_end_at_the_limit_announced_or_not() {
    let address = shared();
    let most = Limits::default().upload_bytes;
    let head = post_head(address, "/api/score", "audio/midi", most + 1);
    assert_eq!(raw(address, &head, &[]).status, 413);
    let head = format!(
        "POST /api/score HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: audio/midi\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut body = format!("{:x}\r\n", most + 1).into_bytes();
    body.resize(body.len() + most + 1, 0);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_eq!(raw(address, &head, &body).status, 413);
}

#[test]
fn long_pieces_are_drawn_but_not_played() {
    let limits = Limits {
        render_seconds: 3.0,
        ..Limits::default()
    };
    let address = start(limits, vec![model("only")]);
    let answer = post_midi(address, "/api/render?format=wav", &midi(10));
    assert_eq!((answer.status, answer.code().as_str()), (422, "over_limit"));
    assert_eq!(post_midi(address, "/api/score", &midi(10)).status, 200);
}
