//! `ddb serve`: the application's API, and whose tokens it accepts.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ddb_core::timestamp::Timestamp;
use ddb_test_support::http::{Answer, Server};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::{Value, json};

use crate::kills::{block_on, seeded};
use crate::setup::GROUP;
use crate::web::Served;

pub const POOL: &str = "eu-central-1_AbCd09";
const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCd09";
pub const SUB: &str = "6f0c1d5e-0000-4000-8000-000000000001";
const ORIGIN: &str = "http://localhost:3000";

fn tool(sandbox: &Sandbox) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(sandbox)
}

fn as_me(sandbox: &Sandbox, me: &str) -> Served {
    let options = ["serve", "--me", me, "--allow-origin", ORIGIN];
    Served::start(&tool(sandbox), &options, "url")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A pool: its keys, and a server that returns them.
pub struct Pool {
    key: KeyPair,
    pub server: Server,
}

impl Pool {
    pub fn open() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = key.public_key();
        let n = number(public.modulus().big_endian_without_leading_zero());
        let e = number(public.exponent().big_endian_without_leading_zero());
        let keys = json!({"keys": [
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": n, "e": e},
            {"kty": "oct", "kid": "secret", "k": "AAAA"},
        ]});
        let line = format!("GET /{POOL}/.well-known/jwks.json HTTP/1.1\r\n");
        let server = Server::start(move |request| match request.head.starts_with(&line) {
            true => Answer::json(200, keys.to_string()),
            false => Answer::json(404, request.head.clone()),
        });
        Self { key, server }
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn seconds() -> i64 {
    Timestamp::now().micros() / 1_000_000
}

pub fn header() -> Value {
    json!({"alg": "RS256", "kid": "one"})
}

pub fn claims() -> Value {
    json!({"sub": SUB, "iss": ISSUER, "token_use": "access", "client_id": "pages", "exp": seconds() + 3600})
}

/// Returns the claims with one of them changed; `null` removes it.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    if claims[name].is_null() {
        claims.as_object_mut().unwrap().remove(name);
    }
    claims
}

fn of_pool(sandbox: &Sandbox, pool: &Pool) -> Served {
    let tool = tool(sandbox);
    let users = include_str!("../../../../seed-data/users.csv");
    let users = users.replacen("MOCK", SUB, 1);
    tool.file("users.csv", users);
    let url = pool.server.url();
    let options = ["serve", "--users", "users.csv", "--client-id", "pages"];
    let of = ["--user-pool-id", POOL, "--cognito-endpoint-url", &url];
    Served::start(&tool, &[&options[..], &of].concat(), "url")
}

