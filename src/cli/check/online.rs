//! `check --online`: whether the world around the configuration is as it says.
//!
//! Each dependency has a function here that makes rows of a table: what was looked
//! at, how it is, and what to do. All are asked at once, each within its own time,
//! so that one that hangs costs ten seconds and hides nothing. A further dependency
//! joins as one more function in [`report`].

use std::{fmt, io, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    cli::endpoints,
    clock::Clock,
    config::{
        App, Config, Provider,
        provider::{ClientAuth, SigningAlgorithm},
    },
    relying_party::{ClientError, ClientStanding, Error, Metadata, Rehearsal, RelyingParty, ReplyFault},
    upstream::Connector,
};

/// How much the provider's clock may differ before tokens are refused: `exp` and `iat` have this leeway.
const LEEWAY: u64 = 60;

/// What is worth a word before it comes to that.
const NOTABLE: u64 = 30;

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// For somebody to do elsewhere, or not to be told from here.
    Note,
    /// It works, and may not for long.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    verdict: Verdict,
    /// Whose: `provider company`, `app wiki`.
    of: String,
    /// Which of its sides.
    what: &'static str,
    /// How it is.
    finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Row {
    fn new(verdict: Verdict, of: &str, what: &'static str, finding: impl Into<String>) -> Self {
        Self { verdict, of: of.to_owned(), what, finding: finding.into(), advice: None }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// What `check --online` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report(Vec<Row>);

impl Report {
    /// Whether nothing fails.
    pub(super) fn is_good(&self) -> bool {
        self.0.iter().all(|row| row.verdict != Verdict::Fail)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> usize| self.0.iter().map(of).max().unwrap_or_default();
        let (of, what) = (width(|row| row.of.chars().count()), width(|row| row.what.len()));
        for row in &self.0 {
            let verdict = match row.verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Warn => "WARN",
                Verdict::Fail => "FAIL",
            };
            writeln!(f, "{verdict:<4}  {:<of$}  {:<what$}  {}", row.of, row.what, row.finding)?;
            if let Some(advice) = &row.advice {
                writeln!(f, "      {:of$}  {:what$}  -> {advice}", "", "")?;
            }
        }
        Ok(())
    }
}

/// Asks everybody.
pub(super) fn report(config: &Config) -> io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(async {
        let providers = join_all(config.providers.iter().map(|provider| of_provider(config, provider)));
        let apps = join_all(config.apps.iter().map(|app| of_app(app)));
        let (providers, apps) = tokio::join!(providers, apps);
        providers.into_iter().chain(apps).flatten().collect()
    });
    runtime.shutdown_background();
    Ok(Report(rows))
}

/// Those who sign in with this provider.
fn apps_of<'c>(config: &'c Config, provider: &Provider) -> impl Iterator<Item = &'c Arc<App>> {
    config.apps.iter().filter(|app| app.providers.iter().any(|of_app| of_app.id == provider.id))
}

async fn of_provider(config: &Config, provider: &Arc<Provider>) -> Vec<Row> {
    let of = format!("provider {}", provider.id);
    let of_apps = |name: &str| endpoints(apps_of(config, provider).map(AsRef::as_ref), &config.server, name);
    let redirect_uris = of_apps("/callback");
    let Some(redirect_uri) = redirect_uris.first() else {
        return vec![
            Row::new(Verdict::Warn, &of, "apps", "no app signs anybody in with it")
                .advise(format!("name \"{}\" in `providers` of an app, or remove it", provider.id)),
        ];
    };
    let mut rows = match RelyingParty::new(Arc::clone(provider), Clock::system(), Arc::new(|_, _| ())) {
        Ok(relying_party) => rehearsed(provider, &of, &relying_party.rehearse(redirect_uri).await),
        Err(error) => vec![no_client(&of, &error)],
    };
    let registered = |what, uri: &str| Row::new(Verdict::Note, &of, what, uri);
    rows.extend(redirect_uris.iter().map(|uri| {
        registered("redirect URI", uri)
            .advise("must be registered at the provider, to the letter; from here nobody can see that")
    }));
    rows.extend(
        of_apps("/signed_out")
            .iter()
            .map(|uri| registered("post-logout URI", uri).advise("to be registered for sign-outs that come back")),
    );
    rows
}

fn no_client(of: &str, error: &ClientError) -> Row {
    Row::new(Verdict::Fail, of, "TLS", error.to_string())
}

