//! An address for each server of each test.
//!
//! A server must be known before it runs: the provider's client is registered with the
//! public URL, Vestibule is configured with the issuer, and both are started again on
//! the port they had. So ports are picked first (bind to port 0, read, close), and on a
//! shared address another test could take one in between. All of 127.0.0.0/8 is
//! loopback on Linux, so every server gets an address that no other one binds; what is
//! left is a second test run with the same low bits in its process id that draws the
//! same port on the same address, and that run would fail with "address in use".
//!
//! It is also the truer picture: cookies know no ports, and a browser takes two ports
//! of one address for one site. Here provider and app are strangers, as in life.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU8, Ordering},
};

static DRAWN: AtomicU8 = AtomicU8::new(1);

/// A loopback address that nothing else uses, with a port that is free.
pub(crate) fn own_address() -> SocketAddr {
    let [.., high, low] = process::id().to_be_bytes();
    let last = DRAWN.fetch_add(1, Ordering::Relaxed);
    assert!(last < u8::MAX, "254 addresses are enough for all tests; if not, let the third byte count too");
    let ip = Ipv4Addr::new(127, high.max(1), low, last); // not below 127.0, where people run other things
    TcpListener::bind((ip, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|e| panic!("no port to be had on {ip}, one of Linux' loopback addresses: {e}"))
}
