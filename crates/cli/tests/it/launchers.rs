//! The launchers at the paths of the old scripts: which utility they run, and what happens to `prod`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn bin_scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bin-scripts")
}

/// Runs a launcher with a `ddb` that only prints its arguments. Returns the exit code and what is printed.
fn run(launcher: &str, given: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    use std::os::unix::fs::PermissionsExt;
    let target = tempfile::tempdir().unwrap();
    let debug = target.path().join("debug");
    std::fs::create_dir(&debug).unwrap();
    let ddb = debug.join("ddb");
    std::fs::write(&ddb, "#!/bin/sh\necho \"$@\"\n").unwrap();
    std::fs::set_permissions(&ddb, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(bin_scripts().join(launcher))
        .args(given)
        .env("CARGO_TARGET_DIR", target.path())
        .envs(variables.iter().copied())
        .current_dir(target.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), shown)
}

/// Returns the arguments that a launcher runs `ddb` with.
fn arguments(launcher: &str, given: &[&str]) -> String {
    let (code, shown) = run(launcher, given, &[]);
    assert_eq!(code, Some(0), "{shown}");
    shown.trim_end().to_owned()
}

const LAUNCHERS: [(&str, &str); 12] = [
    ("ddb/schema-load", "schema-load"),
    ("ddb/list-tables", "list-tables"),
    ("ddb/drop", "drop"),
    ("ddb/seed", "seed"),
    ("ddb/scan", "scan"),
    ("ddb/patterns/get-conversation", "get-conversation"),
    ("ddb/patterns/get-conversations", "get-conversation"),
    ("ddb/patterns/list-conversations", "list-conversations"),
    ("cognito/list-users", "list-users"),
    ("db/setup", "db-setup"),
    ("db/update-cognito-user-ids", "update-cognito-user-ids"),
    ("db/update_cognito_user_ids", "update-cognito-user-ids"),
];

/// `setup` runs the utilities in the order in which they need each other, and only those that are configured.
#[test]
fn setup_goes_in_the_right_order() {
    let shown = |given: &[&str], variables: &[(&str, &str)]| -> Vec<String> {
        let (code, output) = run("setup", given, variables);
        assert_eq!(code, Some(0), "{output}");
        let commands = output
            .lines()
            .filter(|line| !line.starts_with('$') && !line.is_empty());
        commands.map(str::to_owned).collect()
    };
    let database = ("DATABASE_URL", "postgres://me@h/db");
    let pool = ("AWS_USER_POOLS_ID", "eu-central-1_x");
    assert_eq!(shown(&[], &[]), ["schema-load", "seed", "doctor"]);
    assert_eq!(shown(&[], &[pool]), ["schema-load", "seed", "doctor"]);
    assert_eq!(
        shown(&[], &[database]),
        ["schema-load", "db-setup --wait 30s", "seed", "doctor"]
    );
    assert_eq!(
        shown(&["--reset"], &[database, pool, ("DDB_MESSAGE_TABLE", "t")]),
        [
            "drop t --if-exists",
            "schema-load",
            "db-setup --wait 30s",
            "update-cognito-user-ids",
            "seed",
            "doctor"
        ]
    );
    for other in [&["--prod"][..], &["prod"], &["--reset", "--prod"]] {
        let (code, output) = run("setup", other, &[]);
        assert_eq!((code, output.as_str()), (Some(2), ""));
    }
}

#[test]
fn each_launcher_runs_its_utility() {
    for (launcher, utility) in LAUNCHERS {
        assert_eq!(arguments(launcher, &[]), utility);
        assert_eq!(
            arguments(launcher, &["a b", "-o", "json"]),
            format!("{utility} a b -o json")
        );
    }
}

/// p03: the word `prod` means production only where it did in the old scripts.
#[test]
fn p03_prod_is_turned_into_the_flag_only_where_it_was_one() {
    for (launcher, utility) in LAUNCHERS {
        let alone = if utility == "drop" {
            "drop prod".to_owned()
        } else {
            format!("{utility} --prod")
        };
        assert_eq!(arguments(launcher, &["prod"]), alone);
        for other in ["nonprod", "production", "PROD", "-prod", "prod "] {
            assert_eq!(
                arguments(launcher, &[other]),
                format!("{utility} {other}").trim_end()
            );
        }
        let second = if utility == "drop" {
            "drop t --prod".to_owned()
        } else {
            format!("{utility} t prod")
        };
        assert_eq!(arguments(launcher, &["t", "prod"]), second);
        assert_eq!(
            arguments(launcher, &["prod", "t"]),
            format!("{utility} prod t")
        );
        assert_eq!(
            arguments(launcher, &["t", "prod", "x"]),
            format!("{utility} t prod x")
        );
    }
}