fn rehearsed(provider: &Provider, of: &str, rehearsal: &Rehearsal) -> Vec<Row> {
    let place = provider.discovery_url.as_ref().map_or("configured", |url| url.as_str());
    let metadata = match &rehearsal.metadata {
        Ok(metadata) => metadata,
        Err(error) => {
            let finding = format!("{place}: {error}");
            return vec![Row::new(Verdict::Fail, of, "metadata", finding).advise(without_metadata(error))];
        }
    };
    let mut rows = vec![Row::new(Verdict::Ok, of, "metadata", place), of_proofs(of, metadata)];
    rows.extend(rehearsal.keys.as_ref().map(|keys| of_keys(provider, of, keys)));
    let is_known_by_next = matches!(rehearsal.next_client, Some(Ok(ClientStanding::Known)));
    rows.extend(rehearsal.client.as_ref().map(|client| {
        match client {
            Ok(ClientStanding::Unknown) if is_known_by_next => {
                Row::new(Verdict::Warn, of, "client", "not known with client_secret any more (invalid_client)")
                    .advise("the provider has gone on to client_secret_next: make it client_secret")
            }
            client => of_client(provider, of, client),
        }
    }));
    rows.extend(rehearsal.next_client.as_ref().map(|client| of_next_client(of, client)));
    rows.extend(rehearsal.seconds_ahead.map(|seconds| of_clock(of, seconds)));
    if !metadata.offers_end_session() {
        rows.push(
            Row::new(Verdict::Note, of, "sign-out", "the provider offers no end-session endpoint")
                .advise("a sign-out ends our session only: the next sign-in may need no password"),
        );
    }
    rows
}

/// What to look at where there is no metadata, without which nobody can sign in.
fn without_metadata(error: &Error) -> &'static str {
    match error {
        Error::Unreachable { .. } | Error::TooSlow { .. } => {
            "nobody can sign in until it answers: is it up, and is the way there open (DNS, firewall, outbound proxy)?"
        }
        Error::Reply { fault: ReplyFault::Status(500..), .. } => {
            "nobody can sign in until it, or what is before it, works again"
        }
        Error::Reply { .. } | Error::Refused { .. } => {
            "nobody can sign in: is `issuer`, or `discovery_url`, the address of an OpenID Provider's metadata?"
        }
        Error::Rejected(_) => "nobody can sign in: compare `issuer` with what the provider calls itself",
    }
}

fn of_proofs(of: &str, metadata: &Metadata) -> Row {
    match metadata.offers_pkce() {
        Some(true) => Row::new(Verdict::Ok, of, "PKCE", "S256"),
        Some(false) => Row::new(Verdict::Warn, of, "PKCE", "the provider does not list S256")
            .advise("it is sent all the same; a provider that refuses it cannot be used"),
        None => Row::new(Verdict::Note, of, "PKCE", "the provider does not say; S256 is sent"),
    }
}

fn of_keys(provider: &Provider, of: &str, keys: &Result<usize, Error>) -> Row {
    let by_secret = provider.id_token_alg.is_some_and(SigningAlgorithm::is_symmetric);
    match keys {
        Ok(_) if by_secret => Row::new(Verdict::Ok, of, "keys", "ID tokens are keyed by the client secret"),
        Ok(0) => Row::new(Verdict::Fail, of, "keys", "none that could sign an ID token that we accept")
            .advise("compare `id_token_signed_response_alg` with the provider's key set"),
        Ok(1) => Row::new(Verdict::Ok, of, "keys", "1 usable key"),
        Ok(usable) => Row::new(Verdict::Ok, of, "keys", format!("{usable} usable keys")),
        Err(error) => Row::new(Verdict::Fail, of, "keys", error.to_string()).advise("without keys nobody can sign in"),
    }
}

fn of_client(provider: &Provider, of: &str, client: &Result<ClientStanding, Error>) -> Row {
    let row = |verdict, finding: &str| Row::new(verdict, of, "client", finding);
    let is_public = matches!(provider.client_auth, ClientAuth::None);
    match client {
        Ok(ClientStanding::Known) if is_public => {
            row(Verdict::Ok, "known as a public client (a code that was never issued is refused as that)")
        }
        Ok(ClientStanding::Known) => {
            row(Verdict::Ok, "known with its secret (a code that was never issued is refused as that)")
        }
        Ok(ClientStanding::Unknown) if is_public => row(Verdict::Fail, "not known without a secret (invalid_client)")
            .advise("compare client_id with the registration; is it a public client there?"),
        Ok(ClientStanding::Unknown) => row(Verdict::Fail, "not known with this secret (invalid_client)")
            .advise("compare client_id, client_secret and client_auth with the registration"),
        Ok(ClientStanding::NoCodes) => row(Verdict::Fail, "known, and may not use the authorization code grant")
            .advise("allow that grant for this client at the provider"),
        Ok(ClientStanding::Unclear(code)) => {
            Row::new(Verdict::Note, of, "client", format!("cannot be told from here: the answer is {code}"))
                .advise("sign in once to see")
        }
        Ok(ClientStanding::Gullible) => row(Verdict::Fail, "the token endpoint takes a code that it never issued")
            .advise("whatever answers at `token_endpoint`, it is no OpenID Provider"),
        Err(error) => Row::new(Verdict::Fail, of, "client", error.to_string())
            .advise("codes are redeemed there: nobody can sign in until it answers"),
    }
}

