//! A browser for tests: Chromium without a window, through its driver.
//!
//! The protocol is WebDriver (<https://www.w3.org/TR/webdriver2/>): JSON over HTTP on this machine. The tests need only
//! a page of code for it. The crates that implement all of it bring a license that this project does not accept
//! (MPL-2.0, of `webdriver`) and a second ICU.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// The variable that names the driver of a browser: `bin-scripts/test --real` starts one.
pub const DRIVER: &str = "DDB_TEST_CHROMEDRIVER";
/// The variable that names the file of axe-core, which finds the accessibility problems of a page.
pub const AXE: &str = "DDB_TEST_AXE";

/// How often a page is checked before what is awaited counts as missing, and the pause between two checks.
const LOOKS: usize = 1200;
const PAUSE: Duration = Duration::from_millis(50);

/// The name of an element's id in answers: "Elements" in the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys as the standard names them: "Keyboard actions".
pub mod key {
    /// The arrow that points down.
    pub const DOWN: &str = "\u{e015}";
    /// The arrow that points up.
    pub const UP: &str = "\u{e013}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
}

/// What a page is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tab.
    Tab,
    /// A window.
    Window,
}

/// A browser with its own profile. It ends when this value is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: String,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        let _ = call(&self.driver, "DELETE", &path, None);
    }
}

