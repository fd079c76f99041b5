//! Options that people expect but that have another name here, and the line to type instead.

use crate::typed::Typed;

/// What to type instead of an option.
enum Right {
    /// Only its value.
    Value,
    /// Another option.
    Option(&'static str),
}

/// An option that people expect, of one command or of any.
struct Expected {
    command: Option<&'static str>,
    option: &'static str,
    right: Right,
}

const fn value(command: &'static str, option: &'static str) -> Expected {
    Expected {
        command: Some(command),
        option,
        right: Right::Value,
    }
}

const fn any(option: &'static str, right: &'static str) -> Expected {
    Expected {
        command: None,
        option,
        right: Right::Option(right),
    }
}

const EXPECTED: &[Expected] = &[
    value("drop", "--table"),
    value("drop", "--table-name"),
    value("drop", "--name"),
    value("get-conversation", "--id"),
    value("get-conversation", "--uuid"),
    value("get-conversation", "--group-uuid"),
    value("get-conversation", "--conversation"),
    value("get-conversation", "--handle"),
    value("create-message", "--id"),
    value("create-message", "--uuid"),
    value("create-message", "--group-uuid"),
    value("create-message", "--conversation"),
    value("create-message", "--to"),
    value("create-message", "--message"),
    value("create-message", "--text"),
    value("create-conversation", "--message"),
    value("create-conversation", "--text"),
    value("list-conversations", "--handle"),
    value("list-conversations", "--user"),
    value("list-conversations", "--of"),
    any("--format", "-o"),
    any("--production", "--prod"),
    any("--table-name", "--table"),
    any("--endpoint", "--endpoint-url"),
    any("--timezone", "--tz"),
    any("--time-zone", "--tz"),
    any("--grep", "--contains"),
    any("--search", "--contains"),
    any("--text", "--contains"),
    any("--sender", "--by"),
];

/// Returns the line to type instead of one with an unknown option. `known` checks whether a command has an option.
pub fn right_line(
    typed: &Typed,
    option: &str,
    known: impl Fn(&str, &str) -> bool,
) -> Option<String> {
    let mut words = typed.words().to_vec();
    let place = |word: &String| word == option || word.starts_with(&format!("{option}="));
    let at = words.iter().position(place)?;
    let command = words.iter().position(|word| known(word, ""))?;
    if at < command {
        // An option of a command must come after its name.
        if !known(&words[command], option) {
            return None;
        }
        let name = words.remove(command);
        words.insert(0, name);
        return Some(Typed::line(&words));
    }
    let expected = EXPECTED.iter().find(|expected| {
        expected.option == option && expected.command.is_none_or(|name| words[command] == name)
    })?;
    let value = words[at].split_once('=').map(|(_, value)| value.to_owned());
    match expected.right {
        Right::Value => match value {
            Some(value) => words[at] = value,
            None => {
                words.remove(at);
            }
        },
        Right::Option(right) => {
            if !known(&words[command], right) {
                return None;
            }
            words.splice(at..=at, std::iter::once(right.to_owned()).chain(value));
        }
    }
    Some(Typed::line(&words))
}
