//! The scanner against real trees: what it sees is what is there, and what it reports changed.

mod edit;
mod equals_reference;
mod links;
mod looks;
mod names;
mod racy;
mod roots;
mod skip;
mod special;
mod support;
mod unreadable;
