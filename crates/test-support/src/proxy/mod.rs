//! A proxy between a command and an engine. It does to requests what networks and busy services do.

mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use fastrand::Rng;
use futures::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::http::{Answer, Breakage, Request, Server, forward};
use crate::{Ran, Tool};
pub use traffic::Traffic;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The service asks for less load. The engine never sees the request.
    Throttled,
    /// The service fails with status 500. The engine never sees the request.
    ServerError,
    /// No answer arrives, and the connection stays open.
    Hung,
    /// The answer arrives byte by byte.
    Dripped,
    /// The connection is reset before the engine sees the request.
    Reset,
    /// The server ends its half of the connection before the engine sees the request.
    HalfClosed,
    /// Half of the engine's answer arrives.
    Truncated,
    /// The answer is not JSON. The engine never sees the request.
    Garbage,
    /// The engine does what it is asked to, but the answer is lost.
    ReplyLost,
    /// The engine processes a random part of a batch, and leaves the rest unprocessed. Each statement of
    /// the rest gets an error.
    Unprocessed,
    /// A page arrives without items, but with the key to continue from.
    EmptyPage,
    /// A query of an index returns what the index contained when it was first queried, or nothing.
    StaleIndex,
    /// A transaction conflicts with another one, or is throttled. The engine never sees it.
    Cancelled,
    /// The request waits until this many others have been answered, or until none has been for a while.
    Held(u8),
    /// The client is killed before the engine sees the request.
    KilledBefore,
    /// The client is killed after the engine did what it was asked to.
    KilledAfter,
}

impl Fault {
    /// What an unhealthy service does to any request: it never answers as it should.
    pub const UNWELL: [Self; 8] = [
        Self::Throttled,
        Self::ServerError,
        Self::Hung,
        Self::Dripped,
        Self::Reset,
        Self::HalfClosed,
        Self::Truncated,
        Self::Garbage,
    ];

    /// What a command survives by retrying.
    const PASSING: [Self; 8] = [
        Self::Throttled,
        Self::ServerError,
        Self::Reset,
        Self::ReplyLost,
        Self::Unprocessed,
        Self::EmptyPage,
        Self::StaleIndex,
        Self::Cancelled,
    ];

    fn befalls(self, request: &Request) -> bool {
        let operation = request.operation.as_str();
        match self {
            Self::Unprocessed => ["BatchWriteItem", "BatchExecuteStatement"].contains(&operation),
            Self::EmptyPage => ["Scan", "Query", "GetRecords"].contains(&operation),
            Self::StaleIndex => is_of_index(request),
            Self::Cancelled => operation == "TransactWriteItems",
            _ => true,
        }
    }
}

/// A proxy in front of an engine, on 127.0.0.1. It ends when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    engine: String,
    traffic: Traffic,
    injected: Mutex<BTreeMap<Fault, usize>>,
    index: Mutex<HashMap<Vec<u8>, Answer>>,
    victim: Mutex<Option<Victim>>,
    aimed: Condvar,
}

/// What ends if the client is killed.
#[derive(Debug, Clone)]
enum Victim {
    /// A process, by its id.
    Process(u32),
    /// A piece of work in this process, which is dropped.
    Work(Arc<Notify>),
}

