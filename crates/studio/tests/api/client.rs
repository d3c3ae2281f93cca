//! A plain HTTP client, so that tests say each header themselves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an error.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    /// A header's value, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        let found = self.headers.lines().find(line)?;
        found.split_once(": ").map(|(_, value)| value)
    }
}

/// Connects, and sends a request as it stands.
pub fn send(address: SocketAddr, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses early need not read the rest.
    let _refused = stream.write_all(body);
    stream
}

/// Sends a request and reads the whole answer.
pub fn raw(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    read(BufReader::new(send(address, head, body)))
}

/// Reads a whole answer.
pub fn read(mut reader: BufReader<TcpStream>) -> Answer {
    let headers = read_head(&mut reader);
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    if headers
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        while let Some(mut chunk) = read_chunk(&mut reader) {
            body.append(&mut chunk);
        }
    } else {
        let _reset_after_refusal = reader.read_to_end(&mut body);
    }
    Answer {
        status,
        headers,
        body,
    }
}

/// Reads up to the empty line.
pub fn read_head(reader: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    head
}

/// Reads a chunk of a chunked body; nothing at its end.
pub fn read_chunk(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = String::new();
    reader.read_line(&mut length).unwrap();
    let length = usize::from_str_radix(length.trim(), 16).ok()?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk).unwrap();
    chunk.truncate(length);
    (length > 0).then_some(chunk)
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    raw(address, &head, &[])
}

/// The head of a request with a body.
pub fn post_head(address: SocketAddr, path: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
}

pub fn post(address: SocketAddr, path: &str, kind: &str, body: &[u8]) -> Answer {
    raw(address, &post_head(address, path, kind, body.len()), body)
}

/// Sends a MIDI file.
pub fn post_midi(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    post(address, path, "audio/midi", body)
}

/// Asks for music and waits for its end.
pub fn generate(address: SocketAddr, request: &Value) -> Answer {
    let body = request.to_string();
    post(
        address,
        "/api/generate",
        "application/json",
        body.as_bytes(),
    )
}

/// Names and data of the events of a whole stream.
pub fn events(body: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(body).unwrap();
    let events = text.split("\n\n").filter(|event| event.contains("event:"));
    events.map(event).collect()
}

fn event(text: &str) -> (String, Value) {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    (
        field("event:"),
        serde_json::from_str(&field("data:")).unwrap(),
    )
}

/// A stream of events as it comes.
pub struct Stream {
    reader: BufReader<TcpStream>,
    text: String,
}

impl Stream {
    /// Asks for music; the answer has to be a stream.
    pub fn open(address: SocketAddr, request: &Value) -> Self {
        let body = request.to_string();
        let head = post_head(address, "/api/generate", "application/json", body.len());
        let mut reader = BufReader::new(send(address, &head, body.as_bytes()));
        let head = read_head(&mut reader);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Self {
            reader,
            text: String::new(),
        }
    }

    /// Waits for the next event; nothing at the end.
    pub fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((first, rest)) = self.text.split_once("\n\n") {
                let (first, rest) = (first.to_owned(), rest.to_owned());
                self.text = rest;
                if first.contains("event:") {
                    return Some(event(&first));
                }
                continue;
            }
            let chunk = read_chunk(&mut self.reader)?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Waits for an event of that name.
    #[track_caller]
    pub fn until(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().expect(name);
            if found == name {
                return data;
            }
        }
    }
}
