//! Vestibule: the room a visitor passes before the house.
//!
//! A reverse proxy that stands in front of an unmodified web app, signs visitors
//! in through OpenID Connect, decides who may enter, keeps their sessions and
//! tells the app who they are.
//!
//! # The walk of one request
//!
//! [`listener`] accepts → [`request`] checks framing and normalises once →
//! [`gateway`] finds the app and the route → [`session`] resolves the visitor →
//! [`access`] decides from route, policy and what the session knows → [`login`]
//! (start, callback, leave), or [`forward`] with a `Permit` that only `access` can
//! build → [`upstream`] → response. Errors climb as typed enums to
//! `gateway::refusal`, the one place that turns them into answers.
//!
//! # Layers
//!
//! A module imports only from lower lines, and none within its own line;
//! `tests/it/layering.rs` enforces it.
//!
//! | line | modules |
//! |---|---|
//! | 0 | [`apart`] [`secret`] [`clock`] [`random`] [`identity`] |
//! | 1 | [`seal`] [`meter`] |
//! | 2 | [`config`] |
//! | 3 | [`request`] |
//! | 4 | [`access`] [`relying_party`] [`upstream`] [`pages`] |
//! | 5 | [`session`] |
//! | 8 | [`login`] [`forward`] |
//! | 9 | [`gateway`] [`store`] |
//! | 10 | [`listener`] |
//! | 11 | [`sidecar`] [`telemetry`] |
//! | 12 | [`shutdown`] |
//! | 13 | [`cli`] |
//! | 14 | [`fuzzing`] |
//!
//! # Threads
//!
//! Each worker is a thread with a current-thread runtime that carries visitors
//! and its own upstream connections. One background runtime owns whatever is
//! shared and may wait: the provider client, discovery, the feed of endings, the
//! ops listener. No socket outlives the runtime that opened it.
//!
//! # A new configuration
//!
//! [`config`] makes one immutable value of the files and remembers which they were;
//! [`sidecar`] reads it again when they change, makes of it what requests are answered
//! with, and puts that whole in the place of what each worker thread had
//! (`gateway::current`). A request ends under the configuration that it came under;
//! what goes on for longer is judged again (`gateway::let_through`).

pub mod access;
mod apart;
pub mod cli;
pub mod clock;
pub mod config;
pub mod forward;
#[cfg(any(test, fuzzing, doc))]
pub mod fuzzing;
pub mod gateway;
pub mod identity;
pub mod listener;
pub mod login;
pub mod meter;
pub mod pages;
pub mod random;
pub mod relying_party;
pub mod request;
pub mod seal;
pub mod secret;
pub mod session;
pub mod shutdown;
pub mod sidecar;
pub mod store;
pub mod telemetry;
pub mod upstream;
