//! Where things are kept: implementations of the traits of those who use them.
//!
//! A store knows how to keep and find bytes, and nothing of what they mean. The
//! traits belong to their users ([`session::store`](crate::session::store)), so that
//! nothing on the request path names a database; only `sidecar` imports this
//! module, to choose one from the configuration.

mod memory;

pub use memory::MemoryStore;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
