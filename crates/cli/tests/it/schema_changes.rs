//! `schema-load --apply` in production: it lists the changes, asks, and then looks at the table again.

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use ddb_core::schema::{Change, TableSpec};
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::{Door, Ran, Sandbox, Tool};

fn operator(sandbox: &Sandbox) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
}

fn with_options<T>(aws: &Aws, arguments: &[&str], run: impl FnOnce(&[&str]) -> T) -> T {
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    run(&[&["schema-load"], arguments, &options].concat())
}

fn run(tool: &Tool, aws: &Aws, arguments: &[&str]) -> Ran {
    with_options(aws, arguments, |arguments| tool.run(arguments))
}

/// Creates a table with somebody else's index and a stream with another view. Returns the stream's ARN.
async fn strange_table() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let keys_only = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::KeysOnly)
        .build()
        .unwrap();
    let create = TableSpec::default().create(sandbox.table());
    let mut indexes = create.get_global_secondary_indexes().clone().unwrap();
    let mut other = indexes[0].clone();
    other.index_name = "by-somebody".to_owned();
    // Amazon's DynamoDB Local never finishes deleting an index that has the keys of another one.
    other.key_schema.truncate(1);
    indexes.push(other);
    create
        .set_global_secondary_indexes(Some(indexes))
        .stream_specification(keys_only)
        .send_with(&sandbox.client())
        .await
        .unwrap();
    let arn = stream_arn(&sandbox).await;
    (sandbox, arn)
}

async fn stream_arn(sandbox: &Sandbox) -> String {
    let table = sandbox.store().describe().await.unwrap().unwrap();
    table.shape.stream_arn.unwrap()
}

#[tokio::test]
async fn p06_an_index_and_a_stream_are_lost_by_the_tables_name_alone() {
    let (sandbox, arn) = strange_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(&sandbox);
    let table = sandbox.table().as_str();
    for (options, refusal) in [
        (
            &["--apply"][..],
            "this needs confirmation, and there was no answer",
        ),
        (
            &["--apply", "--yes"],
            "this needs confirmation, and there was no answer",
        ),
        (
            &["--apply", "--yes", "--quiet"],
            "this needs confirmation, and there was no answer",
        ),
        (&["--apply", "--confirm", "other"], "is not its name"),
        (&["--apply", "--yes", "--confirm", "yes"], "is not its name"),
    ] {
        let ran = run(&tool, &aws, options);
        ran.fails_with_hint(2, refusal);
        let (said, _) = ran.stderr.split_once("error: ").unwrap();
        for part in [
            "index by-somebody: present becomes absent\n",
            "stream: KEYS_ONLY becomes NEW_IMAGE\n",
            "the index by-somebody will be deleted; ",
            &format!("the stream {arn} will end; a Lambda function "),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let alone = run(&tool, &aws, &["--apply", "--yes"]);
    assert!(alone.stderr.contains("--confirm"), "{}", alone.stderr);
    assert_eq!(aws.writes(), [""; 0]);

    run(&tool, &aws, &["--apply", "--confirm", table]).ok();
    assert_eq!(aws.writes(), ["UpdateTable"; 3]);
    assert_ne!(stream_arn(&sandbox).await, arn);
    run(&tool, &aws, &["--apply"]).ok();
}

#[tokio::test]
async fn p05_the_question_comes_after_what_it_is_about() {
    let (sandbox, arn) = strange_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(&sandbox);
    let table = sandbox.table().as_str();
    let question = format!("Type {table} to continue: ");
    let at_terminal = |options: &[&str]| {
        with_options(&aws, options, |arguments| tool.at_terminal(arguments, 250))
    };
    for typed in ["yes", ""] {
        let mut terminal = at_terminal(&["--apply", "--yes", "--quiet"]);
        terminal.expect(&question);
        terminal.enter(&format!("{typed}\n"));
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(2), "{shown}");
        let (before, _) = shown.split_once(&question).unwrap();
        assert!(before.contains("KEYS_ONLY becomes NEW_IMAGE"), "{before}");
        assert!(before.contains(&arn), "{before}");
    }
    assert_eq!(aws.writes(), [""; 0]);
    let mut terminal = at_terminal(&["--apply"]);
    terminal.expect(&question);
    terminal.enter(&format!("{table}\n"));
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");

    // If nothing is lost, a yes is enough.
    let on_demand = ["--apply", "--billing", "on-demand"];
    let mut terminal = at_terminal(&on_demand);
    terminal.expect("Type yes to continue: ");
    terminal.enter("no\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(2), "{shown}");
    let (before, _) = shown.split_once("Type yes").unwrap();
    let said = "billing: PROVISIONED becomes PAY_PER_REQUEST";
    assert!(before.contains(said), "{before}");
    let written = aws.writes().len();
    run(&tool, &aws, &on_demand)
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert_eq!(aws.writes().len(), written);
    run(&tool, &aws, &[&on_demand[..], &["--yes"]].concat()).ok();
}

/// Somebody renews the stream while the question is open, so a different stream would be lost.
#[tokio::test]
async fn p06_what_changed_during_a_question_is_not_overwritten() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(&sandbox);
    let mut terminal = with_options(&aws, &["--apply", "--no-stream"], |arguments| {
        tool.at_terminal(arguments, 250)
    });
    terminal.expect("to continue: ");
    for change in [Change::StreamOff { arn: None }, Change::StreamOn] {
        let request = change.request(sandbox.table());
        request.send_with(&sandbox.client()).await.unwrap();
    }
    let renewed = stream_arn(&sandbox).await;
    terminal.enter(&format!("{}\n", sandbox.table()));
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains("changed by somebody else meanwhile"),
        "{shown}"
    );
    assert_eq!(aws.writes(), [""; 0]);
    assert_eq!(stream_arn(&sandbox).await, renewed);
}

#[tokio::test]
async fn p06_locally_nothing_asks_but_a_wrong_name_is_refused() {
    let (sandbox, _) = strange_table().await;
    let tool = crate::setup::tool(Door::Own, &sandbox);
    tool.run(&["schema-load", "--apply", "--confirm", "other"])
        .fails_with_hint(2, "is not its name");
    tool.run(&["schema-load", "--confirm", "other"])
        .fails_with_hint(2, "--apply");
    let ran = tool.run(&["schema-load", "--apply"]);
    assert!(!ran.stderr.contains("becomes"), "{}", ran.stderr);
    ran.ok();
}
