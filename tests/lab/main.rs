//! The binary, with no option, on shares that behave as those of Docker Desktop, a virtual machine
//! or a network drive do: `fuse-share.py`, which is there for trying by hand as well, mounts them,
//! and makes them worse while they are watched. Needs root, /dev/fuse and Python.

mod doctor;
mod noticing;
#[allow(dead_code, reason = "the tests of the binary use the rest")]
#[path = "../run/support.rs"]
mod session;
mod share;
#[path = "../scan/skip.rs"]
mod skip;
mod trouble;
