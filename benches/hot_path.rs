//! What an authenticated request costs between hyper's two sides: target, cookie,
//! session, decision, the head for the upstream.
//!
//! ```text
//! cargo bench --bench hot_path
//! ```

use std::{hint::black_box, net::IpAddr, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, request::Parts};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use vestibule::{
    access::{AppRules, Decision, SignedIn, Standing},
    clock::Clock,
    config::Config,
    forward::{AssertionSigner, Front, IdentityHeaders, make_upstream_head},
    identity::{EmailAddress, EmailTrust, Issuer, ProviderId, Subject, Visitor},
    meter::Meter,
    random::Random,
    request::{Client, Fields, Peer, Target, framing},
    seal::KeyRing,
    session::{CookieSecret, Guest, Home, NewSession, Recent, Sessions, Tokens, cookie::CookieNames},
    store::MemoryStore,
};

/// As many as the comparison with other proxies uses.
const SESSIONS: usize = 10_000;

const CONFIGURATION: &str = r#"
[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"
client_secret = "0123456789abcdef"

[[app]]
id = "wiki"
public_url = "http://127.0.0.1:4180"
upstream = "http://127.0.0.1:8080"

[app.access]
policy = "listed"
allow = [{ email_domain = "example.com" }]

[[app.route]]
path = "/public/**"
access = "public"
"#;

const BROWSER: [(&str, &str); 15] = [
    ("host", "127.0.0.1:4180"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("cache-control", "max-age=0"),
    ("dnt", "1"),
    ("priority", "u=0, i"),
    ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Not?A_Brand\";v=\"99\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("upgrade-insecure-requests", "1"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
];

struct Fixture {
    /// Keeps the feed of endings followed.
    _background: Runtime,
    config: Config,
    rules: AppRules,
    front: Front,
    names: CookieNames,
    sessions: Arc<Sessions>,
    clock: Clock,
    recent: Recent<(Standing, IdentityHeaders)>,
    heads: Vec<HeaderMap>,
}

fn fixture() -> Fixture {
    let background = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let config = Config::parse("bench.toml", CONFIGURATION).expect("a valid configuration");
    let app = &config.apps[0];
    let rules = AppRules::compile(app);
    let names = CookieNames::of(app);
    let store = Arc::new(MemoryStore::new());
    let (clock, random) = (Clock::system(), Random::system());
    let recent = Recent::new(&random);
    let sessions = Arc::new(Sessions::new(
        store.clone(),
        store,
        config.session.longest,
        clock.clone(),
        random,
        Meter::new(&clock),
        background.handle().clone(),
    ));
    background.spawn(Arc::clone(&sessions).follow_feed(CancellationToken::new()));
    while !sessions.is_ready() {
        std::thread::yield_now();
    }
    let heads = (0..SESSIONS).map(|n| background.block_on(signed_in(&sessions, &config, &names, n))).collect();
    let signer = AssertionSigner::new(&KeyRing::generated(&Random::system()), background.handle().clone());
    let front = Front::new(app, &rules, &Arc::new(signer));
    Fixture { _background: background, rules, front, names, clock, sessions, recent, heads, config }
}

/// The head of a browser that is signed in as the `n`-th visitor.
async fn signed_in(sessions: &Sessions, config: &Config, names: &CookieNames, n: usize) -> HeaderMap {
    let visitor = Visitor {
        provider: ProviderId::new("company"),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new(format!("subject-{n}")),
        user: Some(format!("subject-{n}")),
        email: EmailAddress::parse(&format!("visitor{n}@example.com")).ok(),
        email_trust: EmailTrust::Trusted,
        name: None,
        preferred_username: Some(format!("visitor{n}")),
        groups: vec!["staff".to_owned()],
        claims: Vec::new(),
    };
    let new = NewSession {
        visitor,
        terms: String::new(),
        auth_time: None,
        provider_session: None,
        landed: None,
        tokens: Tokens::default(),
        id_token: None,
    };
    let (secret, _) = sessions.open(&Home::of(&config.apps[0]), new).await.expect("the memory store answers");
    let cookie = names.set(&names.session(), secret.expose(), vestibule::session::cookie::Keep::UntilBrowserCloses);
    let pair = cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    let mut headers = HeaderMap::new();
    for (name, value) in BROWSER {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert("cookie", HeaderValue::from_bytes(&pair).expect("a cookie"));
    headers
}

fn request(headers: HeaderMap) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = Uri::from_static("/wiki/Some_page?action=view");
    head.headers = headers;
    head
}

impl Fixture {
    fn session(&self, headers: &HeaderMap) -> Arc<Guest<(Standing, IdentityHeaders)>> {
        let home = Home::of(&self.config.apps[0]);
        let cookie = self.names.session_value(headers).expect("the cookie is there");
        let tag = self.recent.tag(0, cookie);
        self.recent.get(tag, &self.sessions, self.clock.moment(), |made| made.1.look_ahead()).unwrap_or_else(|| {
            let secret = CookieSecret::parse(cookie).expect("our own spelling");
            let found = self.sessions.resolve(&home, &secret).now_or_never().expect("it is in memory");
            let session = found.expect("the store is up").expect("it lives");
            let made = (self.rules.judge(session.visitor()), self.front.identity_headers(&session));
            self.recent.keep(tag, session, made)
        })
    }

    fn decide<'s>(
        &self,
        target: &Target,
        client: IpAddr,
        guest: &'s Guest<(Standing, IdentityHeaders)>,
    ) -> Decision<'s> {
        let demand = self.rules.demand(&Method::GET, target);
        let (visitor, standing) = (guest.session().visitor(), &guest.made().0);
        let signed_in = SignedIn { visitor, standing, ended: guest.pulse().ended() };
        self.rules.decide(&demand, client, Some(signed_in))
    }
}

