//! The scanner against a share that gives no events, fails, lies about times and inodes, and hangs;
//! and against volumes that come and go. Needs root and /dev/fuse.

mod auto;
mod checkout;
mod doctor;
mod edits;
mod faults;
mod hang;
mod mounts;
mod random;
#[allow(dead_code, reason = "the tests of the binary use the rest")]
#[path = "../run/support.rs"]
mod session;
mod share;
#[allow(dead_code, reason = "the scan tests use the rest")]
#[path = "../scan/support.rs"]
mod support;
mod witness;
