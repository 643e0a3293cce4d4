//! Vestibule among programs that nobody here wrote: the real binary between npm
//! `oidc-provider`, a certified OpenID Provider, a headless Chromium, Python's `websockets`
//! and `curl`, with nginx behind it or in front.
//!
//! What `tests/it` cannot show is shown here: that two strangers who read the same
//! specifications agree with us. So little is checked twice; lies, limits and tables
//! of rules are in `tests/it` and beside the code.
//!
//! Each test starts its own provider, app and Vestibule, each on a loopback address of
//! its own ([`address`]), and ends them when it ends. The browser's driver is shared.
//! `tests/run` installs what is needed.

mod address;
mod app;
mod browser;
mod certificate;
mod curl;
mod deployment;
mod nginx;
mod process;
mod provider;
mod visitor;

mod below_a_path;
mod forward_auth;
mod grpc;
mod haproxy;
mod http2;
mod in_the_browser;
mod large_bodies;
mod nginx_behind;
mod nginx_in_front;
mod outages;
mod sign_in;
mod web_sockets;
mod with_curl;