impl Browser {
    /// Opens a browser that can only reach this machine.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn open() -> Self {
        Self::that_finds("MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")
    }

    /// Opens a browser that resolves hosts by Chromium's rules: `MAP evil.example 127.0.0.1`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn that_finds(hosts: &str) -> Self {
        let driver = std::env::var(DRIVER).expect("bin-scripts/test --real names a driver");
        let driver = driver.trim_start_matches("http://").to_owned();
        let rules = format!("--host-resolver-rules={hosts}");
        // It only shows pages of the tests, and root has no sandbox.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            "--force-device-scale-factor=1",
            "--window-size=1280,800",
            &rules,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
        }}});
        let opened = call(&driver, "POST", "/session", Some(&wanted));
        let opened = opened.unwrap_or_else(|error| panic!("the browser does not start: {error}"));
        let session = opened["sessionId"].as_str().expect("a session has an id");
        Self {
            session: session.to_owned(),
            driver,
        }
    }

    /// Sends a command of the session: `url`, `element/ID/click`.
    fn ask(&self, method: &str, command: &str, body: Option<&Value>) -> Result<Value, String> {
        let path = format!("/session/{}/{command}", self.session);
        call(&self.driver, method, &path, body)
    }

    fn tell(&self, command: &str, body: &Value) -> Value {
        self.ask("POST", command, Some(body))
            .unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    /// Sends a command of the DevTools protocol.
    ///
    /// # Panics
    ///
    /// If the browser refuses it.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.tell("goog/cdp/execute", &body)
    }

    /// Goes to an address, and waits until the page is loaded.
    ///
    /// # Panics
    ///
    /// If nothing answers there.
    pub fn go(&self, url: &str) {
        self.tell("url", &json!({"url": url}));
    }

    /// Loads the page again.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn reload(&self) {
        self.tell("refresh", &json!({}));
    }

    /// Returns the address of the page.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn url(&self) -> String {
        let url = self.ask("GET", "url", None).expect("a page has an address");
        url.as_str().unwrap_or_default().to_owned()
    }

    /// Opens a window, or a tab of the current one, and continues in it. A window is visible beside the others; of the
    /// tabs only one is.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn open_another(&self, kind: Kind) {
        let kind = match kind {
            Kind::Tab => "tab",
            Kind::Window => "window",
        };
        let made = self.tell("window/new", &json!({"type": kind}));
        self.tell("window", &json!({"handle": made["handle"]}));
    }

    /// Shows the page as on a screen of a size, in the light or the dark color scheme.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn look(&self, (width, height): (u32, u32), dark: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let features = [
            json!({"name": "prefers-color-scheme", "value": scheme}),
            json!({"name": "prefers-reduced-motion", "value": "reduce"}),
        ];
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// Runs a JavaScript function in the page, given by its body: `return arguments[0] + 1`.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn run(&self, body: &str, arguments: &Value) -> Value {
        let script = json!({"script": body, "args": arguments});
        self.tell("execute/sync", &script)
    }

    /// Returns the text that an element shows, or `None` if there is no such element.
    pub fn text(&self, selector: &str) -> Option<String> {
        let text = "return document.querySelector(arguments[0])?.innerText ?? null";
        let text = self.run(text, &json!([selector]));
        text.as_str().map(str::to_owned)
    }

    /// Returns how many elements match.
    pub fn count(&self, selector: &str) -> u64 {
        let count = "return document.querySelectorAll(arguments[0]).length";
        self.run(count, &json!([selector])).as_u64().unwrap_or(0)
    }

    fn element(&self, selector: &str) -> String {
        let by = json!({"using": "css selector", "value": selector});
        let found = self.tell("element", &by);
        found[ELEMENT].as_str().expect("it has an id").to_owned()
    }

    /// Clicks on an element, as a mouse does: it is an error if something covers it.
    ///
    /// # Panics
    ///
    /// If it cannot be clicked on.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.tell(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into the element that has the focus.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|c| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": c.to_string()}))
        });
        let strokes: Vec<Value> = strokes.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.tell("actions", &json!({"actions": [keyboard]}));
    }

    /// Returns a picture of what is shown, as PNG in base64.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn picture(&self) -> String {
        let picture = self.ask("GET", "screenshot", None).expect("a picture");
        picture.as_str().unwrap_or_default().to_owned()
    }

    /// Checks again and again until something is there.
    ///
    /// # Panics
    ///
    /// If it does not come.
    #[track_caller]
    pub fn awaits<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..LOOKS {
            if let Some(seen) = look(self) {
                return seen;
            }
            std::thread::sleep(PAUSE);
        }
        let shown = self.text("body").unwrap_or_default();
        panic!("{what} does not come; {} shows: {shown}", self.url());
    }

    /// Waits until an element shows a text.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn awaits_text(&self, selector: &str, part: &str) -> String {
        self.awaits(part, |page| {
            page.text(selector).filter(|text| text.contains(part))
        })
    }

    /// Returns the problems that axe-core finds in the page, one line per finding.
    ///
    /// # Panics
    ///
    /// If axe-core is not there, or does not run.
    pub fn barriers(&self) -> Vec<String> {
        let file = std::env::var(AXE).expect("bin-scripts/test --real names axe-core");
        let axe = std::fs::read_to_string(file).expect("axe-core is there");
        // The driver runs scripts whatever the page's policy says.
        self.run(&axe, &json!([]));
        // Contrast that it cannot judge is also a finding, unless the text has no letters.
        let script = "const done = arguments[0]; axe.run().then((found) => done([ \
                ...found.violations, ...found.incomplete.filter((open) => open.id === 'color-contrast') \
            ].flatMap((broken) => broken.nodes.map((node) => `${broken.id}: ${node.html}: ${node.failureSummary}`)) \
            .filter((line) => !line.includes('non-text characters'))), (error) => done([`${error}`]));";
        let found = self.run_to_its_end(script, &json!([]));
        let found = found.as_array().expect("axe-core answers").iter();
        found
            .map(|line| line.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Runs a function that ends by calling its last argument, and returns the value that was passed to it.
    ///
    /// # Panics
    ///
    /// If it throws, or does not end.
    pub fn run_to_its_end(&self, body: &str, arguments: &Value) -> Value {
        let script = json!({"script": body, "args": arguments});
        self.tell("execute/async", &script)
    }
}

/// Sends a request to a driver, one request per connection.
fn call(driver: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let said = |error: std::io::Error| format!("{driver}: {error}");
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(driver).map_err(said)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {driver}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).map_err(said)?;
    stream.write_all(body.as_bytes()).map_err(said)?;
    // The driver keeps the connection open, whatever the request says.
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head).map_err(said)? == 0 {
            return Err(format!("{driver}: it ended in the middle of an answer"));
        }
        let line = head[start..].to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(said)?;
    let mut body: Value =
        serde_json::from_slice(&body).map_err(|error| format!("{error}: {head}"))?;
    let value = body["value"].take();
    match head.split(' ').nth(1) {
        Some("200") => Ok(value),
        _ => Err(format!("{}: {}", value["error"], value["message"])),
    }
}
