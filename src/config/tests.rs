//! The language as a whole: defaults, samples, several files, and files that nobody should have to survive.
//! What each fault looks like is in `faults`.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::config::{
    access::RouteAccess,
    app::Scheme,
    provider::{ClientAuth, TrustEmail, UserInfo},
};

mod faults;

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
    Config::parse_with("vestibule.toml", text, &|name| match name {
        "PORT" => Some("4444".into()),
        "WORD" => Some("hunter2".into()),
        _ => None,
    })
}

fn accepted(text: &str) -> Config {
    parse(text).unwrap_or_else(|faults| panic!("{faults}"))
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
    assert_eq!(server.listen, ["127.0.0.1:4180".parse().expect("an address")]);
    assert_eq!(server.ops_listen, Some("127.0.0.1:4181".parse().expect("an address")));
    assert_eq!(server.prefix, "/_vestibule");
    assert!(server.trusted_proxies.is_empty() && server.tls.is_none());
    assert_eq!((server.drain_delay, server.drain_timeout), (Duration::from_secs(5), Duration::from_secs(20)));
    assert!(server.workers.get() >= 1);
    assert_eq!(server.limits.header_timeout, Duration::from_secs(10));
    assert_eq!(server.limits.keepalive, Duration::from_secs(75));
    assert_eq!(server.limits.sign_ins_per_client.map(std::num::NonZero::get), Some(600));
    assert_eq!((config.log.level.as_str(), config.log.format, config.log.access), ("info", LogFormat::Auto, true));
    assert!(config.keys.is_empty());
    assert_eq!(config.session.store, SessionStore::Memory);
    assert_eq!(config.session.idle_timeout, Duration::from_hours(8));
    assert_eq!(config.session.lifetime, Duration::from_hours(24));
    let provider = &config.providers[0];
    assert_eq!(provider.issuer.as_str(), "https://id.example.com");
    assert_eq!(provider.discovery_url.as_str(), "https://id.example.com/.well-known/openid-configuration");
    assert!(matches!(provider.client_auth, ClientAuth::None));
    assert_eq!(provider.scopes, ["openid", "profile", "email"]);
    assert_eq!((provider.id_token_alg, provider.trust_email), (None, TrustEmail::Verified));
    assert_eq!((provider.userinfo, provider.display_name.as_str()), (UserInfo::Auto, "company"));
    assert_eq!((provider.claims.user.as_str(), provider.claims.groups.as_str()), ("sub", "groups"));
    let app = &config.apps[0];
    assert_eq!((app.name.as_str(), app.hosts.as_slice()), ("wiki", ["wiki.example.com".to_owned()].as_slice()));
    assert_eq!((app.public_url.scheme, app.public_url.port), (Scheme::Https, 443));
    assert_eq!((app.upstream.host.as_str(), app.upstream.port), ("127.0.0.1", 8080));
    assert!(app.preserve_host && app.routes.is_empty());
    assert!(Arc::ptr_eq(&app.providers[0], provider));
    // The store is in memory because nobody said anything, and that is worth a line.
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn an_issuer_is_kept_as_it_is_written() {
    for issuer in ["https://id.example.com/", "https://id.example.com/realms/X", "http://localhost:8080"] {
        let config = accepted(&MINIMAL.replace("https://id.example.com", issuer));
        assert_eq!(config.providers[0].issuer.as_str(), issuer);
    }
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
fn the_environment_is_filled_into_strings() {
    let config = accepted(&MINIMAL.replace("127.0.0.1:8080", "${HOST:-127.0.0.1}:${PORT}"));
    assert_eq!((config.apps[0].upstream.host.as_str(), config.apps[0].upstream.port), ("127.0.0.1", 4444));
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
    assert_eq!((config.apps[0].upstream.host.as_str(), config.apps[0].upstream.port), ("::1", 80));
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
    assert_eq!((first.path.to_string().as_str(), &first.methods, first.access), ("/a/**", &None, RouteAccess::Public));
    let methods: Vec<_> = second.methods.iter().flatten().map(http::Method::as_str).collect();
    assert_eq!((second.path.to_string().as_str(), methods.as_slice()), ("/*/b", ["GET", "PROPFIND"].as_slice()));
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
    insta::assert_snapshot!(warnings.join("\n"), @"");
}

#[test]
fn the_samples_are_accepted() {
    let folder = folder();
    for entry in fs::read_dir("config").expect("the samples").map(|entry| entry.expect("a sample").path()) {
        let text = fs::read_to_string(&entry).expect("a sample");
        let name = entry.file_name().expect("a name").to_str().expect("a name in ASCII").to_owned();
        let copy = write(&folder, &name, &text);
        let config = Config::load(&[copy]).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
    }
}

const REFERENCE: &str = include_str!("../../config/reference.toml");

#[test]
fn the_reference_shows_every_key_that_the_readers_ask_for() {
    let folder = folder();
    // A file's value has a twin that stands in for it: one of the two at a time.
    let uncommented = |skipped: &str| {
        let lines = REFERENCE.lines().filter(|line| !line.trim_start_matches('#').starts_with(&format!("{skipped} =")));
        let lines = lines.map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line));
        lines.filter(|line| !line.contains("\"…\"")).collect::<Vec<_>>().join("\n")
    };
    let mut report = Report::default();
    let name = folder.path().join("reference.toml");
    let source = report.add_source(Source::new(name.display().to_string(), uncommented("none")));
    let table = join(&report, &[source], &|_| None).expect("the reference is TOML");
    let outcome = Section::root(&report, &table, read);
    let known = report.known_keys();
    report.conclude(outcome).unwrap_or_else(|faults| panic!("{faults}"));
    for (section, keys) in known {
        for key in keys {
            let written = ["", "#"].iter().any(|comment| {
                let key = format!("{comment}{key}");
                let is_key =
                    |line: &str| line.strip_prefix(&key).is_some_and(|rest| rest.trim_start().starts_with('='));
                let is_section = |line: &str| {
                    let parent = if section.is_empty() { String::new() } else { format!("{section}.") };
                    line.starts_with(&format!("{comment}[{parent}{}]", key.trim_start_matches('#')))
                        || line.starts_with(&format!("{comment}[[{parent}{}]]", key.trim_start_matches('#')))
                };
                REFERENCE.lines().any(|line| is_key(line) || is_section(line))
            });
            let in_condition = section == "condition" && REFERENCE.contains(&format!(" {key} = "));
            assert!(written || in_condition, "`{key}` of [{section}] is not in config/reference.toml");
        }
    }
}

