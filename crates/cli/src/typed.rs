//! The command line as it was typed, for lines that the operator is told to type.

use crate::shell::quote;

/// The words of a command line, starting with the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed(Vec<String>);

impl Typed {
    /// Takes the arguments of this process.
    pub fn of_process() -> Self {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self::new(words)
    }

    /// Takes the words of a command line, starting with the program, which is `ddb` or a separate binary.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().collect();
        let program = words.first().map(|program| {
            let name = std::path::Path::new(program).file_name();
            name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        });
        match program.as_deref() {
            None | Some("ddb") => words = words.split_off(words.len().min(1)),
            Some(command) => words[0] = command.to_owned(),
        }
        Self(words)
    }

    /// Returns the words after `ddb`.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Makes a `ddb` command line from words.
    pub fn line(words: &[String]) -> String {
        let quoted = words.iter().map(|word| quote(word));
        let words: Vec<_> = std::iter::once("ddb".into()).chain(quoted).collect();
        words.join(" ")
    }

    /// Returns the same line with a conversation's id in place of the short name that was typed.
    pub fn with_conversation(&self, short: &str, id: &str) -> String {
        let same = |word: &str| word.strip_prefix('@').unwrap_or(word) == short;
        let mut words = self.0.clone();
        let is_with = |word: &str| word == "--with" || word == "--group";
        // As the value of an option, it replaces the option too; otherwise it is a separate word.
        let option = (1..words.len()).find(|at| is_with(&words[at - 1]) && same(&words[*at]));
        let joined = words.iter().position(|word| {
            word.split_once('=')
                .is_some_and(|(option, value)| is_with(option) && same(value))
        });
        let alone = || {
            let words = &words;
            let free = |at: &usize| !words[at - 1].starts_with('-');
            let mut places = (1..words.len()).filter(|at| same(&words[*at]));
            places.clone().find(free).or_else(|| places.next())
        };
        if let Some(at) = option {
            words.splice(at - 1..=at, [id.to_owned()]);
        } else if let Some(at) = joined.or_else(alone) {
            words[at] = id.to_owned();
        } else {
            words.insert(words.len().min(1), id.to_owned());
        }
        Self::line(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        Typed::new(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_line_begins_with_ddb_whichever_door_it_came_by() {
        let words = ["scan", "--limit", "5"].map(str::to_owned);
        assert_eq!(typed("/usr/bin/ddb scan --limit 5").words(), words);
        assert_eq!(typed("./scan --limit 5").words(), words);
        assert_eq!(
            Typed::line(&["create-message".to_owned(), "it's".to_owned()]),
            r"ddb create-message 'it'\''s'"
        );
    }

    #[test]
    fn a_short_name_gives_way_to_an_id() {
        for (line, expected) in [
            (
                "ddb get-conversation cafe --limit 5",
                "ddb get-conversation 5ae290ed --limit 5",
            ),
            (
                "get-conversation --me cafe @cafe",
                "ddb get-conversation --me cafe 5ae290ed",
            ),
            (
                "ddb get-conversation --with cafe --all",
                "ddb get-conversation 5ae290ed --all",
            ),
            (
                "ddb get-conversation --with=cafe",
                "ddb get-conversation 5ae290ed",
            ),
            (
                "ddb create-message cafe cafe",
                "ddb create-message 5ae290ed cafe",
            ),
        ] {
            assert_eq!(typed(line).with_conversation("cafe", "5ae290ed"), expected);
        }
    }
}
