//! The utilities as processes, through both doors.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod check;
mod conversations;
mod create;
mod db_setup;
mod docs;
mod doctor;
mod doors;
mod drop;
mod faults;
mod generate;
mod help;
mod launchers;
mod local;
mod people;
mod production;
mod scan;
mod schema_load;
mod seed;
mod setup;
mod shells;
mod stats;
mod sync;
mod tables;
mod terminal;
mod users;
