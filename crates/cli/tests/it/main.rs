//! The utilities as processes, through both doors.

mod conversations;
mod doors;
mod drop;
mod faults;
mod local;
mod scan;
mod schema_load;
mod seed;
mod setup;
mod tables;
