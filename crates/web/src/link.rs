//! The link that signs in a browser, once, and the cookie that it sets there.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// The most browsers at a time. If there are more, the oldest one needs a new link.
const MOST_SESSIONS: usize = 16;

/// 256 random bits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Secret([u8; 32]);

impl Secret {
    fn new() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self(bits))
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Compares in a time that does not depend on how much of the text is right.
    fn is(&self, text: &str) -> bool {
        let own = self.text();
        let different = own
            .bytes()
            .zip(text.bytes())
            .fold(0, |different, (a, b)| different | (a ^ b));
        own.len() == text.len() && different == 0
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: Option<Secret>,
    sessions: Vec<Secret>,
}

/// Who has access: whoever opens the latest link, once, and then whoever has a cookie.
#[derive(Debug)]
pub(crate) struct Links {
    cookie: String,
    state: Mutex<State>,
}

impl Links {
    /// Creates the links. The cookie's name contains the port, since cookies do not distinguish ports.
    pub fn new(port: u16) -> Self {
        Self {
            cookie: format!("ddb-web-{port}"),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a new link; the previous one is no longer valid.
    pub fn renew(&self) -> Result<String, getrandom::Error> {
        let secret = Secret::new()?;
        let text = secret.text();
        self.state().waiting = Some(secret);
        Ok(text)
    }

    /// Uses up a link. Returns the value of `Set-Cookie`, or `None` if the link is not the current one.
    pub fn enter(&self, text: &str) -> Result<Option<String>, getrandom::Error> {
        let session = Secret::new()?;
        let mut state = self.state();
        if !state.waiting.as_ref().is_some_and(|secret| secret.is(text)) {
            return Ok(None);
        }
        state.waiting = None;
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/",
            self.cookie,
            session.text()
        );
        if state.sessions.len() == MOST_SESSIONS {
            state.sessions.remove(0);
        }
        state.sessions.push(session);
        Ok(Some(cookie))
    }

    /// Checks whether a request has the cookie of a link.
    pub fn know(&self, headers: &HeaderMap) -> bool {
        let state = self.state();
        let lines = headers.get_all(COOKIE).iter();
        let mut pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| {
            name == self.cookie && state.sessions.iter().any(|session| session.is(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn p41_a_link_is_good_once_and_its_cookie_until_the_end() {
        let links = Links::new(4000);
        let first = links.renew().unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(links.enter("").unwrap(), None);
        assert_eq!(links.enter(&first[1..]).unwrap(), None);
        assert_eq!(links.enter(&"0".repeat(64)).unwrap(), None);
        let cookie = links.enter(&first).unwrap().unwrap();
        assert!(cookie.starts_with("ddb-web-4000="), "{cookie}");
        assert!(
            cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"),
            "{cookie}"
        );
        assert_eq!(links.enter(&first).unwrap(), None);

        let pair = cookie.split(';').next().unwrap();
        assert!(links.know(&headers(&format!("a=b; {pair}"))));
        for bad in ["", "ddb-web-4000=", "ddb-web-4001=1"] {
            assert!(!links.know(&headers(bad)), "{bad}");
        }
        // The cookie of another run, or of another port.
        assert!(!Links::new(4000).know(&headers(pair)));
        assert!(!links.know(&headers(&pair.replace("4000", "4001"))));
    }

    #[test]
    fn a_new_link_puts_the_one_before_out_of_use() {
        let links = Links::new(1);
        let first = links.renew().unwrap();
        let second = links.renew().unwrap();
        assert_ne!(first, second);
        assert_eq!(links.enter(&first).unwrap(), None);
        assert!(links.enter(&second).unwrap().is_some());
    }

    #[test]
    fn the_oldest_browser_gives_way() {
        let links = Links::new(1);
        let cookies: Vec<String> = (0..=MOST_SESSIONS)
            .map(|_| {
                let link = links.renew().unwrap();
                let cookie = links.enter(&link).unwrap().unwrap();
                cookie.split(';').next().unwrap().to_owned()
            })
            .collect();
        let known = cookies.iter().filter(|cookie| links.know(&headers(cookie)));
        assert_eq!(known.count(), MOST_SESSIONS);
        assert!(!links.know(&headers(&cookies[0])));
    }
}
