//! `ddb local`: an endpoint from start to end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;

use ddb_test_support::{Door, Tool};
use serde_json::Value;

use crate::faults::kill;
use crate::setup::lines;

fn front() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
}

/// Starts an endpoint and returns the URL that it reports.
fn start(tool: &Tool, options: &[&str]) -> (Child, String) {
    let mut child = tool.spawn(&[&["local", "--port", "0", "-o", "jsonl"], options].concat());
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let url = said["endpoint"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    (child, url)
}

/// Returns the port of a URL.
fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// Checks whether this machine has [::1].
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// Sends a request with these headers as a page in a browser would, and returns the answer in lower case.
fn ask(url: &str, method: &str, headers: &[&str]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let body = r#"{"TableName":"cruddur-messages"}"#;
    let headers = headers.join("\r\n");
    write!(
        stream,
        "{method} / HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\
         X-Amz-Target: DynamoDB_20120810.DeleteTable\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

fn end(mut child: Child, signal: &str) {
    kill(&child, signal);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
}

#[test]
fn it_serves_the_main_job_and_ends_on_a_signal() {
    for signal in ["INT", "TERM"] {
        let (child, url) = start(&front(), &[]);
        let tool = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
        tool.run(&["schema-load"]).ok();
        tool.run(&["seed"]).ok();
        assert_eq!(
            lines(tool.run(&["get-conversation", "-o", "jsonl"])).len(),
            20
        );
        end(child, signal);
        tool.run(&["list-tables"])
            .fails_with_hint(1, "Connection refused");
    }
}

#[test]
fn data_in_a_folder_outlives_the_endpoint() {
    let tool = front();
    let mut seen = Vec::new();
    for run in 0..2 {
        let (child, url) = start(&tool, &["--data", "kept/here"]);
        let client = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
        if run == 0 {
            client.run(&["schema-load"]).ok();
            client.run(&["seed"]).ok();
            tool.run(&["local", "--port", "0", "--data", "kept/here"])
                .fails_with_hint(1, "another endpoint is using this folder");
        }
        seen.push(client.run(&["scan", "-o", "jsonl"]).ok());
        end(child, "TERM");
    }
    assert_eq!(seen[0].lines().count(), 105);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_taken_port_is_said_with_a_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ran = front().run(&["local", "--port", &port]);
    ran.fails_with_hint(1, &format!("port {port} of 127.0.0.1 is taken"));
    assert!(ran.stderr.contains("--port"), "{}", ran.stderr);
}

/// Every command goes to `localhost`, which may be [::1]: another server there must not get the requests instead.
#[test]
fn both_loopback_addresses_or_neither() {
    if !has_ipv6() {
        return;
    }
    let (child, url) = start(&front(), &[]);
    let taken = port(&url).to_string();
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let url = format!("http://{host}:{taken}");
        front().run(&["list-tables", "--endpoint-url", &url]).ok();
    }
    let ran = front().run(&["local", "--port", &taken]);
    ran.fails_with_hint(1, "is taken: a DynamoDB endpoint answers there");
    end(child, "TERM");

    let other = TcpListener::bind("[::1]:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let ran = front().run(&["local", "--port", &taken.to_string()]);
    ran.fails_with_hint(1, &format!("port {taken} of [::1] is taken"));
    TcpListener::bind(("127.0.0.1", taken)).unwrap();
}

#[test]
fn it_says_where_it_listens() {
    let tool = front();
    let (child, url) = start(&tool, &[]);
    kill(&child, "TERM");
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let port = port(&url);
    let expected = if has_ipv6() {
        format!("listening on 127.0.0.1:{port} and [::1]:{port}")
    } else {
        format!("listening on 127.0.0.1:{port}, and not on [::1]")
    };
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn no_web_page_reads_or_deletes_anything() {
    let page = "http://localhost:5173";
    let (child, url) = start(&front(), &["--allow-origin", page]);
    let client = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
    client.run(&["schema-load"]).ok();
    let table = client.run(&["list-tables", "-o", "jsonl"]).ok();
    for (method, headers, expected) in [
        ("POST", &["Host: evil.example"][..], "421"),
        (
            "POST",
            &["Host: evil.example", "Origin: http://evil.example"],
            "421",
        ),
        (
            "POST",
            &["Host: localhost", "Origin: https://evil.example"],
            "403",
        ),
        ("POST", &["Host: localhost", "Origin: null"], "403"),
        (
            "OPTIONS",
            &["Host: localhost", "Origin: https://evil.example"],
            "403",
        ),
        (
            "OPTIONS",
            &["Host: localhost", "Origin: http://localhost:3000"],
            "403",
        ),
    ] {
        let answer = ask(&url, method, headers);
        assert!(
            answer.starts_with(&format!("http/1.1 {expected}")),
            "{method} {headers:?}: {answer}"
        );
        assert!(!answer.contains("access-control-"), "{answer}");
    }
    assert_eq!(client.run(&["list-tables", "-o", "jsonl"]).ok(), table);

    let allowed = ["Host: localhost", &format!("Origin: {page}")];
    for (method, status) in [("OPTIONS", "204"), ("POST", "200")] {
        let answer = ask(&url, method, &allowed);
        assert!(
            answer.starts_with(&format!("http/1.1 {status}")),
            "{answer}"
        );
        let leave = format!("access-control-allow-origin: {page}\r\n");
        assert!(answer.contains(&leave), "{answer}");
    }
    assert_eq!(client.run(&["list-tables", "-o", "jsonl"]).ok(), "");
    end(child, "TERM");
}

#[test]
fn an_origin_that_is_none_is_refused_with_an_example() {
    for origin in ["*", "null", "app.example.com", "https://app.example.com/"] {
        let ran = front().run(&["local", "--port", "0", "--allow-origin", origin]);
        ran.fails(2, "such as http://localhost:5173");
    }
}

#[test]
fn what_is_in_the_folder_already_stays_as_it_is() {
    let tool = front();
    std::fs::create_dir(tool.home().join("data")).unwrap();
    tool.file("data/lock", "precious");
    let (child, _) = start(&tool, &["--data", "data"]);
    end(child, "TERM");
    let kept = std::fs::read_to_string(tool.home().join("data/lock")).unwrap();
    assert_eq!(kept, "precious");
}

/// Dropping a table also deletes the records of its stream.
#[test]
fn a_folder_does_not_grow_with_tables_that_are_dropped() {
    let tool = front();
    let sizes = [1, 6].map(|rounds| {
        let folder = format!("data-{rounds}");
        let (child, url) = start(&tool, &["--data", &folder]);
        let client = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
        for _ in 0..rounds {
            client.run(&["schema-load"]).ok();
            client.run(&["seed"]).ok();
            client.run(&["drop", "cruddur-messages"]).ok();
        }
        end(child, "TERM");
        let database = tool.home().join(folder).join("dynamodb.sqlite");
        std::fs::metadata(database).unwrap().len()
    });
    assert!(sizes[1] < sizes[0] * 3 / 2, "{sizes:?}");
}
