//! What an operator would write, section by section, in the final names.

use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;
use socket2::{Domain, Socket, Type};
use url::Url;

/// How Vestibule is known at the provider.
pub(crate) const CLIENT_ID: &str = "vestibule-of-the-wiki";
/// And by what; odd enough to show a client that forgets to encode it (RFC 6749 §2.3.1).
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret/+:%";

/// A `vestibule.toml` in its making. Each section's lines come after the usual ones
/// and take the place of those with the same key.
#[derive(Clone)]
pub(crate) struct Configuration {
    server: String,
    tls: String,
    limits: String,
    log: String,
    keys: String,
    session: String,
    provider: String,
    app: String,
    app_tables: String,
    access: String,
    routes: String,
    more: String,
    public_host: String,
    public_path: String,
    scheme: &'static str,
    pub(super) roots: Vec<CertificateDer<'static>>,
}

impl Configuration {
    /// One provider, one app that lets anyone in who signs in.
    pub(super) fn usual() -> Self {
        let empty = String::new;
        Self {
            server: empty(),
            tls: empty(),
            limits: empty(),
            log: empty(),
            keys: empty(),
            session: empty(),
            provider: empty(),
            app: empty(),
            app_tables: empty(),
            access: empty(),
            routes: empty(),
            more: empty(),
            public_host: "127.0.0.1".to_owned(),
            public_path: String::new(),
            scheme: "http",
            roots: Vec::new(),
        }
    }

    /// `[server]`
    pub(crate) fn server(self, lines: &str) -> Self {
        Self { server: lines.to_owned(), ..self }
    }

    /// `[server.limits]`
    pub(crate) fn limits(self, lines: &str) -> Self {
        Self { limits: lines.to_owned(), ..self }
    }

    /// `[log]`
    pub(crate) fn log(self, lines: &str) -> Self {
        Self { log: lines.to_owned(), ..self }
    }

    /// `[keys]`
    pub(crate) fn keys(self, lines: &str) -> Self {
        Self { keys: lines.to_owned(), ..self }
    }

    /// `[session]`
    pub(crate) fn session(self, lines: &str) -> Self {
        Self { session: lines.to_owned(), ..self }
    }

    /// `[[provider]]`
    pub(crate) fn provider(self, lines: &str) -> Self {
        Self { provider: lines.to_owned(), ..self }
    }

    /// `[[app]]`
    pub(crate) fn app(self, lines: &str) -> Self {
        Self { app: lines.to_owned(), ..self }
    }

    /// `[app.tls]` and other tables of the app, with their headings.
    pub(crate) fn app_tables(self, tables: &str) -> Self {
        Self { app_tables: tables.to_owned(), ..self }
    }

    /// `[app.access]`
    pub(crate) fn access(self, lines: &str) -> Self {
        Self { access: lines.to_owned(), ..self }
    }

    /// One more `[[app.route]]`.
    pub(crate) fn route(self, lines: &str) -> Self {
        Self { routes: format!("{}[[app.route]]\n{lines}\n", self.routes), ..self }
    }

    /// One more that is public.
    pub(crate) fn public(self, path: &str) -> Self {
        self.route(&format!("path = {path:?}\naccess = \"public\""))
    }

    /// One more that is public for some methods.
    pub(crate) fn public_for(self, path: &str, methods: &str) -> Self {
        self.route(&format!("path = {path:?}\nmethods = {methods}\naccess = \"public\""))
    }

    /// Whatever comes after the app: further providers and apps, with their headings.
    /// `PORT`, `ISSUER` and `UPSTREAM` (host and port) stand for what the first ones have.
    pub(crate) fn more(self, tables: &str) -> Self {
        Self { more: tables.to_owned(), ..self }
    }

    /// Another host for the app than 127.0.0.1.
    pub(crate) fn public_host(self, host: &str) -> Self {
        Self { public_host: host.to_owned(), ..self }
    }

