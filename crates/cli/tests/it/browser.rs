//! `ddb web` in a browser: what somebody sees who opens the link, clicks and types.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ddb_test_support::browser::{Browser, Kind, key};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Sandbox};
use serde_json::json;

use crate::kills::{block_on, seeded};
use crate::setup::{GROUP, message, one, strings, tool};
use crate::web::{Served, web};

/// Opens the link that was printed, and waits for the page that it leads to.
pub fn opened(served: &Served, browser: Browser) -> Browser {
    browser.go(served.said["link"].as_str().unwrap());
    browser.awaits_text(".people", "Andrew Bayko");
    browser
}

/// Opens the link, and then the seeded conversation.
fn at_conversation(served: &Served) -> Browser {
    let browser = opened(served, Browser::open());
    browser.click(&of_people(GROUP));
    browser.awaits_text("#messages", "line 103");
    browser
}

fn of_people(conversation: &str) -> String {
    format!(".people a[data-id='{conversation}']")
}

/// Writes a message from another process.
fn write(sandbox: &Sandbox, text: &str) {
    tool(Door::Front, sandbox)
        .run(&["create-message", GROUP, text])
        .ok();
}

/// Begins a second conversation. Returns its id.
fn second(sandbox: &Sandbox) -> String {
    let begun = tool(Door::Front, sandbox).run(&[
        "create-conversation",
        "--from",
        "londo",
        "--to",
        "andrewbrown",
        "Mollari calling",
        "-o",
        "jsonl",
    ]);
    let begun = one(begun);
    begun["group_uuid"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn it_is_read_by_clicking_scrolling_and_keys() {
    let sandbox = seeded();
    let londo = second(&sandbox);
    let served = web(&sandbox, &[]);
    let browser = opened(&served, Browser::open());
    assert!(browser.url().ends_with(&format!(":{}/", served.port)));

    // From one conversation to the other.
    browser.click(&of_people(&londo));
    browser.awaits_text("#messages", "Mollari calling");
    browser.click(&of_people(GROUP));
    browser.awaits_text("#messages", "line 103");
    let open = browser.run(
        "return document.querySelector('.people a[aria-current]').dataset.id",
        &json!([]),
    );
    assert_eq!(open, GROUP);

    // The transcript opens at its end. Older messages come on scrolling back, each once and in order.
    assert!(!browser.text("#messages").unwrap().contains("line 0\n"));
    browser.awaits("the first message", |page| {
        page.run(
            "document.querySelector('#transcript').scrollTop = 0",
            &json!([]),
        );
        (page.count("#messages > .m") == 104).then_some(())
    });
    let lines = browser.run(
        "return [...document.querySelectorAll('#messages .body')].map((body) => body.textContent)",
        &json!([]),
    );
    let expected: Vec<String> = (0..104).map(|n| format!("line {n}")).collect();
    assert_eq!(lines, json!(expected));
    assert_eq!(browser.count("#older"), 0);

    // `/` begins a search, and a result leads to its place.
    browser.press("/");
    browser.press("LINE 17");
    browser.press(key::ENTER);
    browser.awaits_text(".count", "1 found in 104 messages");
    assert_eq!(browser.text("mark").as_deref(), Some("line 17"));
    browser.click(".hit .when");
    browser.awaits_text("#messages", "line 17");
    let shown = browser.run(
        "const found = document.querySelector(':target').getBoundingClientRect(); return found.top >= 0 && found.bottom <= innerHeight",
        &json!([]),
    );
    assert_eq!(shown, true);
    assert!(browser.url().contains("?around="), "{}", browser.url());

    // An item as it is stored, and back.
    browser.click(".m:target .raw");
    let item = browser.awaits_text("pre", "line 17");
    assert!(item.contains(&format!("MSG#{GROUP}")), "{item}");
    browser.click(".count a");
    browser.awaits_text("#messages", "line 17");

    // Arrow keys move through the conversations, Enter opens one.
    browser.click(".talk h1 a");
    browser.awaits_text("#messages", "line 103");
    browser.click(".bar .me");
    browser.press(key::DOWN);
    let focused = "return document.activeElement.dataset?.id ?? null";
    assert!(browser.run(focused, &json!([])).is_string());
    browser.press(key::UP);
    assert_eq!(browser.run(focused, &json!([])), londo);
    browser.press(key::ENTER);
    browser.awaits_text("#messages", "Mollari calling");
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn a_used_link_says_how_to_come_by_another() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let link = served.said["link"].as_str().unwrap();
    let first = opened(&served, Browser::open());
    let second = Browser::open();
    second.go(link);
    second.awaits_text("main", "Press Enter at the terminal");
    second.go(&format!("http://127.0.0.1:{}/", served.port));
    let shown = second.awaits_text("main", "Open the link from the terminal");
    assert!(!shown.contains("Bayko"), "{shown}");
    first.reload();
    first.awaits_text(".people", "Andrew Bayko");
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn what_another_process_writes_appears_by_itself() {
    let sandbox = seeded();
    let londo = second(&sandbox);
    let served = web(&sandbox, &[]);
    let browser = at_conversation(&served);
    write(&sandbox, "Here I am");
    browser.awaits_text("#messages", "Here I am");
    assert_eq!(browser.count("#messages .fresh"), 1);
    // It is at the end, which stays in view.
    let is_shown = "const last = document.querySelector('#messages').lastElementChild; \
        return last.textContent.includes('Here I am') && last.getBoundingClientRect().bottom <= innerHeight";
    assert_eq!(browser.run(is_shown, &json!([])), true);

    // A message in another conversation marks that one.
    tool(Door::Front, &sandbox)
        .run(&["create-message", &londo, "Well?", "--me", "londo"])
        .ok();
    let marked = format!(".people a.new[data-id='{londo}']");
    browser.awaits("the mark", |page| (page.count(&marked) == 1).then_some(()));
}

/// A browser has six connections to a host. If each visible page held one, the seventh would never load.
#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn eight_tabs_or_windows_are_as_good_as_one() {
    for kind in [Kind::Tab, Kind::Window] {
        let sandbox = seeded();
        let served = web(&sandbox, &[]);
        let browser = at_conversation(&served);
        let url = browser.url();
        for _ in 0..7 {
            browser.open_another(kind);
            browser.go(&url);
            browser.awaits_text("#messages", "line 103");
        }
        write(&sandbox, "To the last one");
        browser.awaits_text("#messages", "To the last one");
    }
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn with_write_one_types_and_sends() {
    let sandbox = seeded();
    let served = web(&sandbox, &["--write"]);
    let browser = at_conversation(&served);
    browser.click("#text");
    browser.press("<b>Cake?</b> שלום 👩‍🍳");
    browser.press(key::ENTER);
    let shown = browser.awaits_text("#messages", "Cake?");
    assert!(shown.contains("<b>Cake?</b> שלום 👩‍🍳"), "{shown}");
    assert_eq!(browser.count("#messages b:not(.head b)"), 0);
    assert_eq!(browser.text("#text").as_deref(), Some(""));
    // Nothing is written twice when the page is loaded again.
    browser.reload();
    browser.awaits_text("#messages", "Cake?");
    let items = block_on(sandbox.items());
    let written = items.iter().filter(|item| {
        let text = item.get("message").and_then(|text| text.as_s().ok());
        text.is_some_and(|text| text.contains("Cake?"))
    });
    assert_eq!(written.count(), 1);
    // A text that cannot be written stays in the form, with the reason.
    browser.run(
        "document.querySelector('#text').value = 'é'.repeat(1025)",
        &json!([]),
    );
    browser.click(".write button");
    browser.awaits_text(".wrong", "1024");
    let kept = "return document.querySelector('#text').value.length";
    assert_eq!(browser.run(kept, &json!([])), 1025);
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn an_endpoint_that_is_lost_is_said_and_what_was_missed_comes_after_it() {
    let sandbox = seeded();
    let lost = Arc::new(AtomicBool::new(false));
    let is_lost = Arc::clone(&lost);
    let proxy = Proxy::start(&sandbox.url(), move |_, _| {
        is_lost.load(Ordering::SeqCst).then_some(Fault::Reset)
    });
    let tool = tool(Door::Front, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url());
    let served = Served::start(&tool, &["web"], "link");
    let browser = at_conversation(&served);
    write(&sandbox, "Before");
    browser.awaits_text("#messages", "Before");
    lost.store(true, Ordering::SeqCst);
    browser.awaits_text("#note", "trying again");
    // Messages that were read stay.
    assert!(browser.text("#messages").unwrap().contains("Before"));
    write(&sandbox, "Meanwhile");
    lost.store(false, Ordering::SeqCst);
    browser.awaits_text("#messages", "Meanwhile");
    browser.awaits("the end of the note", |page| {
        (page.count("#note[hidden]") == 1).then_some(())
    });
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn a_page_whose_server_is_gone_says_so() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let browser = at_conversation(&served);
    drop(served);
    browser.awaits_text("#note", "does not answer");
}

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn without_its_script_the_page_is_read_and_written() {
    let sandbox = seeded();
    let served = web(&sandbox, &["--write"]);
    let browser = Browser::open();
    browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    browser.go(served.said["link"].as_str().unwrap());
    browser.awaits_text(".people", "Andrew Bayko");
    browser.click(&of_people(GROUP));
    browser.awaits_text("#messages", "line 103");
    assert_eq!(browser.count("#messages > .m"), 50);
    browser.click("#older");
    browser.awaits_text("#messages", "line 53");
    for last in ["line 102", "line 103"] {
        browser.click("#newer");
        browser.awaits_text("#messages", last);
    }
    browser.click("#q");
    browser.press("line 17");
    browser.press(key::ENTER);
    browser.awaits_text(".count", "1 found in 104 messages");
    browser.click(".talk h1 a");
    browser.awaits_text("#messages", "line 103");
    browser.click("#text");
    browser.press("By hand");
    browser.click(".write button");
    browser.awaits_text("#messages", "By hand");
}

/// What people wrote is shown, but none of it runs, loads or leads anywhere.
#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn p42_no_text_of_a_user_runs_in_a_browser() {
    let sandbox = seeded();
    let hostile = "</p><script>window.evil=1</script><img src=x onerror=window.evil=1><svg onload=window.evil=1>\
        <a href=javascript:window.evil=1>a</a> javascript:window.evil=1 \u{202e}abc\u{0}";
    let mut item = message("2030-01-01T00:00:00.000000+00:00", hostile);
    item.extend(strings(&[
        (
            "user_display_name",
            "\"><script>window.evil=1</script>\u{202e}",
        ),
        ("user_handle", "'\"><img src=x onerror=window.evil=1>"),
    ]));
    block_on(sandbox.put(item));
    let served = web(&sandbox, &["--write"]);
    let browser = at_conversation(&served);
    let item = "sk=2030-01-01T00%3A00%3A00.000000%2B00%3A00";
    for (path, shown) in [
        (format!("/c/{GROUP}"), "window.evil"),
        (format!("/c/{GROUP}/search?q=window.evil"), "window.evil"),
        (
            format!("/c/{GROUP}/search?q=%22%3E%3Cscript%3Ewindow.evil%3D1%3C/script%3E"),
            "0 found",
        ),
        (format!("/c/{GROUP}/raw?{item}"), "window.evil"),
    ] {
        browser.go(&format!("http://127.0.0.1:{}{path}", served.port));
        browser.awaits_text("#transcript", shown);
        let evil = "return [typeof window.evil, document.querySelectorAll('main :is(script, img, svg), [href^=javascript]').length, \
            document.body.innerText.includes('\u{202e}')]";
        let seen = browser.run(evil, &json!([]));
        assert_eq!(seen, json!(["undefined", 0, false]), "{path}");
    }
    // What the script adds is not markup either.
    browser.go(&format!("http://127.0.0.1:{}/c/{GROUP}", served.port));
    browser.awaits_text("#messages", "window.evil");
    write(
        &sandbox,
        "<img src=x onerror=window.evil=1><script>window.evil=1</script>",
    );
    browser.awaits("what was written", |page| {
        (page.count("#messages .fresh") == 1).then_some(())
    });
    let seen = browser.run(
        "return [typeof window.evil, document.querySelectorAll('main :is(script, img)').length]",
        &json!([]),
    );
    assert_eq!(seen, json!(["undefined", 0]));
}
