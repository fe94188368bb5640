//! stakeout watches a source tree by looking at it, and restarts what you develop when the tree
//! changed. ARCHITECTURE.md says how the rooms below fit together; data flows through them in
//! this order.

pub mod cli;
pub mod config;
pub mod control;
pub mod dispatch;
pub mod doctor;
pub mod engine;
pub mod process;
pub mod ready;
pub mod scan;
pub mod tree;
pub mod ui;
pub mod watch;
pub mod web;