    /// A path that the app lies below: `/wiki`.
    pub(crate) fn public_path(self, path: &str) -> Self {
        Self { public_path: path.to_owned(), ..self }
    }

    /// `[server.tls]`, an https public URL, and browsers that trust it.
    pub(crate) fn tls(self, lines: &str, root: CertificateDer<'static>) -> Self {
        Self { tls: lines.to_owned(), scheme: "https", roots: vec![root], ..self }
    }

    /// A public URL in https, although visitors come in the clear: a proxy in front has the TLS.
    pub(crate) fn behind_tls(self) -> Self {
        Self { scheme: "https", ..self }
    }

    /// `public_url`, at this port.
    pub(super) fn public_url(&self, port: u16) -> Url {
        let text = format!("{}://{}:{port}{}/", self.scheme, self.public_host, self.public_path);
        Url::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The file.
    pub(super) fn text(&self, port: u16, issuer: &str, upstream: SocketAddr) -> String {
        let public_url = self.public_url(port);
        let public_url = public_url.as_str().trim_end_matches('/');
        let mut text = String::new();
        let server = [
            format!("listen = [\"127.0.0.1:{port}\"]"),
            "ops_listen = \"127.0.0.1:0\"".to_owned(),
            "workers = 1".to_owned(),
            "drain_delay = \"0s\"".to_owned(),
            "drain_timeout = \"5s\"".to_owned(),
        ];
        let provider = [
            "id = \"company\"".to_owned(),
            format!("issuer = {issuer:?}"),
            format!("client_id = {CLIENT_ID:?}"),
            format!("client_secret = {CLIENT_SECRET:?}"),
        ];
        let app = [
            "id = \"wiki\"".to_owned(),
            "name = \"Team wiki\"".to_owned(),
            format!("public_url = {public_url:?}"),
            format!("upstream = \"http://{upstream}\""),
        ];
        section(&mut text, "[server]", &server, &self.server);
        if !self.tls.is_empty() {
            section(&mut text, "[server.tls]", &[], &self.tls);
        }
        section(&mut text, "[server.limits]", &[], &self.limits);
        section(&mut text, "[log]", &[], &self.log);
        if !self.keys.is_empty() {
            section(&mut text, "[keys]", &[], &self.keys);
        }
        section(&mut text, "[session]", &[], &self.session);
        section(&mut text, "[[provider]]", &provider, &self.provider);
        section(&mut text, "[[app]]", &app, &self.app);
        text += &self.app_tables;
        section(&mut text, "\n[app.access]", &["policy = \"anyone\"".to_owned()], &self.access);
        text += &self.routes;
        text += &self
            .more
            .replace("PORT", &port.to_string())
            .replace("ISSUER", issuer)
            .replace("UPSTREAM", &upstream.to_string());
        text
    }
}

fn section(text: &mut String, heading: &str, usual: &[String], lines: &str) {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let replaced: Vec<_> = lines.lines().map(key).collect();
    let kept = usual.iter().map(String::as_str).filter(|line| !replaced.contains(&key(line)));
    for line in std::iter::once(heading).chain(kept).chain(lines.lines()) {
        text.push_str(line);
        text.push('\n');
    }
}

/// A port that is nobody else's until Vestibule listens there.
///
/// The public URL is part of the configuration and of the client's registration, so
/// its port must be known before the start. A bound socket that does not listen keeps
/// it: the kernel gives the port to no one who asks for any, and lets another socket
/// listen there as long as both allow the address to be used again.
pub(super) struct Reservation {
    socket: Socket,
}

impl Reservation {
    pub(super) fn make() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("a fresh socket takes options");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any_port.into()).expect("a free port");
        Self { socket }
    }

    pub(super) fn port(&self) -> u16 {
        let address = self.socket.local_addr().ok().and_then(|address| address.as_socket());
        address.expect("a bound socket has an address").port()
    }
}
