//! A fake of AWS on loopback: STS with two accounts, and DynamoDB with an engine behind it.

use crate::Sandbox;
use crate::http::{Answer, Request, Server, forward};

/// The account that the credentials of the tests are for.
pub const ACCOUNT: &str = "123456789012";

/// Another account: that of every key that starts with [`OTHER_KEY`].
pub const OTHER_ACCOUNT: &str = "999999999999";

/// How the keys of the other account start.
pub const OTHER_KEY: &str = "AKIAOTHER";

/// The key that STS returns for an assumed role.
pub const ROLE_KEY: &str = "ASIAROLE";

/// The operations that change a table or its items.
const WRITES: [&str; 11] = [
    "CreateTable",
    "UpdateTable",
    "DeleteTable",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "ExecuteStatement",
    "BatchExecuteStatement",
    "UpdateContinuousBackups",
];

/// How the fake answers DescribeContinuousBackups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backups {
    /// Point-in-time recovery is on.
    On,
    /// Point-in-time recovery is off.
    Off,
    /// The role is not allowed to ask.
    Denied,
}

/// A fake of AWS that records its requests.
#[derive(Debug)]
pub struct Aws {
    server: Server,
}

impl Aws {
    /// Starts one in front of a sandbox.
    pub fn in_front_of(sandbox: &Sandbox, backups: Backups) -> Self {
        let engine = sandbox.url();
        let server = Server::start(move |request| match request.operation.as_str() {
            "GetCallerIdentity" => identity_of(request),
            "AssumeRole" => assumed(request),
            "DescribeContinuousBackups" => continuous_backups(backups),
            _ => forward(request, &engine),
        });
        Self { server }
    }

    /// Returns its URL, for both services.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the options that point a production command at it.
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

    /// Returns the operations of all requests.
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

/// Returns the answer of STS: see GetCallerIdentity in its API reference.
pub(crate) fn identity() -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/tester</Arn>\
         <UserId>AIDATESTER</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    Answer::Body(200, "text/xml", body)
}

fn identity_of(request: &Request) -> Answer {
    let other = format!("Credential={OTHER_KEY}");
    match identity() {
        Answer::Body(status, kind, body) if request.head.contains(&other) => {
            Answer::Body(status, kind, body.replace(ACCOUNT, OTHER_ACCOUNT))
        }
        own => own,
    }
}

/// Returns the answer of STS: see AssumeRole in its API reference. A role named `forbidden` cannot be assumed.
fn assumed(request: &Request) -> Answer {
    if String::from_utf8_lossy(&request.body).contains("forbidden") {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>not yours to assume</Message></Error>\
             <RequestId>1</RequestId></ErrorResponse>";
        return Answer::Body(403, "text/xml", body.to_owned());
    }
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{ROLE_KEY}</AccessKeyId><SecretAccessKey>role</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"
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
