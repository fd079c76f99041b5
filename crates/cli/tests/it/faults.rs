//! What goes wrong around a command is reported soon, with one line, a hint and the right exit code.

use std::io::{Read, Write};
use std::net::TcpListener;

use ddb_test_support::{Door, Sandbox, Tool};

use crate::setup::tool;

const READERS: [&[&str]; 6] = [
    &["list-tables"],
    &["schema-load"],
    &["scan"],
    &["seed"],
    &["get-conversation"],
    &["list-conversations"],
];

fn bare(door: Door, url: &str) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door).with("AWS_ENDPOINT_URL_DYNAMODB", url)
}

#[test]
fn a_dead_endpoint_is_reported() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for door in Door::BOTH {
        let tool = bare(door, &format!("http://localhost:{port}"));
        for arguments in READERS {
            let ran = tool.run(arguments);
            ran.fails_with_hint(1, "no connection: Connection refused");
            assert!(
                ran.stderr
                    .contains(&format!("local http://localhost:{port}")),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.contains("`ddb local`"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_host_that_is_none_is_reported() {
    let ran = bare(Door::Own, "http://no-such-host.invalid:8000").run(&["list-tables"]);
    ran.fails_with_hint(1, "no connection: ");
}

#[test]
fn a_missing_table_is_not_found() {
    let sandbox = Sandbox::new();
    for door in Door::BOTH {
        for arguments in &READERS[2..] {
            tool(door, &sandbox)
                .run(arguments)
                .fails_with_hint(4, "ResourceNotFoundException");
        }
    }
}

#[test]
fn p01_an_endpoint_of_aws_is_refused_wherever_it_comes_from() {
    let aws = "https://dynamodb.us-east-1.amazonaws.com";
    let tool = bare(Door::Own, aws);
    tool.run(&["scan"])
        .fails_with_hint(2, "AWS_ENDPOINT_URL_DYNAMODB: https://dynamodb");
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).with("AWS_ENDPOINT_URL", aws);
    tool.run(&["scan"])
        .fails_with_hint(2, "AWS_ENDPOINT_URL: https://dynamodb");
    tool.run(&["scan", "--endpoint-url", aws])
        .fails_with_hint(2, "--endpoint-url: https://dynamodb");
    tool.run(&["scan", "--endpoint-url", "localhost:8000"])
        .fails(2, "http or https URL");
    tool.run(&["scan", "--endpoint-url", "http://me:secret@localhost:1"])
        .fails(2, "cannot contain a user name or a password");
}

/// Answers every request with the same bytes, then closes the connection.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut request = [0; 65536];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    url
}

#[test]
fn p23_answers_that_are_none_are_clear_errors() {
    for (answer, part) in [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".as_slice(),
            "unexpected answer",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 404",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"Items\":[",
            "connection",
        ),
        (b"", "the connection broke"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the connection broke"),
    ] {
        let tool = bare(Door::Own, &answering(answer));
        for arguments in [["scan"], ["list-tables"]] {
            let ran = tool.run(&arguments);
            ran.fails(1, part);
            assert!(
                ran.stderr.contains("local http://127.0.0.1:"),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn p23_the_timeout_bounds_the_whole_command() {
    // It accepts connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for door in Door::BOTH {
        for arguments in READERS {
            // Without a bound it would not end: the server keeps the connection, and never answers.
            let ran = bare(door, &url).run(&[arguments, &["--timeout", "300ms"]].concat());
            ran.fails_with_hint(1, "not done within --timeout 300ms");
        }
    }
}

/// A signal ends a command that waits, with the exit code that shells expect.
#[test]
fn signals_end_a_command() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = bare(Door::Own, &url).spawn(&["scan"]);
        // Once it is connected, its signal handlers are in place.
        let (_connection, _) = listener.accept().unwrap();
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

pub fn kill(child: &std::process::Child, signal: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn p28_arguments_are_never_echoed_raw() {
    let tool = bare(Door::Front, "http://localhost:1");
    for arguments in [
        ["get-conversation", "\u{1b}[31mred"],
        ["drop", "a\u{9b}b\u{202e}c"],
        ["scan", "--bogus\u{1b}]0;title\u{7}"],
        ["\u{1b}[2J", "x"],
    ] {
        let ran = tool.run(&arguments);
        assert_eq!(ran.code, Some(2));
        assert!(
            !ran.stderr
                .chars()
                .any(|c| (c != '\n' && c.is_control()) || c == '\u{202e}'),
            "{:?}",
            ran.stderr
        );
    }
}
