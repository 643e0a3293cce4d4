//! The whole sidecar, in process or as the real binary, between a provider, an upstream and visitors of our own.
//!
//! What one module does is tested beside its code; what is tested here is what only
//! the whole can promise: which bytes reach the upstream, which come back, and what
//! is left of a request that should never have been one. Rows carry the number of
//! their threat, or the id of the advisory that they come from. No row trusts a
//! status alone: each asks the upstream what it has seen.
//!
//! [`harness`] has the parts. Ports are free ones, waiting is for events, and the
//! time is moved by hand.

/// The development provider of the demo; here it lies as well.
#[path = "../../examples/demo"]
mod demo {
    pub(crate) mod provider;
    pub(crate) mod serving;
}
mod harness;

mod answers;
mod base_paths;
mod check_online;
mod commands;
mod cookies;
mod departures;
mod forward_auth;
mod further_hosts;
mod headers;
mod hostile_provider;
mod http2;
mod http_1_0;
mod layering;
mod life_cycle;
mod limits;
mod listeners;
mod logs;
mod many_connections;
mod metrics;
mod one_app;
mod paths;
mod readme;
mod reload;
mod restarts;
mod resting;
mod routes;
mod samples;
mod sign_in;
mod sign_out;
mod smuggling;
mod tls;
mod transport;
mod tunnels;
mod upstreams;
mod web_sockets;
