//! Both doors lead to the same place: output, messages and exit codes are equal.

use ddb_test_support::{Door, Ran, Sandbox};

use crate::setup::tool;

/// Clap shows how the program was called; everything else has to be equal.
fn same_but_for_the_name(own: Ran, front: Ran) -> (Ran, Ran) {
    let plain = |ran: Ran| Ran {
        stdout: ran.stdout.replace("Usage: ddb ", "Usage: "),
        ..ran
    };
    (plain(own), plain(front))
}

#[tokio::test]
async fn both_doors_say_the_same() {
    let sandbox = Sandbox::with_table().await;
    let [own, front] = Door::BOTH.map(|door| tool(door, &sandbox));
    own.run(&["seed"]).ok();
    for arguments in [
        "seed",
        "seed --dry-run -o json",
        "seed --me nobody",
        "seed --interval x",
        "schema-load",
        "schema-load --no-stream",
        "schema-load --print",
        "schema-load --bogus",
        "scan",
        "scan -o json",
        "scan -o jsonl",
        "scan -o csv",
        "scan -o ddb-json",
        "scan --count",
        "scan --limit 3",
        "scan -v --kind group",
        "list-tables --endpoint-url nonsense",
        "list-tables -o ddb-json",
        "get-conversation",
        "get-conversation --all -o csv",
        "get-conversation nope",
        "get-conversation --with londo",
        "list-conversations",
        "list-conversations nobody",
        "list-conversations -o json -v",
        "drop absent-table",
        "drop",
        "drop absent-table --if-exists -o json",
        "schema-load --help",
        "list-tables --help",
        "drop --help",
        "seed --help",
        "scan --help",
        "get-conversation --help",
        "list-conversations --help",
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (own, front) = same_but_for_the_name(own.run(&arguments), front.run(&arguments));
        assert_eq!(own, front, "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let sandbox = Sandbox::new();
    for door in Door::BOTH {
        let tool = tool(door, &sandbox);
        for utility in [
            "schema-load",
            "list-tables",
            "drop",
            "seed",
            "scan",
            "get-conversation",
            "list-conversations",
        ] {
            let help = tool.run(&[utility, "--help"]).ok();
            for option in ["--output", "--endpoint-url", "--timeout", "--quiet"] {
                assert!(help.contains(option), "{utility} {option}");
            }
            assert!(
                tool.run(&[utility, "--version"])
                    .ok()
                    .contains(env!("CARGO_PKG_VERSION"))
            );
        }
    }
    let front = tool(Door::Front, &sandbox);
    let alone = front.run(&[]);
    assert_eq!(alone.code, Some(2));
    assert!(
        alone.stderr.contains("get-conversation"),
        "{}",
        alone.stderr
    );
    assert!(front.run(&["--help"]).ok().contains("First steps"));
    assert!(front.run(&["--version"]).ok().starts_with("ddb "));
}