#[test]
fn the_values_in_the_reference_are_the_defaults() {
    let folder = folder();
    let debug = |text: &str| {
        let config =
            Config::load(&[write(&folder, "reference.toml", text)]).unwrap_or_else(|faults| panic!("{faults}"));
        format!("{:?}", Config { warnings: Vec::new(), ..config })
    };
    // These have no default: an example stands there.
    let examples = [
        "id",
        "issuer",
        "client_id",
        "client_secret_file",
        "public_url",
        "upstream",
        "policy",
        "allow",
        "path",
        "methods",
        "access",
    ];
    let whole = debug(REFERENCE);
    let mut defaults = 0;
    for (index, line) in REFERENCE.lines().enumerate() {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !key.is_empty();
        if !is_key || (examples.contains(&key) && line != "access = true   # one line a request, without the query") {
            continue;
        }
        let without: Vec<_> =
            REFERENCE.lines().enumerate().filter(|(i, _)| *i != index).map(|(_, line)| line).collect();
        assert_eq!(debug(&without.join("\n")), whole, "{line}");
        defaults += 1;
    }
    assert!(defaults > 30, "only {defaults} lines were seen as defaults");
}

#[test]
fn files_of_a_folder_are_one_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let (provider, app) = MINIMAL.split_once("[[app]]").expect("two sections");
    write(&folder, "10-provider.toml", provider);
    write(&folder, "20-app.toml", &format!("[[app]]{app}"));
    write(&folder, "30-app.toml", &format!("[[app]]{}", app.replace("wiki", "docs")));
    write(&folder, "40-server.toml", "[server]\nworkers = 3");
    write(&folder, "50-server.toml", "[server]\ndrain_delay = \"1s\"");
    write(&folder, "notes.txt", "not TOML");
    write(&folder, ".20-app.toml", "an editor's unfinished file");
    let config = Config::load(&[folder.path().to_owned()]).expect("one configuration");
    let ids: Vec<_> = config.apps.iter().map(|app| app.id.as_str()).collect();
    assert_eq!(ids, ["wiki", "docs"]);
    assert_eq!((config.server.workers.get(), config.server.drain_delay), (3, Duration::from_secs(1)));
}

#[test]
fn faults_of_several_files_name_the_file_of_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = write(&folder, "first.toml", &format!("server.workers = 1\n{MINIMAL}"));
    let second = write(&folder, "second.toml", &format!("server.workers = 2\nserver.lisen = []\n{MINIMAL}"));
    let faults = Config::load(&[first, second]).expect_err("faults").to_string();
    insta::assert_snapshot!(faults.replace(folder.path().to_str().expect("a path"), "DIR"), @"");
}

/// The one fault of paths that hold no configuration.
fn refused(paths: &[&Path]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    Config::load(&paths).expect_err("a fault").to_string()
}