/// Of the second secret nothing is expected before its time.
fn of_next_client(of: &str, client: &Result<ClientStanding, Error>) -> Row {
    match client {
        Ok(ClientStanding::Known) => Row::new(Verdict::Ok, of, "next secret", "known with client_secret_next"),
        Ok(ClientStanding::Unknown) => {
            Row::new(Verdict::Note, of, "next secret", "not known with client_secret_next yet")
                .advise("it is tried when client_secret is refused")
        }
        Ok(_) => Row::new(Verdict::Note, of, "next secret", "cannot be told from here"),
        Err(error) => Row::new(Verdict::Note, of, "next secret", error.to_string()),
    }
}

fn of_clock(of: &str, seconds_ahead: i64) -> Row {
    let verdict = match seconds_ahead.unsigned_abs() {
        seconds if seconds > LEEWAY => Verdict::Fail,
        seconds if seconds > NOTABLE => Verdict::Warn,
        _ => Verdict::Ok,
    };
    let finding = match seconds_ahead {
        0 => "the same as the provider's".to_owned(),
        1.. => format!("{seconds_ahead} s ahead of the provider's"),
        _ => format!("{} s behind the provider's", seconds_ahead.abs()),
    };
    let row = Row::new(verdict, of, "clock", finding);
    if verdict == Verdict::Ok {
        return row;
    }
    row.advise(format!("set it right (NTP): above {LEEWAY} s ID tokens are refused"))
}

async fn of_app(app: &App) -> Vec<Row> {
    let of = format!("app {}", app.id);
    let Some(upstream) = &app.upstream else {
        return vec![Row::new(
            Verdict::Note,
            &of,
            "upstream",
            "none: a proxy in front asks at /auth, and has the way to it",
        )];
    };
    let limit: Duration = app.limits.connect;
    let reached = match Connector::new(upstream) {
        Ok(connector) => match timeout(limit, connector.reach()).await {
            Ok(reached) => reached.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {limit:?} (limits.connect)")),
        },
        Err(error) => Err(error.to_string()),
    };
    let origin = upstream.origin();
    vec![match reached {
        Ok(()) => Row::new(Verdict::Ok, &of, "upstream", origin),
        Err(error) => Row::new(Verdict::Fail, &of, "upstream", format!("{origin}: {error}"))
            .advise("start the app, or correct `upstream`; until then visitors get 502"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relying_party::Rejection;

    #[test]
    fn a_clock_is_judged_by_the_leeway_that_tokens_have() {
        for (seconds, verdict, finding) in [
            (0, Verdict::Ok, "the same as the provider's"),
            (-30, Verdict::Ok, "30 s behind the provider's"),
            (31, Verdict::Warn, "31 s ahead of the provider's"),
            (-60, Verdict::Warn, "60 s behind the provider's"),
            (61, Verdict::Fail, "61 s ahead of the provider's"),
        ] {
            let row = of_clock("provider company", seconds);
            assert_eq!((row.verdict, row.finding.as_str()), (verdict, finding));
            assert_eq!(row.advice.is_some(), verdict != Verdict::Ok, "{seconds}");
        }
    }

    #[test]
    fn advice_about_metadata_is_by_what_went_wrong() {
        let call = crate::relying_party::Call::Discovery;
        let reply = |status| Error::Reply { call, fault: ReplyFault::Status(status) };
        for (error, part) in [
            (Error::Unreachable { call, cause: "refused".into() }, "is it up"),
            (Error::TooSlow { call }, "is it up"),
            (reply(503), "works again"),
            (reply(404), "the address of an OpenID Provider's metadata"),
            (Error::Rejected(Rejection::MetadataIssuer), "compare `issuer`"),
        ] {
            assert!(without_metadata(&error).contains(part), "{error}");
        }
    }

    #[test]
    fn the_table_is_aligned_and_advice_stands_below_its_finding() {
        let report = Report(vec![
            Row::new(Verdict::Ok, "provider company", "keys", "2 usable keys"),
            Row::new(Verdict::Fail, "app wiki", "upstream", "refused").advise("start the app"),
        ]);
        insta::assert_snapshot!(report, @r"
        ok    provider company  keys      2 usable keys
        FAIL  app wiki          upstream  refused
                                          -> start the app
        ");
        assert!(!report.is_good());
    }
}