#[test]
fn the_five_routes_answer_as_the_application_expects() {
    let sandbox = seeded();
    let served = as_me(&sandbox, "andrewbrown");
    let health = served.get("/api/health-check", &[]);
    assert_eq!(health.json(), json!({"success": true, "ver": 1}));
    let groups = served.get("/api/message_groups", &[]).json();
    let first = &groups[0];
    assert_eq!(
        (&first["uuid"], &first["handle"]),
        (&json!(GROUP), &json!("bayko"))
    );
    let messages = served.get(&format!("/api/messages/{GROUP}"), &[]).json();
    let messages = messages.as_array().unwrap().clone();
    assert_eq!(messages.len(), 20);
    let times: Vec<&str> = messages
        .iter()
        .map(|m| m["created_at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times[19], first["created_at"]);
    let before = times[0].replace('+', "%2B").replace(':', "%3A");
    let older = served
        .get(&format!("/api/messages/{GROUP}?before={before}"), &[])
        .json();
    let older = older.as_array().unwrap().clone();
    assert_eq!(older.len(), 20);
    assert!(older[19]["created_at"].as_str().unwrap() < times[0]);
    let short = served.get("/api/users/@Bayko/short", &[]).json();
    assert_eq!(short["display_name"], "Andrew Bayko");
    let body = json!({"message": "Cake?", "message_group_uuid": GROUP}).to_string();
    let written = served.post("/api/messages", &[], &body).json();
    assert_eq!(
        (&written["message_group_uuid"], &written["handle"]),
        (&json!(GROUP), &json!("andrewbrown"))
    );
    let now = served.get(&format!("/api/messages/{GROUP}"), &[]).json();
    assert_eq!(now[19]["uuid"], written["uuid"]);

    // A message goes to the conversation that the two have, or to a new one if they have none.
    let to = |handle: &str| json!({"message": "Hello", "handle": handle}).to_string();
    let same = served.post("/api/messages", &[], &to("bayko")).json();
    assert_eq!(same, json!({"message_group_uuid": GROUP}));
    let new = served.post("/api/messages", &[], &to("@londo")).json();
    let again = served.post("/api/messages", &[], &to("londo")).json();
    assert_eq!(new, again);
    assert_ne!(new, same);
    let groups = served.get("/api/message_groups", &[]).json();
    assert_eq!(groups.as_array().unwrap().len(), 2);
}

#[test]
fn what_a_client_sends_wrong_is_its_own_fault() {
    let sandbox = seeded();
    let served = as_me(&sandbox, "andrewbrown");
    let nobody = json!({"message": "a", "handle": "nobody"}).to_string();
    let nowhere =
        json!({"message": "a", "message_group_uuid": "00000000-0000-4000-8000-000000000000"})
            .to_string();
    let oneself = json!({"message": "a", "handle": "andrewbrown"}).to_string();
    for (body, status) in [
        ("{", 400),
        ("[]", 400),
        ("{}", 422),
        (&nobody, 404),
        (&nowhere, 404),
        (&oneself, 422),
        (&"x".repeat(16 * 1024 + 1), 413),
    ] {
        assert_eq!(
            served.post("/api/messages", &[], body).status,
            status,
            "{body}"
        );
    }
    let words = served.post("/api/messages", &[], r#"{"message_group_uuid": ""}"#);
    assert_eq!(
        words.json(),
        json!(["message_blank", "message_group_uuid_blank"])
    );
    for (path, status) in [
        ("/api/users/@nobody/short", 404),
        ("/api/users/bayko/short", 404),
        ("/api/users/@%ff/short", 404),
        ("/api/messages/x", 404),
        ("/api/messages/%0d%0aa:b", 404),
        ("/api/messages/00000000-0000-4000-8000-000000000000", 404),
        (&format!("/api/messages/{GROUP}?before="), 404),
        ("/api/messages", 405),
        ("/elsewhere", 404),
    ] {
        assert_eq!(served.get(path, &[]).status, status, "{path}");
    }
}

#[test]
fn p44_only_participants_read_and_write() {
    let sandbox = seeded();
    let before = block_on(sandbox.items()).len();
    let served = as_me(&sandbox, "londo");
    let answer = served.get(&format!("/api/messages/{GROUP}"), &[]);
    assert_eq!((answer.status, answer.json()), (403, json!({})));
    let body = json!({"message": "a", "message_group_uuid": GROUP}).to_string();
    assert_eq!(served.post("/api/messages", &[], &body).status, 403);
    assert_eq!(served.get("/api/message_groups", &[]).json(), json!([]));
    assert_eq!(block_on(sandbox.items()).len(), before);
}

#[test]
fn p44_only_tokens_of_the_pool_are_believed() {
    let sandbox = seeded();
    let (pool, other) = (Pool::open(), Pool::open());
    let served = of_pool(&sandbox, &pool);
    let ask = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        served.get("/api/message_groups", &[&header])
    };
    let sound = pool.sign(&header(), &claims());
    let answer = ask(&sound);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()[0]["uuid"], GROUP);
    // A minute of leeway.
    let late = pool.sign(&header(), &with("exp", json!(seconds() - 30)));
    assert_eq!(ask(&late).status, 200);

    let none = format!(
        "{}.{}.",
        part(&json!({"alg": "none", "kid": "one"})),
        part(&claims())
    );
    let unsigned = format!("{}.{}.", part(&header()), part(&claims()));
    let public = pool.key.public_key().as_ref().to_vec();
    let hs = json!({"alg": "HS256", "kid": "one"});
    let text = format!("{}.{}", part(&hs), part(&claims()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    let hs = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
    let mut bent = sound.clone();
    let at = bent.find('.').unwrap() + 5;
    bent.replace_range(at..=at, if &bent[at..=at] == "A" { "B" } else { "A" });
    let forged = [
        ("alg none", none),
        ("no signature", unsigned),
        ("HS256 with the public key", hs),
        (
            "HS256 by its own word",
            pool.sign(&json!({"alg": "HS256", "kid": "one"}), &claims()),
        ),
        (
            "RS512 by its own word",
            pool.sign(&json!({"alg": "RS512", "kid": "one"}), &claims()),
        ),
        ("the key of another pool", other.sign(&header(), &claims())),
        (
            "another issuer",
            pool.sign(
                &header(),
                &with(
                    "iss",
                    json!("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"),
                ),
            ),
        ),
        ("no issuer", pool.sign(&header(), &with("iss", Value::Null))),
        (
            "expired",
            pool.sign(&header(), &with("exp", json!(seconds() - 120))),
        ),
        ("no expiry", pool.sign(&header(), &with("exp", Value::Null))),
        (
            "not yet valid",
            pool.sign(&header(), &with("nbf", json!(seconds() + 600))),
        ),
        (
            "an id token",
            pool.sign(&header(), &with("token_use", json!("id"))),
        ),
        (
            "no use",
            pool.sign(&header(), &with("token_use", Value::Null)),
        ),
        (
            "another client",
            pool.sign(&header(), &with("client_id", json!("other"))),
        ),
        (
            "no client",
            pool.sign(&header(), &with("client_id", Value::Null)),
        ),
        ("no sub", pool.sign(&header(), &with("sub", json!("")))),
        (
            "somebody unknown",
            pool.sign(&header(), &with("sub", json!("x"))),
        ),
        ("a changed claim", bent),
        ("no kid", pool.sign(&json!({"alg": "RS256"}), &claims())),
        (
            "an unknown kid",
            pool.sign(&json!({"alg": "RS256", "kid": "two"}), &claims()),
        ),
        (
            "a key that is no RSA key",
            pool.sign(&json!({"alg": "RS256", "kid": "secret"}), &claims()),
        ),
        (
            "a huge kid",
            pool.sign(&json!({"alg": "RS256", "kid": "k".repeat(4000)}), &claims()),
        ),
        (
            "a key of its own",
            pool.sign(
                &json!({"alg": "RS256", "kid": "own", "jku": other.server.url()}),
                &claims(),
            ),
        ),
        ("rubbish", "a.b.c".to_owned()),
        ("nothing", String::new()),
    ];
    for (what, token) in forged {
        let answer = ask(&token);
        assert_eq!((answer.status, answer.body.as_str()), (401, "{}"), "{what}");
    }
    let two = format!("Authorization: Bearer {sound}");
    let basic = format!("Authorization: Basic {sound}");
    for headers in [&[][..], &[basic.as_str()], &[&two, &two]] {
        assert_eq!(served.get("/api/message_groups", headers).status, 401);
    }
    assert_eq!(served.get("/api/health-check", &[]).status, 200);
    assert_eq!(served.get("/api/users/@bayko/short", &[]).status, 401);
    // However many key names were made up, the keys were read once within the minute.
    assert_eq!(pool.server.connections(), 1);
    assert_eq!(other.server.connections(), 0);
}

#[test]
fn p41_only_allowed_pages_are_answered() {
    let sandbox = seeded();
    let served = as_me(&sandbox, "andrewbrown");
    let page = format!("Origin: {ORIGIN}");
    let site = "Sec-Fetch-Site: same-site";
    let answer = served.get("/api/message_groups", &[&page, site]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    let host = served.host();
    let preflight = [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization,content-type",
    ];
    let line = "OPTIONS /api/messages HTTP/1.1";
    let granted = served.ask(
        line,
        &[&[host.as_str(), &page][..], &preflight].concat(),
        "",
    );
    assert_eq!(granted.status, 204);
    assert_eq!(granted.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(
        granted.header("access-control-allow-headers"),
        Some("authorization, content-type")
    );
    // The page can read errors, too.
    let missing = served.get("/api/users/@nobody/short", &[&page]);
    assert_eq!(
        (
            missing.status,
            missing.header("access-control-allow-origin")
        ),
        (404, Some(ORIGIN))
    );
    let before = block_on(sandbox.items()).len();
    let body = json!({"message": "evil", "message_group_uuid": GROUP}).to_string();
    for bad in [
        &["Origin: http://localhost:3001"][..],
        &["Origin: null"],
        &["Origin: http://evil.example"],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
    ] {
        let answer = served.post("/api/messages", bad, &body);
        assert_eq!(answer.status, 403, "{bad:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let asked = served.ask(line, &[&[host.as_str()][..], bad, &preflight].concat(), "");
        assert_ne!(asked.status, 204, "{bad:?}");
        assert_eq!(asked.header("access-control-allow-origin"), None);
    }
    let rebound = format!("Host: evil.example:{}", served.port);
    for path in ["/api/health-check", "/api/message_groups", "/"] {
        for hosts in [
            &[][..],
            &[rebound.as_str()],
            &[&host, &host],
            &[&host, &rebound],
        ] {
            let answer = served.ask(&format!("GET {path} HTTP/1.1"), hosts, "");
            // Two Host headers are not valid HTTP, and hyper may say so.
            assert!(
                [421, 400].contains(&answer.status),
                "{hosts:?}: {}",
                answer.status
            );
            assert!(!answer.body.contains(GROUP), "{hosts:?}: {}", answer.body);
        }
    }
    assert_eq!(block_on(sandbox.items()).len(), before);
}

#[test]
fn who_asks_has_to_be_said() {
    let sandbox = seeded();
    let tool = tool(&sandbox);
    tool.run(&["serve"])
        .fails_with_hint(2, "nothing identifies users");
    tool.run(&["serve", "--me", "nobody"])
        .fails_with_hint(4, "nobody");
    tool.run(&["serve", "--me", "bayko", "--user-pool-id", POOL])
        .fails_with_hint(2, "both given");
    tool.run(&["serve", "--me", "bayko", "--prod"])
        .fails_with_hint(2, "--me would let anybody in");
}
