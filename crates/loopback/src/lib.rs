//! Listening on this machine only: one port on both loopback addresses, the names of this machine, and the origins
//! of web pages.

mod listen;
mod origin;

pub use listen::{ListenError, Occupant, listen};
pub use origin::{NotAnOrigin, Origin, is_loopback, is_loopback_origin};
