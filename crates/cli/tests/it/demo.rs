//! `ddb demo`: what a newcomer sees first.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};

use ddb_test_support::{Door, Ran, Tool};

use crate::faults::kill;

fn front() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
}

/// Returns the lines to type next.
fn to_type(said: &str) -> Vec<&str> {
    let lines = said.lines().map(str::trim_end);
    let lines = lines.skip_while(|line| *line != "Type in another terminal:");
    let lines = lines.skip(1).map_while(|line| line.strip_prefix("  "));
    lines.collect()
}

/// Runs the demo until it waits, types what it says into a shell, and ends it by a signal.
fn follow(tool: &Tool, options: &[&str], signal: &str) -> (Ran, Ran) {
    let mut child = tool.spawn(&[&["demo"], options].concat());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.ends_with("press Ctrl-C to stop\n") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    let script = to_type(&said).join("\n");
    assert_eq!(script.lines().count(), 3, "{said}");
    let typed = tool.shell(&script).output().unwrap().into();
    kill(&child, signal);
    let mut stdout = String::new();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_to_string(&mut stdout).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    let ran = Ran {
        code: child.wait().unwrap().code(),
        stdout,
        stderr: said,
    };
    (ran, typed)
}

#[test]
fn it_shows_a_conversation_and_what_to_type_next() {
    for signal in ["INT", "TERM"] {
        // No variable leads it anywhere else.
        let tool = front()
            .with("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:1")
            .with("DDB_ME", "bayko");
        let tool = tool.with("DDB_MESSAGE_TABLE", "Not a table!");
        let (ran, _) = follow(&tool, &["-o", "jsonl"], signal);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stdout.lines().count(), 8, "{ran:?}");
        assert!(ran.stderr.ends_with("ended\n"), "{ran:?}");
    }
}

#[test]
fn what_it_says_to_type_works() {
    let (ran, typed) = follow(&front(), &[], "INT");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = typed.ok();
    assert!(shown.contains("Cake tomorrow?"), "{shown}");
}

#[test]
fn it_leaves_nothing_behind() {
    let tool = front();
    let (ran, _) = follow(&tool, &["-o", "txt"], "TERM");
    let url = to_type(&ran.stderr)[0].trim_start_matches("export DDB_ENDPOINT_URL=http://");
    assert!(TcpStream::connect(url).is_err(), "{url}");
    let left: Vec<_> = std::fs::read_dir(tool.home()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn at_a_terminal_it_is_one_screen_and_ends_on_ctrl_c() {
    let tool = front();
    let mut terminal = tool.at_terminal(&["demo"], 80);
    terminal.expect("press Ctrl-C to stop");
    terminal.enter("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    for part in ["── ", "bayko", "$ ddb seed", "ddb create-message bayko"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let until = shown.split("^C").next().unwrap();
    assert!(until.lines().count() <= 24, "{shown}");
}

#[test]
fn nobody_who_reads_ends_it_quietly() {
    let mut child = front().spawn(&["demo"]);
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ran = front().run(&["demo", "--port", &port]);
    ran.fails_with_hint(1, &format!("port {port} of 127.0.0.1 is taken"));
}
