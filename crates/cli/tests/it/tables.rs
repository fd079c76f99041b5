//! `list-tables`: names, and what is known about each.

use ddb_test_support::http::{Answer, Server};
use ddb_test_support::{Door, Sandbox};
use serde_json::json;

use crate::setup::{document, field, lines, through_both_doors, tool};

#[tokio::test]
async fn names_and_details() {
    through_both_doors(async |sandbox, tool| {
        let name = sandbox.table().as_str();
        let names = lines(tool.run(&["list-tables", "-o", "jsonl"]));
        assert!(field(&names, "name").contains(&name));
        assert_eq!(names[0].as_object().unwrap().len(), 1);

        tool.run(&["seed"]).ok();
        let details = lines(tool.run(&["list-tables", "--details", "-o", "jsonl"]));
        let own = details.iter().find(|table| table["name"] == name).unwrap();
        assert_eq!(own["status"], "ACTIVE");
        assert_eq!(own["items"], 105);
        assert!(own["bytes"].as_i64().unwrap() > 10_000);
        assert_eq!(own["billing"], "PROVISIONED");
        assert_eq!(
            (&own["read_capacity"], &own["write_capacity"]),
            (&json!(5), &json!(5))
        );
        assert_eq!(own["stream"], "NEW_IMAGE");
        assert_eq!(own["indexes"], json!(["message-group-sk-index"]));

        let csv = tool.run(&["list-tables", "--details", "-o", "csv"]).ok();
        assert!(csv.starts_with(
            "name,status,items,bytes,billing,read_capacity,write_capacity,stream,indexes\n"
        ));
        assert!(csv.contains(&format!("{name},ACTIVE,105,")), "{csv}");
    })
    .await;
}

/// Its own engine has nothing else to list.
#[test]
fn no_tables_are_an_empty_answer() {
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Own, &sandbox);
    for (form, stdout) in [("table", ""), ("jsonl", ""), ("csv", "name\n")] {
        let ran = tool.run(&["list-tables", "-o", form]);
        assert!(ran.stderr.contains("no tables"), "{}", ran.stderr);
        assert_eq!(ran.ok(), stdout);
    }
    assert_eq!(
        document(tool.run(&["list-tables", "-o", "json"])),
        json!({"items": [], "count": 0, "scanned_count": null, "consumed_capacity": null, "truncated": null})
    );
}

/// Tables that were listed before an error are shown, in the table format, too.
#[test]
fn the_first_page_is_shown_where_the_second_one_fails() {
    let sandbox = Sandbox::new();
    let server = Server::start(|request| {
        let second = String::from_utf8_lossy(&request.body).contains("ExclusiveStartTableName");
        if second {
            let error = json!({"__type": "x#AccessDeniedException", "message": "no more"});
            return Answer::json(400, error.to_string());
        }
        let page = json!({"TableNames": ["apples", "pears"], "LastEvaluatedTableName": "pears"});
        Answer::json(200, page.to_string())
    });
    let tool = tool(Door::Own, &sandbox);
    let arguments = ["list-tables", "--endpoint-url", &server.url()];
    let table = tool.run(&arguments);
    assert_eq!(table.stdout, "name\n──────\napples\npears\n");
    table.fails(1, "AccessDeniedException");
    let document = tool.run(&[&arguments[..], &["-o", "json"]].concat());
    assert!(document.stdout.contains("pears"), "{}", document.stdout);
    assert!(!document.stdout.ends_with("}\n"), "{}", document.stdout);
}
