//! Other people's pages, in a real browser: what they try with `ddb web`, and what `ddb serve` does for known ones.

use ddb_test_support::Door;
use ddb_test_support::browser::Browser;
use ddb_test_support::http::{Answer, Server};
use serde_json::{Value, json};

use crate::browser::opened;
use crate::kills::{block_on, seeded};
use crate::setup::{GROUP, tool};
use crate::web::{Served, web};

/// A page of somebody else, on its own port.
fn page_of_another() -> Server {
    let page = "<!doctype html><title>elsewhere</title><p>elsewhere</p>";
    Server::start(move |_| Answer::Body(200, "text/html", page.to_owned()))
}

/// All that a page can do without permission: read, load it as something else, embed it, listen to it, write to it.
const TRIES: &str = "
    const [url, done] = arguments;
    const ask = (options) => fetch(url, { credentials: 'include', ...options })
        .then(async (answer) => `${answer.type} ${answer.status} ${await answer.text()}`, () => 'refused');
    const load = (tag, fields) => new Promise((end) => {
        const element = Object.assign(document.createElement(tag), fields);
        element.onload = () => end('loaded');
        element.onerror = () => end('refused');
        document.body.append(element);
    });
    const look = () => { try { return frames[0].document.body.innerText; } catch { return 'refused'; } };
    const listen = () => new Promise((end) => {
        const events = new EventSource(`${url}/events`, { withCredentials: true });
        events.onopen = () => end('open');
        events.onerror = () => { events.close(); end('refused'); };
    });
    const form = new URLSearchParams({ text: 'evil' });
    (async () => done({
        read: await ask({}),
        opaque: await ask({ mode: 'no-cors' }),
        posted: await ask({ method: 'POST', mode: 'no-cors', body: form }),
        image: await load('img', { src: url }),
        script: await load('script', { src: url }),
        style: await load('link', { rel: 'stylesheet', href: url }),
        frame: (await load('iframe', { src: url }), look()),
        events: await listen(),
    }))();
";

/// The browser has the cookie, and sends it from a page on another port of the same host, too.
#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn p41_pages_from_elsewhere_get_nothing_of_a_browser_that_may_look() {
    let sandbox = seeded();
    let before = block_on(sandbox.items()).len();
    let served = web(&sandbox, &["--write"]);
    let hosts = "MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost";
    let browser = opened(&served, Browser::that_finds(hosts));
    let secrets = ["Bayko", "andrewbrown", "line 1", sandbox.table().as_str()];
    let hides = |shown: &str, what: &str| {
        for secret in secrets {
            assert!(!shown.contains(secret), "{what}: {shown}");
        }
    };
    let shown = || browser.text("html").unwrap();

    // Its own page may do all of this.
    let url = format!("http://127.0.0.1:{}/c/{GROUP}", served.port);
    let read = "const [url, done] = arguments; fetch(url).then(async (answer) => done(await answer.text()))";
    let read = browser.run_to_its_end(read, &json!([url]));
    assert!(read.as_str().unwrap().contains("Bayko"), "{read}");

    // Another name for this server: DNS rebinding.
    for path in ["/", &format!("/c/{GROUP}"), "/nothing"] {
        browser.go(&format!("http://evil.example:{}{path}", served.port));
        browser.awaits_text("main", "Turned away");
        hides(&shown(), path);
        let read = "const done = arguments[0]; fetch('/').then(async (answer) => done(`${answer.status} ${await answer.text()}`))";
        let read = browser.run_to_its_end(read, &json!([]));
        assert!(read.as_str().unwrap().starts_with("421 "), "{read}");
        hides(&read.to_string(), path);
    }

    let another = page_of_another();
    for origin in [
        another.url(),
        another.url().replace("127.0.0.1", "localhost"),
        another.url().replace("127.0.0.1", "evil.example"),
    ] {
        browser.go(&origin);
        let tried = browser.run_to_its_end(TRIES, &json!([url]));
        let tried = tried.as_object().unwrap();
        assert_eq!(tried.len(), 8);
        for (what, came) in tried {
            assert_eq!(came, "refused", "{what} from {origin}");
        }
        // Forms and links go there, and are turned away.
        for leaving in [
            "const form = document.createElement('form'); const text = document.createElement('input'); \
             Object.assign(form, { method: 'post', action: arguments[0] }); Object.assign(text, { name: 'text', value: 'evil' }); \
             form.append(text); document.body.append(form); form.submit()",
            "const link = document.createElement('a'); link.href = arguments[0]; document.body.append(link); link.click()",
        ] {
            browser.go(&origin);
            browser.run(leaving, &json!([url]));
            browser.awaits_text("main", "Turned away");
            hides(&shown(), leaving);
        }
    }
    // The person at the browser continues as before, and nothing was written.
    browser.go(&url);
    let shown = browser.awaits_text("#messages", "line 103");
    assert!(!shown.contains("evil"), "{shown}");
    assert_eq!(block_on(sandbox.items()).len(), before);
}

