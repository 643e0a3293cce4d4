//! Everything on loopback, by one command: a provider with four people, an
//! old-fashioned app, and Vestibule in front of it.
//!
//! ```text
//! cargo run --release --example demo
//! ```
//!
//! Vestibule runs from `config/demo.toml`, through the library and otherwise as
//! `vestibule serve` runs it. Provider and app are also what the tests run
//! against; they never become part of the binary.

use std::{error::Error, process::ExitCode, sync::Arc};

use clap::Parser;
use tokio::net::TcpListener;
use url::Url;
use vestibule::{
    config::{Config, provider::SigningAlgorithm},
    shutdown::Signals,
    sidecar, telemetry,
};

mod app;
mod ports;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the tests make it lie and read what it was asked; the demo does not")
)]
mod provider;
mod serving;

use self::{
    app::App,
    ports::{APP, OPS, PROVIDER, VESTIBULE},
    provider::{Options, Provider, clients::Client, keys::SigningKey, people::PEOPLE},
};

const CLIENT_ID: &str = "demo";
const CLIENT_SECRET: &str = "not-a-secret-on-loopback";

/// Vestibule in front of a sample app, with a provider for development beside it.
#[derive(Parser)]
struct Arguments {
    /// Where Vestibule listens; without it 4180, or the next free port in steps of ten.
    #[arg(long)]
    port: Option<u16>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The demo could not run: {error}.");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let (vestibule, ops) = (VESTIBULE.take(arguments.port).await?, OPS.take(None).await?);
    let (provider, app) = (PROVIDER.take(None).await?, APP.take(None).await?);
    let address = |listener: &TcpListener| listener.local_addr();
    let (public, health, upstream) = (address(&vestibule)?, address(&ops)?, address(&app)?);
    let seats = [
        (VESTIBULE, public.port()),
        (OPS, health.port()),
        (PROVIDER, address(&provider)?.port()),
        (APP, upstream.port()),
    ];
    let public_url = Url::parse(&format!("http://{public}"))?;

    let _app = App::start(app);
    let signing_key = SigningKey::generate(SigningAlgorithm::RS256).ok_or("RS256 is signed by a key pair")?;
    let provider = Provider::start(provider, Options::signing_with(Arc::new(signing_key)))?;
    provider.register(Client::vestibule(CLIENT_ID, CLIENT_SECRET, &public_url));
    // Vestibule listens where its configuration says; these two were held to find out where that is possible.
    drop((vestibule, ops));
    let stopped = start_vestibule(&ports::configuration(&seats))?;

    println!("Open {public_url}\n");
    for (seat, port) in seats.into_iter().filter(|(seat, port)| seat.port != *port) {
        println!("Port {} was taken: {} is on {port}.", seat.port, seat.name);
    }
    println!("What to try:");
    for person in PEOPLE {
        println!("  sign in as {:<10} {}", person.given_name, person.remark);
    }
    println!("  without signing in    {public_url}public/ and {public_url}health");
    println!("  a deep link           {public_url}articles/2026/doors?page=2&q=a%20b%26c");
    println!("  sign out              {public_url}_vestibule/sign_out");
    println!("  what Vestibule knows  {public_url}_vestibule/userinfo");
    println!("  health and metrics    http://{health}/readyz and http://{health}/metrics");
    println!("  past Vestibule        http://{upstream}/ (in earnest, nobody should reach it)");
    println!("  the provider          {}\n", provider.issuer());
    println!("Ctrl-C stops all of it.");
    stopped.await;
    Ok(())
}

/// Starts Vestibule in this process; what it returns resolves when a signal has stopped it.
fn start_vestibule(configuration: &str) -> Result<impl Future<Output = ()> + use<>, Box<dyn Error>> {
    let config = Config::parse("config/demo.toml", configuration).map_err(|faults| faults.to_string())?;
    let mut options = sidecar::Options::default();
    let clock = options.clock.clone();
    (options.lines, _) = telemetry::init(&config.log, &options.log, move || clock.unix_millis())?;
    let signals = Signals::catch()?;
    let text = configuration.to_owned();
    let read_again: sidecar::ReadAgain = Arc::new(move || Config::parse("config/demo.toml", &text));
    Ok(signals.conduct(sidecar::start(config, read_again, &options)?))
}
