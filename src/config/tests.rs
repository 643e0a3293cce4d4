//! What the language makes of a file that is right: defaults and meanings.

use std::{fs, num::NonZero, path::PathBuf, sync::LazyLock, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::config::{
    access::{Narrowing, RouteAccess},
    app::{BasePath, Encoding, Paths, Preset, Scheme, SessionCookie, Slashes},
    provider::{ClientAuth, TrustEmail, UserInfo},
    session::{CookieReach, Persistence, SameSite},
    upstream::{UpstreamUrl, Verification},
};

mod catalogue;
mod changed_files;
mod faults;
mod files;
mod hostile;
mod published;
mod reference;
mod sessions;

/// What every file needs, and nothing else.
const MINIMAL: &str = r#"
[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:8080"

[app.access]
policy = "anyone"
"#;

fn parse(text: &str) -> Result<Config, Faults> {
    let config = Config::parse_with("vestibule.toml", text, &|name| match name {
        "PORT" => Some("4444".into()),
        "WORD" => Some("word".into()),
        // The second is secret only by where it is used.
        "SECRET" | "CREW" => Some("hunter2".into()),
        _ => None,
    })?;
    // An editor must not underline what is right.
    conforms(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    Ok(config)
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(&schema()).expect("the schema is JSON");
    jsonschema::draft202012::new(&schema).expect("the schema is one of draft 2020-12")
});

/// What the schema says of a file.
fn conforms(text: &str) -> Result<(), String> {
    let table = toml::from_str::<toml::Table>(text).map_err(|error| error.to_string())?;
    let faults: Vec<_> = SCHEMA
        .iter_errors(&json(&toml::Value::Table(table)))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// A value of TOML as editors hand it to a schema: a date is a string.
fn json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn accepted(text: &str) -> Config {
    parse(text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Where the app of a test is: only an app without a way to it has none.
fn upstream_of(app: &App) -> &UpstreamUrl {
    app.upstream.as_ref().expect("this app has an upstream")
}

/// A folder with everything that the samples name beside themselves.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tls", "metrics", "app"] {
        let pair = rcgen::generate_simple_self_signed([format!("{name}.example.com")]).expect("a certificate");
        write(&folder, &format!("{name}.crt"), &pair.cert.pem());
        write(&folder, &format!("{name}.key"), &pair.signing_key.serialize_pem());
        write(&folder, "ca.pem", &pair.cert.pem());
    }
    for name in ["client-secret", "company-secret", "partners-secret"] {
        write(&folder, name, "s3cr3t\n");
    }
    write(&folder, "client-secret-next", "another\n");
    write(&folder, "keys", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file is written");
    path
}

#[test]
fn what_is_not_written_has_the_defaults_of_the_contract() {
    let config = accepted(MINIMAL);
    let server = &config.server;
    assert_eq!(server.listen, [Listen::Tcp("127.0.0.1:4180".parse().expect("an address"))]);
    assert_eq!((server.unix_peers, server.proxy_protocol), (UnixPeers::Untrusted, ProxyProtocol::Off));
    assert_eq!(server.limits.connections.map(std::num::NonZero::get), Some(20_000));
    assert_eq!(server.ops_listen, Some("127.0.0.1:4181".parse().expect("an address")));
    assert_eq!(server.prefix, "/_vestibule");
    assert!(server.trusted_proxies.is_empty() && server.tls.is_none());
    assert_eq!((server.drain_delay, server.drain_timeout), (Duration::from_secs(5), Duration::from_secs(20)));
    assert!(server.workers.get() >= 1);
    assert_eq!((server.limits.header_bytes, server.limits.header_count), (65_536, 100));
    assert_eq!((server.limits.uri_bytes, server.limits.connections.map(NonZero::get)), (16_384, Some(20_000)));
    assert_eq!(server.limits.header_timeout, Duration::from_secs(10));
    assert_eq!(server.limits.keepalive, Duration::from_secs(75));
    assert_eq!(server.limits.sign_ins_per_client.map(NonZero::get), Some(600));
    assert_eq!((config.log.level.as_str(), config.log.format, config.log.access), ("info", LogFormat::Auto, true));
    assert!(config.keys.is_empty());
    assert_eq!(config.session.store, SessionStore::Memory);
    let times = SessionTimes { idle_timeout: Duration::from_hours(8), lifetime: Duration::from_hours(24) };
    assert_eq!(config.session.longest, times);
    let provider = &config.providers[0];
    assert_eq!(provider.issuer.as_str(), "https://id.example.com");
    assert_eq!(
        provider.discovery_url.as_ref().map(url::Url::as_str),
        Some("https://id.example.com/.well-known/openid-configuration")
    );
    assert!(matches!(provider.client_auth, ClientAuth::None));
    assert_eq!(provider.scopes, ["openid", "profile", "email"]);
    assert_eq!((provider.id_token_alg, provider.trust_email), (None, TrustEmail::Verified));
    assert_eq!((provider.userinfo, provider.display_name.as_str()), (UserInfo::Auto, "company"));
    assert_eq!((provider.claims.user.as_str(), provider.claims.groups.as_str()), ("sub", "groups"));
    let app = &config.apps[0];
    assert_eq!((app.name.as_str(), app.hosts.as_slice()), ("wiki", ["wiki.example.com".to_owned()].as_slice()));
    assert_eq!((app.public_url.scheme, app.public_url.port), (Scheme::Https, 443));
    assert_eq!(upstream_of(app).origin(), "http://127.0.0.1:8080");
    assert!(app.preserve_host && app.routes.is_empty());
    assert_eq!(app.session.times, times);
    let cookie = SessionCookie {
        name: "vestibule".to_owned(),
        reach: CookieReach::App,
        same_site: SameSite::Lax,
        persistence: Persistence::UntilBrowserCloses,
    };
    assert_eq!(app.session.cookie, cookie);
    assert_eq!(app.redirect_uri("/_vestibule"), "https://wiki.example.com/_vestibule/callback");
    assert!(app.sign_out.paths.is_empty() && app.sign_out.clear_cookies.is_empty());
    assert!(app.sign_out.default_url.is_none() && app.sign_out.further_urls.is_empty());
    assert!(Arc::ptr_eq(&app.providers[0], provider));
    assert_eq!((app.limits.body_bytes, app.limits.connect), (None, Duration::from_secs(5)));
    let headers = &app.headers;
    assert_eq!((headers.preset, headers.encoding, headers.authorization), (Preset::Forwarded, Encoding::Percent, None));
    assert!(headers.drop.is_empty() && headers.set.is_empty() && headers.pass_groups.is_empty());
    assert!(!headers.assertion && !headers.access_token && provider.kept_tokens.is_empty());
    assert_eq!(app.cache, Cache::Private);
    assert_eq!(app.limits.first_byte, Some(Duration::from_mins(5)));
    assert_eq!(app.limits.idle, Some(Duration::from_hours(1)));
    // The store is in memory because nobody said anything, and that is worth a line.
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn a_provider_keeps_the_claims_and_tokens_that_its_own_apps_are_told() {
    let second = "\n[[provider]]\nid = \"partners\"\nissuer = \"https://id.example.net\"\nclient_id = \"x\"\n\
                  [[app]]\nid = \"files\"\nproviders = [\"partners\"]\npublic_url = \"https://files.example.com\"\n\
                  upstream = \"http://127.0.0.1:1\"\n[app.access]\npolicy = \"anyone\"\n\
                  [app.headers]\nauthorization = \"id_token\"\nset = { X-Floor = { claim = \"office.floor\" } }\n";
    let first = MINIMAL.replace("id = \"wiki\"\npublic", "id = \"wiki\"\nproviders = [\"company\"]\npublic");
    let access_token = "\n[app.headers]\naccess_token = true\nset = { X-Number = { claim = \"number\" } }\n";
    let config = accepted(&format!("{first}{access_token}{second}"));
    let kept: Vec<_> = config
        .providers
        .iter()
        .map(|provider| (provider.id.as_str(), provider.kept_tokens.as_slice(), provider.kept_claims.as_slice()))
        .collect();
    assert_eq!(
        kept,
        [
            ("company", &[BearerToken::AccessToken][..], &["number".to_owned()][..]),
            ("partners", &[BearerToken::IdToken], &["office.floor".to_owned()]),
        ]
    );
}

#[test]
fn an_issuer_is_kept_as_it_is_written() {
    for issuer in ["https://id.example.com/", "https://id.example.com/realms/X", "http://localhost:8080"] {
        let config = accepted(&MINIMAL.replace("https://id.example.com", issuer));
        assert_eq!(config.providers[0].issuer.as_str(), issuer);
    }
}

#[test]
fn metadata_is_fetched_as_long_as_an_endpoint_that_is_needed_is_not_named() {
    const HOST: &str = "https://id.example.com";
    let provider = |keys: &str| {
        let text = MINIMAL.replace("client_id =", &format!("{keys}\nclient_id ="));
        accepted(&text.replace("= \"/", &format!("= \"{HOST}/")))
    };
    let (two, keys) = ("authorization_endpoint = \"/a?x\"\ntoken_endpoint = \"/t\"\n", "jwks_uri = \"/k\"\n");
    for (lines, fetched) in [
        (two.to_owned(), true),
        (format!("{two}{keys}"), false),
        (format!("{two}{keys}userinfo = \"always\""), true),
        (format!("{two}{keys}userinfo = \"always\"\nuserinfo_endpoint = \"/u\""), false),
        (format!("{two}id_token_signed_response_alg = \"HS256\"\nclient_secret = \"x\""), false),
        (format!("{two}{keys}discovery_url = \"/d\""), false),
    ] {
        let config = provider(&lines);
        assert_eq!(config.providers[0].discovery_url.is_some(), fetched, "{lines}");
        let warned = config.warnings.iter().any(|warning| warning.contains("`discovery_url` is not used"));
        assert_eq!(warned, lines.contains("discovery_url"), "{lines}");
    }
}

#[test]
fn it_listens_on_addresses_on_files_and_on_what_systemd_holds() {
    let unix = |path: &str, mode| Listen::Unix(UnixSocket { path: PathBuf::from(path), mode });
    for (text, expected) in [
        ("[::1]:80", Listen::Tcp("[::1]:80".parse().expect("an address"))),
        ("unix:/run/vestibule.sock", unix("/run/vestibule.sock", 0o660)),
        ("unix:/run/vestibule.sock?mode=0600", unix("/run/vestibule.sock", 0o600)),
        ("unix:/run/vestibule.sock?mode=777", unix("/run/vestibule.sock", 0o777)),
        ("systemd:", Listen::Systemd(None)),
        ("systemd:vestibule.socket", Listen::Systemd(Some("vestibule.socket".to_owned()))),
    ] {
        let config = accepted(&format!("server.listen = [\"{text}\"]\n{MINIMAL}"));
        assert_eq!(config.server.listen, [expected], "{text}");
    }
    let config = accepted(&format!(
        "server.listen = [\"unix:/a\", \"127.0.0.1:0\", \"127.0.0.1:0\"]\nserver.trusted_proxies = [\"unix\", \"10.0.0.0/8\"]\n\
         server.proxy_protocol = true\nserver.limits.connections = 0\n{MINIMAL}"
    ));
    let server = config.server;
    assert_eq!((server.listen.len(), server.unix_peers, server.trusted_proxies.len()), (3, UnixPeers::Trusted, 1));
    assert_eq!((server.proxy_protocol, server.limits.connections), (ProxyProtocol::Required, None));
}

#[test]
fn an_empty_string_or_zero_is_off() {
    let config = accepted(&format!(
        "server.ops_listen = \"\"\nserver.limits.sign_ins_per_client = \"\"\nserver.drain_delay = 0\n{MINIMAL}"
    ));
    assert_eq!((config.server.ops_listen, config.server.limits.sign_ins_per_client), (None, None));
    assert_eq!(config.server.drain_delay, Duration::ZERO);
    assert_eq!(
        accepted(&format!("server.limits.sign_ins_per_client = 0\n{MINIMAL}")).server.limits.sign_ins_per_client,
        None
    );
}

#[test]
fn an_app_without_bounds_has_none() {
    for off in ["0", "\"0\"", "\"\""] {
        let app = format!("limits = {{ body_bytes = {off}, first_byte = {off}, idle = {off} }}\npublic_url");
        let text = format!("server.limits.connections = 0\n{}", MINIMAL.replace("public_url", &app));
        let config = accepted(&text);
        assert_eq!(config.server.limits.connections, None);
        let limits = config.apps[0].limits;
        assert_eq!((limits.body_bytes, limits.first_byte, limits.idle), (None, None, None), "{off}");
    }
    let app = "limits = { body_bytes = \"10MiB\", idle = \"250ms\" }\npublic_url";
    let limits = accepted(&MINIMAL.replace("public_url", app)).apps[0].limits;
    assert_eq!(
        (limits.body_bytes.map(NonZero::get), limits.idle),
        (Some(10_485_760), Some(Duration::from_millis(250)))
    );
}

#[test]
fn the_environment_is_filled_into_strings() {
    let config = accepted(&MINIMAL.replace("127.0.0.1:8080", "${HOST:-127.0.0.1}:${PORT}"));
    assert_eq!(upstream_of(&config.apps[0]).origin(), "http://127.0.0.1:4444");
}

#[test]
fn a_key_ring_is_one_key_a_line_in_any_base64() {
    let (plain, url) = ("-_".repeat(24).replace('-', "+").replace('_', "/"), "-_".repeat(24));
    let unpadded = "A".repeat(43);
    let config =
        accepted(&format!("keys.secret = \"\"\"\n{plain}\n\n{url}\n {unpadded}\n{unpadded}=\n\"\"\"\n{MINIMAL}"));
    let lengths: Vec<_> = config.keys.iter().map(|key| key.expose().len()).collect();
    assert_eq!(lengths, [36, 36, 32, 32]);
    assert_eq!(config.keys[0], config.keys[1]);
}

#[test]
fn one_newline_at_the_end_of_a_secret_file_is_cut() {
    let folder = folder();
    for (content, expected) in [("a b", "a b"), ("a b\n", "a b"), ("a b\r\n", "a b")] {
        write(&folder, "secret", content);
        let text = MINIMAL.replace("client_id", "client_secret_file = \"secret\"\nclient_id");
        let config = Config::load(&[write(&folder, "vestibule.toml", &text)]).expect("a configuration");
        let ClientAuth::Basic(secret) = &config.providers[0].client_auth else { panic!("a secret means basic") };
        assert_eq!(secret.expose(), expected, "{content:?}");
    }
}

#[test]
fn hosts_are_folded_as_a_browser_folds_them() {
    let app = "public_url = \"https://Bücher.Example:8443\"\nhosts = [\"WIKI.example\", \"[::1]\"]";
    let config = accepted(&MINIMAL.replace("public_url = \"https://wiki.example.com\"", app));
    let app = &config.apps[0];
    assert_eq!(app.hosts, ["xn--bcher-kva.example", "wiki.example", "[::1]"]);
    assert_eq!(app.public_url.origin(), "https://xn--bcher-kva.example:8443");
}

#[test]
fn an_ipv6_upstream_has_no_brackets_for_the_resolver() {
    let config = accepted(&MINIMAL.replace("127.0.0.1:8080", "[::1]"));
    let to = upstream_of(&config.apps[0]).host_port().expect("an address");
    assert_eq!((to.host.as_str(), to.port), ("::1", 80));
}

#[test]
fn the_scheme_of_an_upstream_says_how_it_is_spoken_to() {
    let read = |url: &str| accepted(&MINIMAL.replace("http://127.0.0.1:8080", url)).apps.remove(0);
    for (url, kind, origin, authority) in [
        ("http://127.0.0.1", "Http(", "http://127.0.0.1", "127.0.0.1"),
        ("https://wiki.internal:443", "Https(", "https://wiki.internal", "wiki.internal"),
        ("h2c://[::1]:50051", "H2c(", "http://[::1]:50051", "[::1]:50051"),
        ("unix:/run/wiki.sock", "Unix(", "http://localhost", "localhost"),
    ] {
        let app = read(url);
        let upstream = upstream_of(&app);
        assert!(format!("{upstream:?}").starts_with(kind), "{upstream:?}");
        assert_eq!((upstream.origin().as_str(), upstream.authority().as_str()), (origin, authority));
    }
}

#[test]
fn an_upstream_that_need_not_prove_itself_is_warned_of() {
    let app = "upstream_tls = { insecure_skip_verify = true, server_name = \"wiki.internal\" }\npublic_url";
    let text = MINIMAL.replace("public_url", app).replace("http://127", "https://127");
    let config = accepted(&text);
    let UpstreamUrl::Https(_, tls) = upstream_of(&config.apps[0]) else { panic!("{:?}", config.apps[0].upstream) };
    assert_eq!(tls.verification, Verification::Skipped);
    assert_eq!(tls.server_name.to_str(), "wiki.internal");
    assert!(config.warnings.iter().any(|warning| warning.contains("insecure_skip_verify")), "{:?}", config.warnings);
    let accepted = accepted(&text.replace("true", "false"));
    assert!(!accepted.warnings.iter().any(|warning| warning.contains("insecure")), "{:?}", accepted.warnings);
}

#[test]
fn a_provider_keeps_the_claims_that_conditions_name() {
    let config = accepted(
        r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x" },
]
[[app]]
id = "one"
public_url = "https://one.example"
upstream = "http://127.0.0.1:1"
providers = ["a"]
access = { policy = "listed", allow = [{ claim = "hd", is = "x" }, { claim = "hd", is = "y" }] }
[[app]]
id = "two"
public_url = "https://two.example"
upstream = "http://127.0.0.1:2"
providers = ["b", "a"]
[app.access]
policy = "listed"
allow = [{ claim = "acr.level", is = "2", provider = "b" }]
deny = [{ claim = "amr", is = "pwd", provider = "a" }, { group = "left", provider = "b" }]
"#,
    );
    assert_eq!(config.providers[0].kept_claims, ["amr", "hd"]);
    assert_eq!(config.providers[1].kept_claims, ["acr.level"]);
    let order: Vec<_> = config.apps[1].providers.iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(order, ["b", "a"]);
}

#[test]
fn routes_are_kept_in_their_order() {
    let config = accepted(&format!(
        "{MINIMAL}\n[[app.route]]\npath = \"/a/**\"\naccess = \"public\"\n[[app.route]]\npath = \"/*/b\"\nmethods = [\"GET\", \
         \"PROPFIND\"]\naccess = \"public\"\n"
    ));
    let [first, second] = config.apps[0].routes.as_slice() else { panic!("two routes") };
    assert_eq!(
        (first.path.to_string().as_str(), &first.methods, &first.access),
        ("/a/**", &None, &RouteAccess::Public)
    );
    let methods: Vec<_> = second.methods.iter().flatten().map(http::Method::as_str).collect();
    assert_eq!((second.path.to_string().as_str(), methods.as_slice()), ("/*/b", ["GET", "PROPFIND"].as_slice()));
}

#[test]
fn a_route_says_who_may_pass_in_a_word_or_a_table() {
    let config = accepted(&MINIMAL.replace(
        "policy = \"anyone\"",
        r#"
policy = "anyone"
allow = [{ group = "staff" }]
[[app.route]]
path = "/optional"
access = "optional"
[[app.route]]
path = "/anyone"
access = "anyone"
[[app.route]]
path = "/listed/**"
access = "listed"
[[app.route]]
path = "/narrowed/**"
access = { allow = [{ group = "ops" }, { claim = "acr.level", is = "2" }], deny = [{ ip = "10.0.0.0/8" }] }
[[app.route]]
path = "/denied/**"
[app.route.access]
deny = [{ claim = "amr", is = "pwd" }]
"#,
    ));
    let routes = &config.apps[0].routes;
    let found: Vec<_> = routes.iter().map(|route| (route.path.to_string(), &route.access)).collect();
    let [optional, anyone, listed, narrowed, denied] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*optional, ("/optional".to_owned(), &RouteAccess::Optional));
    assert_eq!(*anyone, ("/anyone".to_owned(), &RouteAccess::Policy(Policy::Anyone)));
    assert_eq!(*listed, ("/listed/**".to_owned(), &RouteAccess::Policy(Policy::Listed)));
    let RouteAccess::Narrowed(narrowed) = narrowed.1 else { panic!("{narrowed:?}") };
    let shown: Vec<_> = narrowed.conditions().map(ToString::to_string).collect();
    assert_eq!(shown, ["{ group = \"ops\" }", "{ claim = \"acr.level\", is = \"2\" }", "{ ip = \"10.0.0.0/8\" }"]);
    assert!(matches!(denied.1, RouteAccess::Narrowed(Narrowing { allow: None, deny }) if deny.len() == 1));
    assert_eq!(config.providers[0].kept_claims, ["acr.level", "amr"], "sessions keep what a route looks at");
    let first = MINIMAL.lines().count() + 3;
    let lines: Vec<_> = routes.iter().map(|route| route.written.to_string()).collect();
    assert_eq!(lines[..2], [format!("vestibule.toml:{first}"), format!("vestibule.toml:{}", first + 3)]);
    assert_eq!(config.warnings, accepted(MINIMAL).warnings);
}

#[test]
fn a_route_that_narrows_one_path_is_a_warning_where_its_slash_is_left_open() {
    let with_routes = |access: &str, paths: &[&str]| {
        let routes = paths.iter().map(|path| format!("[[app.route]]\npath = {path:?}\naccess = {access}\n"));
        let with = accepted(&format!("{MINIMAL}\n{}", routes.collect::<String>())).warnings;
        with.len() - accepted(MINIMAL).warnings.len()
    };
    let narrows = "{ deny = [{ group = \"x\" }] }";
    assert_eq!(with_routes(narrows, &["/admin"]), 1);
    assert_eq!(with_routes(narrows, &["/users/*", "/a/b"]), 2);
    for harmless in
        [&["/admin/**"][..], &["/"], &["/admin", "/admin/"], &["/admin/", "/admin/x/**"], &["/a/b", "/a/**"]]
    {
        assert_eq!(with_routes(narrows, harmless), 0, "{harmless:?}");
    }
    assert_eq!(with_routes("\"public\"", &["/health"]), 0);
}

#[test]
fn what_is_allowed_and_dangerous_is_a_warning_with_its_line() {
    let provider = "trust_email = \"always\"\ninsecure_http = true\nissuer = \"http://id.example.com\"";
    let text = MINIMAL
        .replace("issuer = \"https://id.example.com\"", provider)
        .replace("public_url = \"https:", "insecure_http = true\npublic_url = \"http:")
        .replace("policy = \"anyone\"", "policy = \"listed\"\nallow = [{ claim = \"email\", is = \"a@b.c\" }]");
    let text = format!(
        "store.url = \"memory:\"\nserver.trusted_proxies = [\"0.0.0.0/0\"]\n{text}\n[[app.route]]\npath = \"/**\"\naccess = \
         \"public\"\n"
    );
    let warnings = accepted(&text).warnings;
    insta::assert_snapshot!(warnings.join("\n"), @r#"
    vestibule.toml:2: `trusted_proxies` holds 0.0.0.0/0: every client there can state its own address and host; no network of one's own is that wide
    vestibule.toml:8: `issuer` is plain http: whoever can change the traffic can sign in as anybody
    vestibule.toml:6: `trust_email` is "always": whoever can set an address at this provider can be anybody to the rules
    vestibule.toml:14: `public_url` is plain http: whoever sees the traffic takes over every session
    vestibule.toml:19: a condition on the claim `email` holds for addresses that nobody verified; `email` and `email_domain` do not
    vestibule.toml:22: this route makes the whole app public
    "#);
}

#[test]
fn a_public_url_may_have_a_path_where_the_paths_of_its_app_begin() {
    for (text, path, origin) in [
        ("https://example.com", "", "https://example.com"),
        ("https://example.com/", "", "https://example.com"),
        ("https://Example.com:443/Team/wiki_2/", "/Team/wiki_2", "https://example.com"),
        ("https://[::1]:8443/~wiki", "/~wiki", "https://[::1]:8443"),
    ] {
        let app = accepted(&MINIMAL.replace("https://wiki.example.com", text)).apps.remove(0);
        assert_eq!((app.public_url.path.as_str(), &*app.public_url.origin()), (path, origin), "{text}");
    }
    let config = accepted(&MINIMAL.replace(
        "public_url = \"https://wiki.example.com\"",
        "public_url = \"https://example.com/wiki\"\nstrip_path = true\nmerge_slashes = false\n\
         callback_path = \"/oauth2/callback\"\nhosts = [\"*.Review.example.com\"]",
    ));
    let app = &config.apps[0];
    let callback = Some("/oauth2/callback".to_owned());
    assert_eq!(app.paths, Paths { base: BasePath::Stripped, slashes: Slashes::Kept, callback });
    let wildcards: Vec<_> = app.wildcard_hosts.iter().map(ToString::to_string).collect();
    assert_eq!((&*app.hosts, &*wildcards), (&["example.com".to_owned()][..], &["*.review.example.com".to_owned()][..]));
}

#[test]
fn paths_that_most_likely_mean_something_else_are_warned_of() {
    let route = |path: &str| format!("\n[[app.route]]\npath = {path:?}\naccess = \"public\"\n");
    let wiki = MINIMAL.replace("wiki.example.com", "example.com/wiki");
    let stripping = MINIMAL.replace("upstream =", "strip_path = true\nupstream =");
    for (text, warning) in [
        (
            stripping,
            Some("vestibule.toml:10: `strip_path` does nothing: `public_url` has no path that could be removed"),
        ),
        (
            format!("{wiki}{}", route("/wiki/public/**")),
            Some(
                "vestibule.toml:7: the route \"/wiki/public/**\" begins at `public_url`, so it is for /wiki/wiki/public/**",
            ),
        ),
        (format!("{wiki}{}", route("/wikis")), None),
        (
            format!("server.health_path = \"/healthz\"\n{MINIMAL}{}", route("/*")),
            Some("`health_path` is answered before the app `wiki`, whose route \"/*\" names it"),
        ),
        (
            format!("server.health_path = \"/wiki/_vestibule/health\"\n{wiki}"),
            Some("`health_path` hides one of our own endpoints of the app `wiki`"),
        ),
        (format!("server.health_path = \"/healthz\"\n{MINIMAL}{}", route("/**")), None),
        (format!("server.health_path = \"/healthz\"\n{wiki}{}", route("/*")), None),
    ] {
        let warnings = accepted(&text).warnings;
        let about_paths: Vec<_> =
            warnings.iter().filter(|w| w.contains("_path`") || w.contains("begins at")).map(String::as_str).collect();
        assert_eq!(about_paths, Vec::from_iter(warning), "{text}");
    }
}