/// What a React page does: it reads with a token in a header, which needs a preflight request, and writes JSON.
const CLIENT: &str = "
    const [url, group, done] = arguments;
    const headers = { Authorization: 'Bearer of-no-matter', 'Content-Type': 'application/json' };
    const ask = (path, options) => fetch(url + path, { headers, ...options })
        .then(async (answer) => [answer.status, await answer.json()], () => 'refused');
    const body = JSON.stringify({ message: 'From the page', message_group_uuid: group });
    (async () => done([
        await ask('/api/message_groups'),
        await ask('/api/messages', { method: 'POST', body }),
        await ask(`/api/messages/${group}`),
        await ask('/api/users/@nobody/short'),
    ]))();
";

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn p41_serve_answers_the_pages_that_it_was_told_of_and_no_others() {
    let sandbox = seeded();
    let before = block_on(sandbox.items()).len();
    let (own, other) = (page_of_another(), page_of_another());
    let localhost = |server: &Server| server.url().replace("127.0.0.1", "localhost");
    let allowed = localhost(&own);
    let options = ["serve", "--me", "andrewbrown", "--allow-origin", &allowed];
    let served = Served::start(&tool(Door::Front, &sandbox), &options, "url");
    let url = served.said["url"].as_str().unwrap();
    let browser = Browser::open();
    let asked = |origin: &str| {
        browser.go(origin);
        let answers = browser.run_to_its_end(CLIENT, &json!([url, GROUP]));
        answers.as_array().unwrap().clone()
    };
    // Another port, and the same port with another name.
    for origin in [localhost(&other), own.url()] {
        let refused = vec![json!("refused"); 4];
        assert_eq!(asked(&origin), refused, "{origin}");
        // A request that needs no permission is not carried out either.
        let blunt = "const [url, body, done] = arguments; \
            fetch(url, { method: 'POST', mode: 'no-cors', body }).then(() => done('sent'), () => done('refused'))";
        let body = json!({"message": "evil", "message_group_uuid": GROUP}).to_string();
        browser.run_to_its_end(blunt, &json!([format!("{url}/api/messages"), body]));
    }
    assert_eq!(block_on(sandbox.items()).len(), before);

    let answers = asked(&allowed);
    let statuses: Vec<&Value> = answers.iter().map(|answer| &answer[0]).collect();
    assert_eq!(statuses, [200, 200, 200, 404], "{answers:?}");
    assert_eq!(answers[0][1][0]["uuid"], GROUP);
    assert_eq!(answers[1][1]["handle"], "andrewbrown");
    let messages = answers[2][1].as_array().unwrap();
    assert_eq!(messages.len(), 20);
    assert_eq!(messages[19]["message"], "From the page");
    assert_eq!(block_on(sandbox.items()).len(), before + 1);
}
