//! The environment variables of the process, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// The error for a variable whose value is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {0} is not UTF-8")]
pub struct NotUnicode(pub String);

/// A value and its origin: the name of an option or a variable, to show to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given<'a> {
    /// The name of the option or variable.
    pub origin: &'static str,
    /// The value.
    pub value: &'a str,
}

/// A snapshot of environment variables. An empty variable counts as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    texts: BTreeMap<String, String>,
    /// The names of variables whose value is not UTF-8. Reading one is an error.
    others: BTreeSet<String>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn of_process() -> Self {
        Self::take(std::env::vars_os())
    }

    fn take(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        // All variables that we read have a name in UTF-8.
        for (name, value) in
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        {
            match value.into_string() {
                Ok(text) if text.is_empty() => {}
                Ok(text) => {
                    environment.texts.insert(name, text);
                }
                Err(_) => {
                    environment.others.insert(name);
                }
            }
        }
        environment
    }

    /// Returns the value of a variable, unless it is empty.
    pub fn get(&self, name: &str) -> Result<Option<&str>, NotUnicode> {
        if self.others.contains(name) {
            return Err(NotUnicode(name.to_owned()));
        }
        Ok(self.texts.get(name).map(String::as_str))
    }

    /// Returns all variables that have a value.
    ///
    /// # Errors
    ///
    /// If the value of a variable that is `ours` is not UTF-8.
    pub fn all(
        &self,
        ours: impl Fn(&str) -> bool,
    ) -> Result<impl Iterator<Item = (&str, &str)>, NotUnicode> {
        if let Some(name) = self.others.iter().find(|name| ours(name)) {
            return Err(NotUnicode(name.clone()));
        }
        let texts = self.texts.iter();
        Ok(texts.map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Returns the first of several variables that has a value, with its name.
    ///
    /// # Errors
    ///
    /// If a variable before it has a value that is not UTF-8.
    pub fn first<'a>(&self, names: &[&'a str]) -> Result<Option<(&'a str, &str)>, NotUnicode> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self::take(variables.map(|(name, value)| (name.into().into(), value.into().into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment: Environment = [("A", ""), ("B", "b"), ("C", "c")].into_iter().collect();
        assert_eq!(environment.get("A"), Ok(None));
        assert_eq!(environment.first(&["A", "B", "C"]), Ok(Some(("B", "b"))));
        assert_eq!(environment.first(&["A", "D"]), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_named_where_it_is_read() {
        use std::os::unix::ffi::OsStringExt;
        let variables = [("A", b"\xff".to_vec()), ("B", b"b".to_vec())];
        let environment = Environment::take(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), OsString::from_vec(value))),
        );
        let refused = NotUnicode("A".to_owned());
        assert_eq!(environment.get("A"), Err(refused.clone()));
        assert_eq!(environment.first(&["A", "B"]), Err(refused.clone()));
        assert_eq!(environment.first(&["B", "A"]), Ok(Some(("B", "b"))));
        assert_eq!(environment.all(|name| name == "A").err(), Some(refused));
        let others = environment.all(|_| false).map(Iterator::count);
        assert_eq!(others, Ok(1));
    }
}