impl Proxy {
    /// Starts a proxy. `plan` gets the number of the request, from 0, and returns what happens to it.
    pub fn start(
        engine: &str,
        plan: impl Fn(usize, &Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::start_in(&Traffic::default(), engine, plan)
    }

    /// Starts a proxy that shares its traffic with others: if a request is held, the requests of all of them count.
    pub fn start_in(
        traffic: &Traffic,
        engine: &str,
        plan: impl Fn(usize, &Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(State {
            engine: engine.to_owned(),
            traffic: traffic.clone(),
            ..State::default()
        });
        let (serving, asked) = (Arc::clone(&state), AtomicUsize::new(0));
        let server = Server::start(move |request| {
            let _under_way = serving.traffic.enter();
            let nth = asked.fetch_add(1, Ordering::SeqCst);
            let fault = plan(nth, request).filter(|fault| fault.befalls(request));
            serving.answer(request, fault, &mut Rng::with_seed(nth as u64))
        });
        Self { server, state }
    }

    /// Starts a proxy that applies one fault to the request with a number, from 0, and to all after it.
    pub fn failing_from(engine: &str, first: usize, fault: Fault) -> Self {
        Self::start(engine, move |nth, _| (nth >= first).then_some(fault))
    }

    /// Starts a proxy that applies a fault to about one request in `odds`. Which one it is depends only on the seed
    /// and the number of the request.
    pub fn seeded(engine: &str, seed: u64, odds: u64) -> Self {
        Self::start(engine, move |nth, request| {
            let mut rng = Rng::with_seed(seed << 32 | nth as u64);
            if rng.u64(..odds) > 0 {
                return None;
            }
            let faults: &[Fault] = if rng.u8(..4) == 0 {
                &Fault::UNWELL
            } else {
                &Fault::PASSING
            };
            let fitting = faults.iter().filter(|fault| fault.befalls(request));
            rng.choice(fitting.collect::<Vec<_>>()).copied()
        })
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the operations of the requests, in order.
    pub fn operations(&self) -> Vec<String> {
        self.server.operations()
    }

    /// Returns how often each fault happened to a request.
    ///
    /// # Panics
    ///
    /// If a thread of the proxy panicked.
    pub fn injected(&self) -> BTreeMap<Fault, usize> {
        self.state.injected.lock().expect("it is whole").clone()
    }

    /// Runs a utility to its end. It is the one that is killed if the plan says so. The options of the tool must
    /// point it at this proxy.
    ///
    /// # Panics
    ///
    /// If there is no such binary.
    pub fn run(&self, tool: &Tool, arguments: &[&str]) -> Ran {
        let child = tool.spawn(arguments);
        self.state.aim(Victim::Process(child.id()));
        child.wait_with_output().expect("the process ends").into()
    }

    /// Runs a piece of work in this process to its end. If the plan kills it, it is dropped with everything it has in
    /// progress, and this returns `None`. Its requests must go through this proxy.
    pub async fn work<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let killed = Arc::new(Notify::new());
        self.state.aim(Victim::Work(Arc::clone(&killed)));
        match select(pin!(killed.notified()), pin!(work)).await {
            Either::Left(_) => None,
            Either::Right((done, _)) => Some(done),
        }
    }
}

impl State {
    fn aim(&self, victim: Victim) {
        *self.victim.lock().expect("it is whole") = Some(victim);
        self.aimed.notify_all();
    }

    fn kill(&self) {
        let victim = self.victim.lock().expect("it is whole");
        let victim = self
            .aimed
            .wait_while(victim, |victim| victim.is_none())
            .expect("it is whole");
        match victim.as_ref().expect("it is there") {
            Victim::Process(id) => {
                let id = id.to_string();
                let killed = Command::new("kill").args(["-s", "KILL", &id]).status();
                assert!(killed.is_ok_and(|status| status.success()));
            }
            Victim::Work(killed) => killed.notify_one(),
        }
    }

    fn answer(&self, request: &Request, fault: Option<Fault>, rng: &mut Rng) -> Answer {
        let Some(fault) = fault else {
            return self.pass(request);
        };
        let mut injected = self.injected.lock().expect("it is whole");
        *injected.entry(fault).or_default() += 1;
        drop(injected);
        match fault {
            Fault::Throttled => throttled(request),
            Fault::ServerError => Answer::json(
                500,
                r#"{"__type":"x#InternalServerError","message":"try again later"}"#,
            ),
            Fault::Hung => Answer::Broken(Breakage::Hung, Vec::new()),
            Fault::Dripped => self.pass(request).broken(Breakage::Dripped),
            Fault::Reset => Answer::Broken(Breakage::Reset, Vec::new()),
            Fault::HalfClosed => Answer::Broken(Breakage::HalfClosed, Vec::new()),
            Fault::Truncated => self.pass(request).broken(Breakage::Truncated),
            Fault::Garbage => Answer::Body(200, "text/html", "<html>It works!</html>".to_owned()),
            Fault::ReplyLost => {
                self.pass(request);
                Answer::Broken(Breakage::Reset, Vec::new())
            }
            Fault::Unprocessed if request.operation == "BatchExecuteStatement" => {
                self.refuse_some(request, rng)
            }
            Fault::Unprocessed => self.leave_some(request, rng),
            Fault::EmptyPage => empty_page(request),
            Fault::StaleIndex => self.first_of_index(request),
            Fault::Cancelled => cancelled(request, rng),
            Fault::Held(others) => {
                self.traffic.hold(others.into());
                self.pass(request)
            }
            Fault::KilledBefore => {
                self.kill();
                Answer::Broken(Breakage::Reset, Vec::new())
            }
            Fault::KilledAfter => {
                self.pass(request);
                self.kill();
                Answer::Broken(Breakage::Reset, Vec::new())
            }
        }
    }

    /// Gets the engine's answer, and records what an index contained when it was first queried.
    fn pass(&self, request: &Request) -> Answer {
        let request = &without_mark(request);
        let answer = forward(request, &self.engine);
        if is_of_index(request) {
            let mut index = self.index.lock().expect("it is whole");
            index
                .entry(request.body.clone())
                .or_insert_with(|| answer.clone());
        }
        answer
    }

    fn first_of_index(&self, request: &Request) -> Answer {
        let index = self.index.lock().expect("it is whole");
        let nothing = || Answer::json(200, r#"{"Items":[],"Count":0,"ScannedCount":0}"#);
        index.get(&request.body).cloned().unwrap_or_else(nothing)
    }

    fn leave_some(&self, request: &Request, rng: &mut Rng) -> Answer {
        let mut body = json_of(request);
        let tables = body["RequestItems"].as_object_mut();
        let (table, requests) = tables
            .and_then(|tables| tables.iter_mut().next())
            .expect("a batch is for a table");
        let table = table.clone();
        let requests = requests.as_array_mut().expect("a batch is a list");
        rng.shuffle(requests);
        let left = requests.split_off(rng.usize(..requests.len()));
        if !requests.is_empty() {
            self.pass(&request.with_body(body.to_string()));
        }
        Answer::json(200, json!({"UnprocessedItems": {table: left}}).to_string())
    }

    /// Has the engine run some of the statements, and answers each of the others with an error.
    fn refuse_some(&self, request: &Request, rng: &mut Rng) -> Answer {
        const CODES: [&str; 4] = [
            "ProvisionedThroughputExceeded",
            "ThrottlingError",
            "RequestLimitExceeded",
            "InternalServerError",
        ];
        let mut body = json_of(request);
        let statements = body["Statements"].as_array().expect("a batch is a list");
        let mut runs: Vec<bool> = statements.iter().map(|_| rng.bool()).collect();
        let refused = rng.usize(..runs.len());
        runs[refused] = false;
        let run: Vec<Value> = statements
            .iter()
            .zip(&runs)
            .filter(|(_, runs)| **runs)
            .map(|(statement, _)| statement.clone())
            .collect();
        let mut said = Vec::new();
        if !run.is_empty() {
            body["Statements"] = run.into();
            let answer = self.pass(&request.with_body(body.to_string())).bytes();
            match responses(&answer) {
                Some(responses) => said = responses,
                None => return Answer::Raw(answer),
            }
        }
        let mut said = said.into_iter();
        let responses: Vec<Value> = runs
            .iter()
            .map(|runs| match runs {
                true => said.next().expect("each statement has an answer"),
                false => {
                    let code = CODES[rng.usize(..CODES.len())];
                    json!({"Error": {"Code": code, "Message": "try again later"}})
                }
            })
            .collect();
        Answer::json(200, json!({ "Responses": responses }).to_string())
    }
}

/// Reads an engine's response to each statement. Returns `None` if it answers something else.
fn responses(answer: &[u8]) -> Option<Vec<Value>> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let body = body.get(body.find('{')?..=body.rfind('}')?)?;
    let mut answer: Value = serde_json::from_str(body).ok()?;
    match answer["Responses"].take() {
        Value::Array(responses) => Some(responses),
        _ => None,
    }
}

fn json_of(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("requests are JSON")
}

fn is_of_index(request: &Request) -> bool {
    request.operation == "Query" && json_of(request)["IndexName"].is_string()
}

/// Answers that a request is throttled. Each service has its own error code for this.
fn throttled(request: &Request) -> Answer {
    let target = request.header("x-amz-target").unwrap_or_default();
    let code = match target.split(['_', '.']).next() {
        Some("AWSCognitoIdentityProviderService") => "TooManyRequestsException",
        Some("DynamoDBStreams") => "LimitExceededException",
        _ => "ProvisionedThroughputExceededException",
    };
    let body = json!({"__type": format!("x#{code}"), "message": "slow down"});
    Answer::json(400, body.to_string())
}

/// A key that marks the beginning as the place to continue from: no item has such a key.
const BEGINNING: &str = "the beginning";

/// Returns a page without items. The next page starts at the key that was given, or at a mark that stands for
/// the beginning.
fn empty_page(request: &Request) -> Answer {
    let body = json_of(request);
    let page = if request.operation == "GetRecords" {
        json!({"Records": [], "NextShardIterator": body["ShardIterator"]})
    } else {
        let start = match &body["ExclusiveStartKey"] {
            Value::Null => json!({"pk": {"S": BEGINNING}, "sk": {"S": BEGINNING}}),
            start => start.clone(),
        };
        json!({"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": start})
    };
    Answer::json(200, page.to_string())
}

fn without_mark(request: &Request) -> Request {
    if !request.body.starts_with(b"{") {
        return request.clone();
    }
    let mut body = json_of(request);
    if body["ExclusiveStartKey"]["pk"]["S"] != BEGINNING {
        return request.clone();
    }
    if let Some(body) = body.as_object_mut() {
        body.remove("ExclusiveStartKey");
    }
    request.with_body(body.to_string())
}

fn cancelled(request: &Request, rng: &mut Rng) -> Answer {
    let body = json_of(request);
    let count = body["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); count];
    let code = ["TransactionConflict", "ThrottlingError"][rng.usize(..2)];
    reasons[rng.usize(..count)] = json!({"Code": code, "Message": "another one holds it"});
    let body = json!({
        "__type": "x#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": reasons,
    });
    Answer::json(400, body.to_string())
}
