//! Both doors lead to the same place: output, messages and exit codes are equal.

use ddb_test_support::{Door, Ran, Sandbox, Tool};

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

/// One file serves for all utilities: a link to `ddb` with the name of a utility is that utility.
#[tokio::test]
async fn a_link_to_ddb_is_the_utility_of_its_name() {
    let sandbox = Sandbox::with_table().await;
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ddb"), &path).unwrap();
        path
    };
    let any = link("renamed-by-somebody");
    let links = Tool::new(any.to_str().unwrap(), Door::Own).on(&sandbox);
    let own = tool(Door::Own, &sandbox);
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
    let mut utilities = 0;
    for source in std::fs::read_dir(sources).unwrap() {
        let path = source.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        link(name);
        utilities += 1;
        assert_eq!(links.run(&[name, "--help"]), own.run(&[name, "--help"]));
    }
    assert!(utilities > 18, "{utilities}");
    own.run(&["seed"]).ok();
    for arguments in [
        &["seed"][..],
        &["scan", "-o", "jsonl"],
        &["get-conversation"],
        &["drop", "absent-table"],
        &["list-users", "--nonsense"],
    ] {
        assert_eq!(links.run(arguments), own.run(arguments), "{arguments:?}");
    }
    // With any other name it is `ddb`.
    let renamed = links.run(&["renamed-by-somebody", "scan", "--count"]).ok();
    assert_eq!(renamed, own.run(&["scan", "--count"]).ok());
}

/// `-V` prints the number alone. `--version` prints more, which only a release build knows.
#[test]
fn the_version_says_what_was_built() {
    let sandbox = Sandbox::new();
    let number = env!("CARGO_PKG_VERSION");
    for (door, name, words) in [
        (Door::Front, "ddb", &[][..]),
        (Door::Front, "ddb-scan", &["scan"]),
        (Door::Own, "scan", &["scan"]),
    ] {
        let tool = tool(door, &sandbox);
        let said = |option| tool.run(&[words, &[option]].concat()).ok();
        assert_eq!(said("-V"), format!("{name} {number}\n"));
        assert_eq!(
            said("--version"),
            format!("{name} {number} (development)\n")
        );
    }
}
