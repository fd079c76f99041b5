//! An AWS of our own on loopback: STS with one account, and DynamoDB with an engine behind it.

use crate::Sandbox;
use crate::http::{Answer, Server, forward};

/// The account that the credentials of the tests are for.
pub const ACCOUNT: &str = "123456789012";

/// What changes a table or what is in it.
const WRITES: [&str; 10] = [
    "CreateTable",
    "UpdateTable",
    "DeleteTable",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "ExecuteStatement",
    "UpdateContinuousBackups",
];

/// How the fake answers DescribeContinuousBackups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backups {
    /// Point-in-time recovery is on.
    On,
    /// Point-in-time recovery is off.
    Off,
    /// The role may not ask.
    Denied,
}

/// A fake of AWS that remembers what it was asked.
#[derive(Debug)]
pub struct Aws {
    server: Server,
}

impl Aws {
    /// Starts one in front of a sandbox.
    pub fn in_front_of(sandbox: &Sandbox, backups: Backups) -> Self {
        let engine = sandbox.url();
        let server = Server::start(move |request| match request.operation.as_str() {
            "GetCallerIdentity" => identity(),
            "DescribeContinuousBackups" => continuous_backups(backups),
            _ => forward(request, &engine),
        });
        Self { server }
    }

    /// Returns its URL, for both services.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the options that lead a production command here.
    pub fn options(&self) -> Vec<String> {
        [
            "--prod",
            "--region",
            "eu-central-1",
            "--endpoint-url",
            &self.url(),
            "--sts-endpoint-url",
            &self.url(),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Returns all operations that it was asked for.
    pub fn operations(&self) -> Vec<String> {
        self.server.operations()
    }

    /// Returns the operations that would have changed something.
    pub fn writes(&self) -> Vec<String> {
        let mut operations = self.operations();
        operations.retain(|operation| WRITES.contains(&operation.as_str()));
        operations
    }
}

/// The answer of STS: see GetCallerIdentity in its API reference.
pub(crate) fn identity() -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/tester</Arn>\
         <UserId>AIDATESTER</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    Answer::Body(200, "text/xml", body)
}

fn continuous_backups(backups: Backups) -> Answer {
    let status = match backups {
        Backups::On => "ENABLED",
        Backups::Off => "DISABLED",
        Backups::Denied => {
            return Answer::json(
                400,
                r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not authorized to perform: dynamodb:DescribeContinuousBackups"}"#,
            );
        }
    };
    Answer::json(
        200,
        format!(
            r#"{{"ContinuousBackupsDescription":{{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{{"PointInTimeRecoveryStatus":"{status}"}}}}}}"#
        ),
    )
}
