//! The output formats.

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: what a person needs, in the width that the terminal has.
    Table,
    /// Every column, whole.
    Wide,
    /// One object with all items and totals.
    Json,
    /// One object a line.
    Jsonl,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// DynamoDB JSON, one item a line, as export to S3 writes it.
    DdbJson,
    /// A conversation as plain text, to hand over.
    Txt,
    /// A conversation as Markdown, to hand over.
    Md,
    /// A conversation as one HTML page, to hand over.
    Html,
}

impl Format {
    /// The formats of a command that reads no rows.
    pub const BASIC: &'static [Self] = &[Self::Table, Self::Wide, Self::Json, Self::Jsonl];
    /// The formats of a command that lists things.
    pub const ROWS: &'static [Self] =
        &[Self::Table, Self::Wide, Self::Json, Self::Jsonl, Self::Csv];
    /// The formats of a command that reads items.
    pub const ITEMS: &'static [Self] = &[
        Self::Table,
        Self::Wide,
        Self::Json,
        Self::Jsonl,
        Self::Csv,
        Self::DdbJson,
    ];
    /// The formats of a command that reads messages.
    pub const MESSAGES: &'static [Self] = &[
        Self::Table,
        Self::Wide,
        Self::Json,
        Self::Jsonl,
        Self::Csv,
        Self::DdbJson,
        Self::Txt,
        Self::Md,
        Self::Html,
    ];
}
