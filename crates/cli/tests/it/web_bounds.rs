//! What a client of `ddb web` may use: bytes, connections, memory. How slow it may be is tested in `crates/web`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::kills::seeded;
use crate::setup::GROUP;
use crate::web::web;

#[test]
fn what_is_too_large_is_turned_away() {
    let sandbox = seeded();
    let served = web(&sandbox, &["--write"]);
    let (cookie, own) = (served.enter(), served.own_origin());
    let form = "Content-Type: application/x-www-form-urlencoded";
    let path = format!("/c/{GROUP}");
    let large = format!("text={}", "a".repeat(16 * 1024));
    assert_eq!(
        served.post(&path, &[&cookie, &own, form], &large).status,
        413
    );
    let filler = format!("X-Filler: {}", "a".repeat(64 * 1024));
    let answer = served.get("/", &[&cookie, &filler]);
    assert!([0, 431].contains(&answer.status), "{}", answer.status);
    assert_eq!(served.get("/", &[&cookie]).status, 200);
}

#[test]
fn the_connection_after_the_256th_is_turned_away() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let mut held: Vec<TcpStream> = (0..256)
        .map(|_| TcpStream::connect(("127.0.0.1", served.port)).unwrap())
        .collect();
    // Each sends half a request, so that it is known to be accepted before the next one.
    for stream in &mut held {
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    }
    assert_eq!(served.get("/", &[]).status, 503);
    drop(held);
    // Their slots are free again once the server has noticed that they are gone.
    while served.get("/", &[]).status == 503 {
        std::thread::yield_now();
    }
}

/// The maximum number of connections is taken by pages that wait for news. All others are turned away at once, in
/// waves, so that this process has files left for its other tests.
#[test]
fn p41_ten_thousand_connections_cost_the_memory_of_256() {
    const MOST: u64 = 64 * 1024;
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let cookie = served.enter();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
        let host = served.host();
        let filler = "a".repeat(4096);
        // A client that is turned away may not be read to the end.
        let _ = write!(
            stream,
            "GET {path} HTTP/1.1\r\n{host}\r\n{cookie}\r\nX-Filler: {filler}\r\n\r\n"
        );
        stream
    };
    let before = served.peak();
    let events = format!("/c/{GROUP}/events");
    let mut waiting: Vec<TcpStream> = (0..256).map(|_| ask(&events)).collect();
    for stream in &mut waiting {
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"HTTP/1.1 200");
    }
    let mut turned_away = 256;
    while turned_away < 10_000 {
        for mut stream in (0..250).map(|_| ask("/")).collect::<Vec<_>>() {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 503"),
                "{answer}"
            );
            turned_away += 1;
        }
    }
    if let (Some(before), Some(after)) = (before, served.peak()) {
        assert!(after - before < MOST, "{before} KiB, then {after} KiB");
    }
    drop(waiting);
    while served.get("/", &[&cookie]).status != 200 {
        std::thread::yield_now();
    }
}
