//! `--explain`: the requests that a command would make, as lines of the AWS CLI.

use std::fmt::Write as _;
use std::io::Write;

use clap::Args;
use ddb_core::store::{Query, Scan, Segment, Store, TableSummary};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::shell::quote;
use crate::ui::Ui;
use crate::wording::plural;

/// The option that asks for the requests.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Show the requests that this would make, as AWS CLI commands, and send none but DescribeTable
    #[arg(long)]
    explain: bool,
}

impl ExplainArgs {
    /// Checks whether to show the requests instead of the result.
    ///
    /// # Errors
    ///
    /// An output format was given, which the requests do not have.
    pub fn is_wanted(&self, ui: &Ui) -> Result<bool, Failure> {
        if self.explain && !matches!(ui.format(), Format::Table | Format::Wide) {
            return Err(
                Failure::refused("--explain prints lines for a shell, in no other format")
                    .hint("leave --output out"),
            );
        }
        Ok(self.explain)
    }
}

/// The maximum number of bytes of one page: see "Paginating table query results" in the DynamoDB developer guide.
const PAGE: u64 = 1024 * 1024;
/// The bytes that one unit reads with strong consistency; with eventual consistency it reads twice as much.
const UNIT: u64 = 4 * 1024;

/// What a command would do. Everything except the lines is a shell comment, so that the whole text can be run.
#[derive(Debug)]
pub struct Explanation {
    start: &'static str,
    options: String,
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Explanation {
    /// Starts one for the command that runs.
    pub fn new(ui: &Ui) -> Self {
        let (start, options) = ui.guide().aws_line();
        Self {
            start,
            options,
            lines: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a line made of complete words.
    pub fn line(&mut self, words: &str) {
        let (start, options) = (self.start, &self.options);
        self.lines.push(format!("{start} {words}{options}"));
    }

    /// Adds a pipeline of two commands: the second runs once for each word that the first prints.
    pub fn line_for_each(&mut self, words: &str, each: &str) {
        let (start, options) = (self.start, &self.options);
        self.lines.push(format!(
            "{start} {words}{options} --output text | tr '\\t' '\\n' | xargs -I {{}} env {start} {each}{options}"
        ));
    }

    /// Adds a note about the requests.
    pub fn note(&mut self, what: &str, said: &str) {
        // A name from the user may contain a line break, which would end the comment.
        let said = crate::output::escape::line(said);
        self.notes.push(format!("# {what}: {said}"));
    }

    /// Adds a query. `most` is the number of items wanted, if only the first ones are read.
    ///
    /// # Errors
    ///
    /// The table does not exist, or cannot be described.
    pub async fn query(
        &mut self,
        store: &Store,
        query: &Query,
        most: Option<u32>,
    ) -> Result<(), Failure> {
        let table = store.describe_existing().await?;
        let words = query.words();
        let names = words.names.iter();
        let names: Map<String, Value> = names
            .map(|(placeholder, name)| ((*placeholder).to_owned(), json!(name)))
            .collect();
        let values: Map<String, Value> = { words.values.iter() }
            .map(|(placeholder, value)| ((*placeholder).to_owned(), json!({ "S": value })))
            .collect();
        let mut line = format!("query --table-name {}", store.table());
        // Writing to a String cannot fail.
        if let Some(index) = words.index {
            let _ = write!(line, " --index-name {index}");
        }
        let _ = write!(
            line,
            " --key-condition-expression {} --expression-attribute-names {} --expression-attribute-values {}",
            quote(&words.key_condition),
            quote(&Value::from(names).to_string()),
            quote(&Value::from(values).to_string()),
        );
        if let Some(filter) = words.filter {
            let _ = write!(line, " --filter-expression {}", quote(filter));
        }
        if !words.forward {
            line.push_str(" --no-scan-index-forward");
        }
        if words.consistent {
            line.push_str(" --consistent-read");
        }
        line.push_str(&bounds(most));
        self.line(&line);

        let mut condition = words.key_condition;
        for (placeholder, name) in words.names {
            condition = condition.replace(placeholder, name);
        }
        for (placeholder, value) in words.values {
            condition = condition.replace(placeholder, &value);
        }
        self.note("index", words.index.unwrap_or("none, the table itself"));
        self.note("key condition", &condition);
        self.note("pages", "1 page or more");
        match most.zip(mean(&table)) {
            Some((most, mean)) => {
                let bytes = mean * (u64::from(most) + 1);
                self.note("units", &units(bytes, words.consistent));
            }
            None => self.note("units", "0.5 for each 4 KB, rounded up for each page"),
        }
        Ok(())
    }

    /// Adds a scan. `most` is the number of items wanted, if only the first ones are read.
    ///
    /// # Errors
    ///
    /// The table does not exist, or cannot be described.
    pub async fn scan(
        &mut self,
        store: &Store,
        scan: &Scan,
        most: Option<u32>,
    ) -> Result<(), Failure> {
        let table = store.describe_existing().await?;
        for segment in scan.segments.iter() {
            let mut line = format!("scan --table-name {}", store.table());
            if segment != Segment::WHOLE {
                // Writing to a String cannot fail.
                let (index, total) = (segment.index(), segment.total());
                let _ = write!(line, " --segment {index} --total-segments {total}");
            }
            if scan.count_only {
                line.push_str(" --select COUNT");
            }
            if scan.consistent {
                line.push_str(" --consistent-read");
            }
            line.push_str(&bounds(most));
            self.line(&line);
        }
        self.note("index", "none, the table itself");
        self.note("key condition", "none, every item is read");
        let bytes = u64::try_from(table.bytes).ok().filter(|bytes| *bytes > 0);
        match (most.zip(mean(&table)), bytes) {
            (Some((most, mean)), _) => {
                self.note("pages", "1 page or more");
                let bytes = mean * (u64::from(most) + 1);
                self.note("units", &units(bytes, scan.consistent));
            }
            (None, Some(bytes)) => {
                let pages = plural(bytes.div_ceil(PAGE), "page", "pages");
                self.note("pages", &format!("{pages} or more"));
                self.note("units", &units(bytes, scan.consistent));
            }
            (None, None) => {
                self.note("pages", "1 page or more");
                self.note(
                    "units",
                    "not known: the service has not counted the table yet",
                );
            }
        }
        Ok(())
    }

    /// Prints the explanation.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] if nobody reads stdout any more.
    pub fn print(mut self, ui: &Ui) -> Result<Outcome, Failure> {
        self.note("policy", &ui.guide().policy_file());
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push_str("\n\n");
        }
        for note in &self.notes {
            text.push_str(note);
            text.push('\n');
        }
        std::io::stdout().write_all(text.as_bytes())?;
        ui.note("not sent; only names were looked up, and the table was described");
        Ok(Outcome::Done)
    }
}

/// Limits what the AWS CLI reads and shows.
fn bounds(most: Option<u32>) -> String {
    match most {
        Some(most) => format!(" --max-items {most} --page-size {}", most.saturating_add(1)),
        None => String::new(),
    }
}

/// Returns the average number of bytes of an item, according to the service's last count.
fn mean(table: &TableSummary) -> Option<u64> {
    let items = u64::try_from(table.items).ok().filter(|items| *items > 0)?;
    Some(u64::try_from(table.bytes).ok()?.div_ceil(items))
}

/// Formats the cost of reading this many bytes.
fn units(bytes: u64, consistent: bool) -> String {
    let whole = bytes.div_ceil(UNIT).max(1);
    let units = if consistent {
        whole as f64
    } else {
        whole as f64 / 2.0
    };
    let units = crate::wording::capacity(Some(units));
    format!(
        "about{}, by the last count of the table",
        units.trim_start_matches(',')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_four_kilobytes() {
        let rest = ", by the last count of the table";
        assert_eq!(units(1, false), format!("about 0.5 capacity units{rest}"));
        assert_eq!(units(4096, true), format!("about 1 capacity unit{rest}"));
        assert_eq!(units(9000, true), format!("about 3 capacity units{rest}"));
    }
}
