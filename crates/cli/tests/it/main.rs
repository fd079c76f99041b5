//! The utilities as processes, through both doors.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod as_the_aws_tools;
mod changes;
mod check;
mod conversations;
mod create;
mod db_setup;
mod docs;
mod doctor;
mod documents;
mod doors;
mod drop;
mod drop_waits;
mod explain;
mod fault_matrix;
mod faults;
mod followers;
mod generate;
mod hardship;
mod help;
mod hints;
mod hostile;
mod kills;
mod launchers;
mod local;
mod people;
mod policies;
mod production;
mod recipe;
mod remote_database;
mod scan;
mod scan_at_length;
mod schema_changes;
mod schema_load;
mod seed;
mod setup;
mod shells;
mod stats;
mod sync;
mod tables;
mod terminal;
mod users;
