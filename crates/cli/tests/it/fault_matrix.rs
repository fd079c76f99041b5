//! Each command against each way that a service can fail: it ends in time, with one clear error.

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser};
use ddb_test_support::http::{Breakage, Server};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Ran, Sandbox, is_deep, note, side_by_side};

use crate::kills::{block_on, by_way_of, seeded};
use crate::setup::{GROUP, tool};

const TIMEOUT: &str = "1500ms";
/// Far more requests than any of these commands needs: a command that sends so many would never end.
const ENDLESS: usize = 1_000;

const COMMANDS: [&[&str]; 16] = [
    &["list-tables", "--details"],
    &["schema-load", "--no-stream", "--apply"],
    &["scan", "--segments", "2"],
    &["stats"],
    &["seed"],
    &["seed", "--generate", "60", "--ends-at", "2026-03-22"],
    &["scan", "--max-rcu", "100"],
    &["get-conversation", "--with", "bayko"],
    &["get-conversation", "--follow"],
    &["list-conversations"],
    &["create-message", "--group", GROUP, "--from", "bayko", "x"],
    &[
        "create-conversation",
        "--from",
        "londo",
        "--to",
        "bayko",
        "x",
    ],
    &["sync-conversations", "--once"],
    &["check-conversations", "--repair"],
    &["drop"],
    &["list-users"],
];

/// Returns what an error may say about a fault. Only if the service itself keeps a command waiting may the time run
/// out; retries end by themselves.
fn causes(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::Throttled => &["slow down", "throttled"],
        Fault::ServerError => &["InternalServerError"],
        Fault::Hung | Fault::Dripped => &["not done within --timeout"],
        Fault::Truncated => &["the connection broke", "unexpected answer"],
        Fault::Garbage => &["unexpected answer"],
        Fault::EmptyPage => &["pages in a row end where they began"],
        _ => &["the connection broke"],
    }
}

/// Runs a command while the service fails from some request on. The command may end before that. It gets a timeout
/// only if the service keeps it waiting.
fn run(command: &[&str], fault: Fault, first: usize) -> Ran {
    let sandbox = match first {
        0 => Sandbox::embedded(),
        _ => seeded(),
    };
    let cognito = Cognito::start(
        (0..99).map(PoolUser::numbered).collect(),
        Hardship::default(),
    );
    let engine = match command {
        ["list-users"] => cognito.url(),
        _ => sandbox.url(),
    };
    let proxy = Proxy::start(&engine, move |nth, _| match nth {
        ENDLESS.. => Some(Fault::KilledBefore),
        _ => (nth >= first).then_some(fault),
    });
    let tool = by_way_of(&proxy, &sandbox)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &proxy.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL);
    let mut arguments = command.to_vec();
    if command == ["drop"] {
        arguments.push(sandbox.table().as_str());
    }
    if [Fault::Hung, Fault::Dripped].contains(&fault) {
        arguments.extend(["--timeout", TIMEOUT]);
    }
    proxy.run(&tool, &arguments)
}

/// Checks that a run failed as it should.
fn judge(ran: &Ran, fault: Fault, at: &str) {
    let endless = || panic!("{at}: it was killed after {ENDLESS} requests: {ran:?}");
    let code = ran.code.unwrap_or_else(endless);
    assert!([1, 5].contains(&code), "{at}: {ran:?}");
    ran.fails(code, "");
    assert!(
        !ran.stderr.contains("a fault in this program"),
        "{at}: {ran:?}"
    );
    let is_told = causes(fault).iter().any(|cause| ran.stderr.contains(cause));
    assert!(is_told, "{at}: {ran:?}");
    assert!(ran.stderr.contains("\nhint: "), "{at}: {ran:?}");
}

#[test]
fn p23_every_command_ends_in_time_with_one_clear_error_whatever_the_service_does() {
    let places: &[usize] = if is_deep() {
        &[0, 1, 2, 3, 4, 5, 6]
    } else {
        &[0]
    };
    let mut cells = Vec::new();
    for command in COMMANDS {
        for fault in Fault::UNWELL {
            cells.extend(places.iter().map(|first| (command, fault, *first)));
        }
    }
    side_by_side(&cells, |(command, fault, first)| {
        let at = format!("{command:?} {fault:?} at {first}");
        let ran = run(command, *fault, *first);
        // It may be done before the first fault.
        if *first == 0 || ran.code != Some(0) {
            judge(&ran, *fault, &at);
        }
    });
    note(&format!(
        "p23: {} faults at commands, all ended in time",
        cells.len()
    ));
}

/// Pages that lead nowhere are given up after a limited number of requests.
#[test]
fn p23_no_command_pages_for_ever() {
    for command in [
        &["scan"][..],
        &["get-conversation"],
        &["check-conversations"],
    ] {
        let ran = run(command, Fault::EmptyPage, 0);
        judge(&ran, Fault::EmptyPage, command[0]);
    }
}

/// The doctor reports, and does not fail.
#[test]
fn p23_the_doctor_tells_of_each_fault_and_ends_in_time() {
    side_by_side(&Fault::UNWELL, |fault| {
        let sandbox = seeded();
        let proxy = Proxy::failing_from(&sandbox.url(), 0, *fault);
        let tool = tool(Door::Front, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url());
        let ran = tool.run(&["doctor", "--timeout", "5s"]);
        match ran.code {
            Some(3) => assert!(ran.stdout.contains("fail"), "{fault:?}: {ran:?}"),
            _ => ran.fails(1, "not done within --timeout"),
        }
    });
}

/// Something other than PostgreSQL may answer.
#[test]
fn p23_a_database_that_is_unwell_is_a_clear_error() {
    let cases = [
        (Breakage::Hung, "".as_bytes()),
        (Breakage::Dripped, &[b'x'; 4096]),
        (Breakage::Reset, b""),
        (Breakage::HalfClosed, b""),
        (Breakage::Truncated, b"N"),
        (
            Breakage::Truncated,
            b"HTTP/1.1 400 Bad Request\r\n\r\n<html></html>",
        ),
        (
            Breakage::Truncated,
            b"R\0\0\0\x08\0\0\0\x63E\0\0\0\x10SERROR\0C57P03\0M\0\0",
        ),
    ];
    let commands: [&[&str]; 5] = [
        &["seed"],
        &["list-conversations"],
        &[
            "create-conversation",
            "--from",
            "londo",
            "--to",
            "bayko",
            "x",
        ],
        &["db-setup"],
        &["update-cognito-user-ids"],
    ];
    let sandbox = seeded();
    let cognito = Cognito::start(Vec::new(), Hardship::default());
    side_by_side(&cases, |(breakage, bytes)| {
        let server = Server::blunt(*breakage, bytes);
        let url = server.url().replace("http://", "postgres://me:secret@");
        let tool = tool(Door::Own, &sandbox)
            .with("DATABASE_URL", &format!("{url}/cruddur"))
            .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url())
            .with("AWS_COGNITO_USER_POOL_ID", POOL);
        for command in commands {
            let ran = tool.run(&[command, &["--timeout", TIMEOUT]].concat());
            ran.fails(1, "");
            assert!(!ran.stderr.contains("secret"), "{ran:?}");
            assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
        }
    });
    assert_eq!(block_on(sandbox.items()).len(), 106);
}
