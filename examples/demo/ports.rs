//! Which ports the demo takes, and `config/demo.toml` with these in it.
//!
//! The file is a configuration that `vestibule serve` accepts as it stands. Where
//! one of its ports is taken, only that number is written anew.

use std::{fmt::Write as _, io};

use tokio::net::TcpListener;

/// `config/demo.toml`, whatever the working directory.
pub(crate) const CONFIGURATION: &str = include_str!("../../config/demo.toml");

/// A port as the file has it, and what listens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// What the visitor would call it.
    pub(crate) name: &'static str,
    /// The port in the file.
    pub(crate) port: u16,
}

/// Where visitors come in.
pub(crate) const VESTIBULE: Seat = Seat { name: "Vestibule", port: 4180 };
/// `/livez`, `/readyz`, `/metrics`
pub(crate) const OPS: Seat = Seat { name: "Vestibule's health and metrics", port: 4181 };
/// The issuer.
pub(crate) const PROVIDER: Seat = Seat { name: "the development provider", port: 4182 };
/// The upstream.
pub(crate) const APP: Seat = Seat { name: "the sample app", port: 4183 };

/// Why a seat could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Somebody chose this port.
    #[error(
        "port {port} for {name} cannot be had: {source}\n\
         Stop what listens there, choose another by `cargo run --release --example demo -- --port N`,\n\
         or leave --port out: the next free port is taken then"
    )]
    Chosen { name: &'static str, port: u16, source: io::Error },
    /// Nobody chose, and nothing near is free.
    #[error("no port for {name} from {first} to {last} in steps of {STEP}: {source}")]
    AllTaken { name: &'static str, first: u16, last: u16, source: io::Error },
}

/// Ten apart, so that what moves does not take the next one's seat.
const STEP: u16 = 10;
const ATTEMPTS: u16 = 20;

impl Seat {
    /// Listens on the chosen port, or on the first free one from the file's onwards.
    pub(crate) async fn take(self, chosen: Option<u16>) -> Result<TcpListener, Error> {
        let Self { name, port: first } = self;
        if let Some(port) = chosen {
            return listen(port).await.map_err(|source| Error::Chosen { name, port, source });
        }
        let mut port = first;
        loop {
            match listen(port).await {
                Ok(listener) => return Ok(listener),
                Err(source) if port == first + STEP * ATTEMPTS => {
                    return Err(Error::AllTaken { name, first, last: port, source });
                }
                Err(_) => port += STEP,
            }
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await
}

/// The configuration with other ports in the places of some; all at once, so that none is replaced twice.
pub(crate) fn configuration(moved: &[(Seat, u16)]) -> String {
    const LOOPBACK: &str = "127.0.0.1:";
    let mut parts = CONFIGURATION.split(LOOPBACK);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (port, rest) = part.split_at(digits);
        let now = moved.iter().find(|(seat, _)| seat.port.to_string() == port).map(|(_, now)| *now);
        // Writing to a String does not fail.
        let _ = match now {
            Some(now) => write!(text, "{LOOPBACK}{now}{rest}"),
            None => write!(text, "{LOOPBACK}{port}{rest}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(table: &'a toml::Table, path: &[&str]) -> Option<&'a str> {
        let (last, sections) = path.split_last()?;
        let section = sections.iter().try_fold(table, |table, name| match table.get(*name)? {
            toml::Value::Array(tables) => tables.first()?.as_table(),
            value => value.as_table(),
        })?;
        match section.get(*last)? {
            toml::Value::Array(values) => values.first()?.as_str(),
            value => value.as_str(),
        }
    }

    #[test]
    fn every_port_of_the_file_follows_its_seat_even_onto_anothers() {
        let text = configuration(&[(VESTIBULE, 4181), (OPS, 4182), (PROVIDER, 4183), (APP, 4180)]);
        let table: toml::Table = text.parse().expect("TOML");
        for (path, value) in [
            (&["server", "listen"][..], "127.0.0.1:4181"),
            (&["server", "ops_listen"], "127.0.0.1:4182"),
            (&["provider", "issuer"], "http://127.0.0.1:4183"),
            (&["app", "public_url"], "http://127.0.0.1:4181"),
            (&["app", "upstream"], "http://127.0.0.1:4180"),
        ] {
            assert_eq!(at(&table, path), Some(value), "{path:?}");
        }
        assert_eq!(configuration(&[]), CONFIGURATION);
    }

    #[test]
    fn the_file_holds_the_client_that_the_provider_is_told_of() {
        let table: toml::Table = CONFIGURATION.parse().expect("TOML");
        assert_eq!(at(&table, &["provider", "client_id"]), Some(crate::CLIENT_ID));
        assert_eq!(at(&table, &["provider", "client_secret"]), Some(crate::CLIENT_SECRET));
    }

    #[tokio::test]
    async fn a_taken_port_is_named_if_chosen_and_passed_by_if_not() {
        let taken = listen(0).await.expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let refusal = VESTIBULE.take(Some(port)).await.expect_err("it is taken").to_string();
        assert!(refusal.contains(&port.to_string()) && refusal.contains("--port"), "{refusal}");

        // Near the top of the range there may be nothing above: then there is nothing to pass by to.
        if let Some(above) = port.checked_add(STEP * ATTEMPTS).map(|_| Seat { name: "the test", port }) {
            let moved = above.take(None).await.expect("one of the next is free");
            assert_ne!(moved.local_addr().expect("an address").port(), port);
        }
    }
}