#[test]
fn what_cannot_be_read_is_a_fault_and_nothing_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::File::create(at("huge.toml")).and_then(|file| file.set_len(100 << 20)).expect("a sparse file");
    fs::write(at("latin1.toml"), b"[server]\n# caf\xe9").expect("a file");
    fs::create_dir(at("empty")).expect("a folder");
    fs::create_dir(at("folder.toml")).expect("a folder");
    let _listener = UnixListener::bind(at("socket.toml")).expect("a socket");
    assert!(Command::new("mkfifo").arg(at("pipe.toml")).status().expect("mkfifo runs").success());
    for (name, expected) in [
        ("missing.toml", "there is no such file"),
        ("huge.toml", "it has more than 4096 KiB: surely another file is meant"),
        ("latin1.toml", "it is not UTF-8: the first bad byte is in line 2"),
        ("empty", "the folder has no file whose name ends in `.toml`"),
        ("folder.toml", "the folder has no file whose name ends in `.toml`"),
        ("socket.toml", "it is no regular file (a pipe, a socket or a device), and reading it could wait for ever"),
        ("pipe.toml", "it is no regular file (a pipe, a socket or a device), and reading it could wait for ever"),
    ] {
        let path = at(name);
        let expected = format!(
            "error: cannot read the configuration `{}`: {expected}\n\nthe configuration has 1 fault",
            path.display()
        );
        assert_eq!(refused(&[&path]), expected);
    }
    assert!(refused(&[]).contains("no configuration file is given"));
    let both = refused(&[&at("missing.toml"), &at("empty")]);
    assert!(both.ends_with("the configuration has 2 faults"), "{both}");
}

#[test]
fn hostile_texts_are_answered() {
    for text in [
        "\0".to_owned(),
        "\u{feff}".to_owned(),
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("a{} = 1", ".a".repeat(100_000)),
        format!("{}\n", "x = 1\r\n".repeat(10_000)),
        "[server]\nlisten = [\"\x1b[31m\"]".to_owned(),
        "\"\\u0000\" = \"\\u001b\"".to_owned(),
        "a = \"${".to_owned(),
    ] {
        let faults = parse(&text).expect_err("a fault").to_string();
        assert!(!faults.contains('\x1b') && !faults.contains('\0'), "{faults}");
    }
}

#[test]
fn ten_thousand_faults_are_not_a_wall_of_text() {
    let text: String = (0..10_000).map(|n| format!("[server.k{n}]\n")).collect();
    let faults = parse(&format!("{text}{MINIMAL}")).expect_err("faults").to_string();
    assert!(
        faults.ends_with("and 9900 more, which are shown once these are mended\n\nthe configuration has 10000 faults")
    );
}

#[test]
fn a_secret_is_in_no_fault() {
    for provider in [
        "client_secret = \"hunter2\nid = 1",
        "client_secret = hunter2",
        "client_secret = \"hunter2\" \"",
        "client_secret = [\"hunter2\"]",
        "client_secret = \" hunter2\"",
        "client_secret = \"hunter2\"\nclient_secret = \"hunter2\"",
        "client_secert = \"hunter2\"",
        "clientsecret = 'hunter2'",
        "client_secret = \"\"\"\nhunter2\n\"\"\"",
        "client_secret = \"hunter2\", client_auth = 1",
        "client_secret = \" ${WORD}\"",
        "client_secret = \"hunter2\"\nclient_auth = \"none\"",
        "client_auth = { client_secret = \"hunter2\" }",
        "discovery_url = \"https://me:hunter2@id.example.com\"",
        "discovery_url = \"https://me:${WORD}@id.example.com\"",
    ] {
        let text = MINIMAL.replace("id = \"company\"", &format!("{provider}\nid = \"company\""));
        let faults = parse(&text).expect_err(provider);
        assert!(!format!("{faults}{faults:?}").contains("hunter2"), "{provider}: {faults}");
    }
    let config = accepted(&MINIMAL.replace("client_id", "client_secret = \"hunter2\"\nclient_id"));
    assert!(!format!("{config:?}").contains("hunter2"));
}

proptest! {
    /// Nothing that can be written makes the reader, the parser or the renderer panic.
    #[test]
    fn any_text_is_answered(tokens in proptest::collection::vec(
        prop_oneof![
            "[a-c]",
            Just("[".to_owned()), Just("]".to_owned()), Just("[[".to_owned()), Just("]]".to_owned()), Just(".".to_owned()),
            Just("=".to_owned()), Just("\n".to_owned()), Just("\"".to_owned()), Just("{".to_owned()), Just("}".to_owned()),
            Just(",".to_owned()), Just("${".to_owned()), Just("#".to_owned()), Just("é".to_owned()), Just("1".to_owned()),
            Just("\r".to_owned()), Just(" ".to_owned()), Just("server".to_owned()), Just("app".to_owned()),
            Just("provider".to_owned()), Just("client_secret".to_owned()), Just("'''".to_owned()), Just("://".to_owned()),
            Just("@".to_owned()), Just("-----BEGIN".to_owned()),
        ],
        0..24,
    )) {
        let text = tokens.concat();
        let faults = parse(&text).expect_err("no such text is a configuration").to_string();
        prop_assert!(faults.contains("the configuration has"));
    }
}