/// The same app with so many routes.
fn rules_of(routes: usize) -> AppRules {
    let lines = |n: usize| match n % 4 {
        0 => format!("path = \"/static/v{n}/**\"\naccess = \"public\"\n"),
        1 => format!("path = \"/team{n}/*/settings/**\"\naccess = {{ allow = [{{ group = \"ops{n}\" }}] }}\n"),
        2 => format!("path = \"/api/v{n}/*\"\nmethods = [\"GET\"]\naccess = \"optional\"\n"),
        _ => format!("path = \"/docs/{n}\"\naccess = \"anyone\"\n"),
    };
    let app = CONFIGURATION.split("[[app.route]]\n").next().unwrap_or_default().to_owned();
    let text = std::iter::once(app).chain((0..routes).map(lines)).collect::<Vec<_>>().join("[[app.route]]\n");
    let config = Config::parse("bench.toml", &text).expect("a valid configuration");
    AppRules::compile(&config.apps[0])
}

fn routes(criterion: &mut Criterion) {
    for (name, path) in [
        ("no route, capitals", "/wiki/Some_page?action=view"),
        ("no route, plain", "/wiki/some_page"),
        ("a public route", "/static/v4/img/logo.png"),
        ("a route that narrows", "/team1/wiki/settings/users"),
        ("escapes that may mean several things", "/wiki/a%2fb;c/D"),
    ] {
        let target = Target::parse(&Uri::from_static(path)).expect("a target");
        for count in [1, 10, 1000] {
            let rules = rules_of(count);
            criterion.bench_function(&format!("{count} routes: {name}"), |bench| {
                bench.iter(|| rules.demand(&Method::GET, black_box(&target)));
            });
        }
    }
}

fn hot_path(criterion: &mut Criterion) {
    let fixture = fixture();
    let peer = Peer::new(IpAddr::from([127, 0, 0, 1]), &[]);
    let started = fixture.clock.moment();
    let mut turn = (0..SESSIONS).cycle().map(|n| &fixture.heads[n * 7919 % SESSIONS]);
    let hot = fixture.heads[0].clone();

    criterion.bench_function("target: read and judged", |bench| {
        let uri = Uri::from_static("/wiki/Some_page?action=view");
        bench.iter(|| Target::parse(black_box(&uri)));
    });
    criterion.bench_function("cookie to session, one hot session", |bench| {
        bench.iter(|| fixture.session(black_box(&hot)));
    });
    criterion.bench_function("cookie to session, 10,000 in turn", |bench| {
        bench.iter(|| fixture.session(turn.next().expect("a cycle does not end")));
    });
    criterion.bench_function("session to decision", |bench| {
        let session = fixture.session(&hot);
        let target = Target::parse(&Uri::from_static("/wiki/Some_page?action=view")).expect("a plain target");
        bench.iter(|| fixture.decide(black_box(&target), peer.address(), &session));
    });
    criterion.bench_function("head for the upstream", |bench| {
        let session = fixture.session(&hot);
        let client = Client::resolve(&peer, &hot, &[]);
        bench.iter_batched(
            || hot.clone(),
            |mut headers| {
                let id = HeaderValue::from_static("0123456789abcdef");
                let removals = Fields::read(&headers).into_removals();
                let identity = Some(&session.made().1);
                make_upstream_head(&fixture.front, identity, &client, (id, started), &mut headers, removals);
                headers
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("all of it, 10,000 sessions in turn", |bench| {
        bench.iter_batched(
            || request(turn.next().expect("a cycle does not end").clone()),
            |mut head| {
                let fields = Fields::read(&head.headers);
                framing::check(&head, &fields).expect("well framed");
                let removals = fields.into_removals();
                let client = Client::resolve(&peer, &head.headers, &[]);
                let target = Target::parse(&head.uri).expect("a plain target");
                let session = fixture.session(&head.headers);
                let decision = fixture.decide(&target, client.address(), &session);
                assert!(matches!(decision, Decision::Permit(_)), "they are on the list");
                let id = HeaderValue::from_static("0123456789abcdef");
                let identity = Some(&session.made().1);
                make_upstream_head(&fixture.front, identity, &client, (id, started), &mut head.headers, removals);
                head
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, routes, hot_path);
criterion_main!(benches);
