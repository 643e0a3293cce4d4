//! The other end: how upstreams are reached, what they may do wrong, and whose connections are whose.

mod bodies;
mod connection_sign_in;
mod http2;
mod limits;
mod lying;
mod reached;
mod volume;
