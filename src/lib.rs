//! stakeout watches a source tree by looking at it, and restarts what you develop when the tree
//! changed. ARCHITECTURE.md says how the rooms below fit together; data flows through them in
//! this order.

pub mod scan;
pub mod tree;
