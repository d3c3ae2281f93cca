//! `serve`: the address it prints, what answers there, how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("tchaikovsky"));
    command.arg("serve").args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts a server; gives it and the address that it prints.
fn start(arguments: &[&str]) -> (Child, String) {
    let mut server = serve(arguments).spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap().to_owned();
    (server, address)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
fn end(mut server: Child) -> Option<i32> {
    let pid = server.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(killed.success());
    server.wait().unwrap().code()
}

/// An untrained model in a folder `mine`, made from the page's examples.
fn model(world: &Path) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../studio/examples");
    let run = |arguments: &str| {
        let mut command = Command::new(cargo_bin!("tchaikovsky"));
        let arguments = arguments.split(' ');
        let output = command.current_dir(world).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
    };
    fs::create_dir(world.join("midis")).unwrap();
    for file in fs::read_dir(examples).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), world.join("midis").join(file.file_name())).unwrap();
    }
    run(
        "tokenize --preset performance --midis-dir midis --out-dir dataset --out-tokenizer tokenizer.json --vocab-size 500",
    );
    run(
        "train --dataset dataset --out mine --size tiny --steps 0 --max-sequence-length 64 --min-sequence-length 16",
    );
    world.join("mine")
}

#[cfg(unix)]
#[test]
fn the_page_is_served_until_the_program_is_ended() {
    let world = TempDir::new().unwrap();
    let model = model(world.path());
    let (server, address) = start(&["--port", "0", "--model", model.to_str().unwrap()]);
    assert!(address.starts_with("127.0.0.1:"));
    assert!(get(&address, "/").contains("<!doctype html>"));
    let models = get(&address, "/api/models");
    assert!(models.contains("\"name\":\"mine\""), "{models}");
    assert_eq!(end(server), Some(0));
}

#[cfg(unix)]
#[test]
fn where_no_model_is_named_that_in_the_box_plays() {
    let (server, address) = start(&["--port", "0"]);
    let models = get(&address, "/api/models");
    assert!(models.contains("\"name\":\"piano\""), "{models}");
    assert_eq!(end(server), Some(0));
}

#[test]
fn what_cannot_be_served_is_said_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases = [
        (vec!["--port", &port], "take another by --port N"),
        (
            vec!["--port", "0", "--model", "nowhere"],
            "tchaikovsky train",
        ),
    ];
    for (arguments, said) in cases {
        let output = serve(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(said), "{errors}");
    }
}
