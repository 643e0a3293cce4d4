use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt as _, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Origin, Policy, provider::ClientAuth};

/// What the one-app case needs.
const ONE_APP: [(&str, &str); 5] = [
    ("public-url", "https://wiki.example.com"),
    ("upstream", "http://127.0.0.1:8080"),
    ("issuer", "https://id.example.com"),
    ("client-id", "wiki"),
    ("access", "anyone"),
];

/// A process in an empty folder: nothing of the machine shows.
struct Start {
    files: Vec<PathBuf>,
    flags: Vec<(&'static str, String)>,
    environment: Vec<(OsString, OsString)>,
}

impl Start {
    fn with_flags(flags: &[(&'static str, &str)]) -> Self {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { files: Vec::new(), flags, environment: Vec::new() }
    }

    fn one_app() -> Self {
        Self::with_flags(&ONE_APP)
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.flags.push((name, value.to_owned()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn file(mut self, path: PathBuf) -> Self {
        self.files.push(path);
        self
    }

    fn read(self) -> Result<Config, String> {
        let flag = |name: &str| self.flags.iter().filter(|flag| flag.0 == name).map(|flag| flag.1.clone()).collect();
        let (named, settings) = Settings::gather(flag, self.environment.clone());
        assert!(named.is_empty());
        Config::read(&Origin { files: self.files, settings }).map_err(|faults| faults.to_string())
    }

    fn accepted(self) -> Config {
        self.read().unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn refused(self) -> String {
        self.read().expect_err("it is faulty")
    }
}

fn secret(config: &Config) -> Option<&str> {
    config.providers[0].client_auth.secret().map(|secret| secret.expose().as_str())
}

#[test]
fn one_app_needs_no_file() {
    let config = Start::one_app().flag("store-url", "memory:").accepted();
    let (app, provider) = (&config.apps[0], &config.providers[0]);
    assert_eq!((app.id.as_str(), app.name.as_str()), ("app", "wiki.example.com"));
    assert_eq!((provider.id.as_str(), provider.display_name.as_str()), ("provider", "id.example.com"));
    assert_eq!((app.public_url.origin().as_str(), app.access.policy), ("https://wiki.example.com", Policy::Anyone));
    assert!(matches!(provider.client_auth, ClientAuth::None));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn every_setting_is_a_flag_or_a_secret_and_a_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = rcgen::generate_simple_self_signed(["id.example.com".to_owned()]).expect("a certificate");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("a file in a folder of our own");
        folder.path().join(name).display().to_string()
    };
    let values = [
        ("public-url", "https://docs.example.com".to_owned(), "host: \"docs.example.com\""),
        ("upstream", "unix:/run/docs.sock".to_owned(), "Unix(\"/run/docs.sock\")"),
        ("app-name", "Team wiki".to_owned(), "name: \"Team wiki\""),
        ("access", "listed".to_owned(), "policy: Listed"),
        ("allow-email", "a@example.com".to_owned(), "a@example.com"),
        ("allow-email-domain", "*.example.org, example.net".to_owned(), "example.net"),
        ("allow-group", "staff,ops".to_owned(), "group: Some(\"ops\")"),
        ("issuer", "https://login.example.com".to_owned(), "Issuer(\"https://login.example.com\")"),
        ("client-id", "docs".to_owned(), "client_id: \"docs\""),
        ("client-secret", "s3cr3t".to_owned(), "Basic(Secret(…))"),
        ("client-secret-file", write("secret", "s3cr3t"), "Basic(Secret(…))"),
        ("scopes", "openid,groups".to_owned(), "scopes: [\"openid\", \"groups\"]"),
        ("groups-claim", "realm.roles".to_owned(), "groups: \"realm.roles\""),
        ("trust-email", "never".to_owned(), "trust_email: Never"),
        ("provider-ca-file", write("ca.pem", &certificate.cert.pem()), "extra_roots: [CertificateDer("),
        ("listen", "127.0.0.1:1, [::1]:2".to_owned(), "[Tcp(127.0.0.1:1), Tcp([::1]:2)]"),
        ("ops-listen", "127.0.0.1:3".to_owned(), "ops_listen: Some(127.0.0.1:3)"),
        ("trusted-proxy", "10.0.0.0/8,unix".to_owned(), "[10.0.0.0/8], unix_peers: Trusted"),
        ("keys-secret", "A".repeat(43), "keys: [Secret(…)]"),
        ("keys-secret-file", write("keys", &"A".repeat(43)), "keys: [Secret(…)]"),
        ("store-url", "memory:".to_owned(), "warnings: []"),
        ("log-level", "debug".to_owned(), "level: \"debug\""),
        ("log-format", "json".to_owned(), "format: Json"),
    ];
    let names: Vec<_> = values.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>());
    let without = format!("{:?}", Start::one_app().accepted());
    for (setting, (name, value, expected)) in SETTINGS.iter().zip(values) {
        // Nobody is listed: `anyone` would make a list of people a fault.
        let usual = ONE_APP.iter().filter(|(usual, _)| *usual != name && *usual != "access");
        let mut start = Start::with_flags(&usual.copied().collect::<Vec<_>>());
        if name == "access" {
            start = start.flag("allow-email", "b@example.com");
        } else if !name.starts_with("allow-") {
            start = start.flag("access", "anyone");
        }
        let by_variable =
            Start { environment: vec![(setting.variable().into(), value.clone().into())], ..start.again() };
        let config = format!("{:?}", by_variable.accepted());
        assert!(!without.contains(expected), "{name}: {expected} is so anyway");
        assert!(config.contains(expected), "{}: {config}", setting.variable());
        match setting.flag() {
            Some(flag) => assert_eq!(format!("{:?}", start.flag(flag, &value).accepted()), config, "{flag}"),
            None => assert!(name == "client-secret" || name == "keys-secret", "{name} is no secret and has no flag"),
        }
    }
}

impl Start {
    /// The same process once more.
    fn again(&self) -> Self {
        Self { files: self.files.clone(), flags: self.flags.clone(), environment: self.environment.clone() }
    }
}

#[test]
fn flags_win_over_variables_and_both_over_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vestibule.toml");
    let text = "server.listen = [\"127.0.0.1:1\"]\n\
                [[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"file\"\nclient_secret_file = \"nowhere\"\n\
                [[app]]\nid = \"wiki\"\npublic_url = \"https://wiki.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n\
                access = { policy = \"listed\", allow = [{ email = \"file@example.com\" }] }\n";
    fs::write(&file, text).expect("a file in a folder of our own");
    let start = || Start::with_flags(&[]).file(file.clone()).variable("VESTIBULE_CLIENT_SECRET", "variable");

    let config = start().accepted();
    assert_eq!((config.apps[0].id.as_str(), config.providers[0].client_id.as_str()), ("wiki", "file"));
    assert_eq!(config.apps[0].name, "wiki", "what a file describes is left to it");
    assert_eq!(secret(&config), Some("variable"), "the file that another file names is not even read");

    let config = start().variable("VESTIBULE_CLIENT_ID", "variable").flag("client-id", "flag").accepted();
    assert_eq!(config.providers[0].client_id, "flag");

    let secret_file = folder.path().join("secret");
    fs::write(&secret_file, "flag\n").expect("a file in a folder of our own");
    let config = start().flag("client-secret-file", &secret_file.display().to_string()).accepted();
    assert_eq!(secret(&config), Some("flag"));

    // Who may enter is one key: whoever says it says all of it.
    let allowed = |config: &Config| {
        let allow = &config.apps[0].access.allow;
        allow.iter().filter_map(|c| c.email.as_ref()).map(|email| email.as_str().to_owned()).collect::<Vec<_>>()
    };
    let config = start().variable("VESTIBULE_ALLOW_EMAIL", "a@example.com, b@example.com,").accepted();
    assert_eq!(allowed(&config), ["a@example.com", "b@example.com"]);
    let by_both = start().variable("VESTIBULE_ALLOW_EMAIL", "a@example.com").flag("allow-email-domain", "example.org");
    assert_eq!(allowed(&by_both.accepted()), Vec::<String>::new());
    let several = start().flag("allow-email", "a@example.com").flag("allow-email", "b@example.com").accepted();
    assert_eq!(allowed(&several), ["a@example.com", "b@example.com"]);
}

#[test]
fn a_list_of_people_is_a_policy_and_no_list_is_none() {
    let start = || Start::with_flags(&ONE_APP[..4]);
    assert_eq!(start().flag("allow-group", "staff").accepted().apps[0].access.policy, Policy::Listed);
    insta::assert_snapshot!(start().refused(), @r"
    error: nothing says who may enter: `--access` is missing
     |
     = help: say --allow-email-domain example.com (or set VESTIBULE_ALLOW_EMAIL_DOMAIN), or --access anyone for everybody whom the provider signs in

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(start().variable("VESTIBULE_ALLOW_EMAIL", "").refused(), @r#"
    error: `policy` is "listed", and `allow` lists nobody
     |
     | VESTIBULE_ALLOW_EMAIL=
     |                       ^
     |
     = note: nobody could enter
     = help: write, for example: allow = [{ email_domain = "example.com" }]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(start().flag("allow-group", "staff").flag("access", "anyone").refused(), @r#"
    error: `allow` means nothing where `policy` is "anyone"
     |
     | --allow-group staff
     |               ^^^^^
     |
     = note: `--access anyone`: this admits whoever the provider signs in
     = help: write policy = "listed" if only these may enter, or remove `allow`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_show_the_flag_or_the_variable_and_come_with_those_of_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, "server.lisen = []\n").expect("a file in a folder of our own");
    let faults =
        Start::with_flags(&[("public-url", "http://wiki.example.com/"), ("listen", "127.0.0.1:1,localhost:2")])
            .variable("VESTIBULE_UPSTREAM", "ftp://${HOST}")
            .variable("VESTIBULE_CLIENT_SECRET", "s3cr3t with a space ")
            .variable("VESTIBULE_ISUER", "https://id.example.com")
            .variable("VESTIBULE_ALLOW_EMAIL_DOMAIN", "example.com, @example.org")
            .file(file)
            .refused();
    insta::assert_snapshot!(faults.replace(folder.path().to_str().expect("a path"), "DIR"), @r#"
    error: `--issuer` is missing
     |
     = note: `VESTIBULE_ISUER` is set, and nothing reads it
     = help: say --issuer https://id.example.com, or set VESTIBULE_ISSUER=https://id.example.com

    error: `--client-id` is missing
     |
     = help: say --client-id wiki, or set VESTIBULE_CLIENT_ID=wiki

    error: unknown key `lisen` in `[server]`
     --> DIR/vestibule.toml:1:8
      |
    1 | server.lisen = []
      |        ^^^^^ did you mean `listen`?

    error: `public_url` must start with https://
     |
     | --public-url http://wiki.example.com/
     |              ^^^^^^^^^^^^^^^^^^^^^^^^
     |
     = note: over plain http, whoever sees the traffic takes over every session
     = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    error: `upstream` must start with http://, https://, h2c:// or unix:/
     |
     | VESTIBULE_UPSTREAM=ftp://${HOST}
     |                    ^^^^^^^^^^^^^

    error: `email_domain` must be what follows the `@`
     |
     | VESTIBULE_ALLOW_EMAIL_DOMAIN=example.com, @example.org
     |                                           ^^^^^^^^^^^^
     |
     = help: write "example.org"

    error: `client_secret` must be one line without spaces around it
     |
     | VESTIBULE_CLIENT_SECRET=********
     |                         ^^^^^^^^

    error: `listen` must be an IP address with a port
     |
     | --listen 127.0.0.1:1,localhost:2
     |                      ^^^^^^^^^^^
     |
     = help: write "127.0.0.1:2"

    the configuration has 8 faults
    "#);
}

#[test]
fn several_apps_leave_no_room_for_settings_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vestibule.toml");
    let app = |id: &str| {
        format!(
            "[[app]]\nid = \"{id}\"\npublic_url = \"https://{id}.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n\
             access.policy = \"anyone\"\n"
        )
    };
    let provider = "[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"x\"\n";
    fs::write(&file, format!("{provider}{}{}", app("wiki"), app("docs"))).expect("a file in a folder of our own");
    let start = || Start::with_flags(&[("listen", "127.0.0.1:1"), ("client-id", "flag")]).file(file.clone());
    assert_eq!(start().accepted().providers[0].client_id, "flag", "there is one provider, and one process");
    let faults = start().variable("VESTIBULE_UPSTREAM", "http://127.0.0.1:1").flag("access", "anyone").refused();
    insta::assert_snapshot!(faults.replace(folder.path().to_str().expect("a path"), "DIR"), @r"
    error: `VESTIBULE_UPSTREAM` is for one app, and the files have several
       |
       | VESTIBULE_UPSTREAM=http://127.0.0.1:1
       |                    ^^^^^^^^^^^^^^^^^^
       |
      ::: DIR/vestibule.toml:5:1
       |
     5 | [[app]]
       | ------- one
       |
      ::: DIR/vestibule.toml:10:1
       |
    10 | [[app]]
       | ------- another
       |
       = help: set `upstream` of the app that is meant, in its file

    error: `--access` is for one app, and the files have several
       |
       | --access anyone
       |          ^^^^^^
       |
      ::: DIR/vestibule.toml:5:1
       |
     5 | [[app]]
       | ------- one
       |
      ::: DIR/vestibule.toml:10:1
       |
    10 | [[app]]
       | ------- another
       |
       = help: set `access.policy` of the app that is meant, in its file

    the configuration has 2 faults
    ");
}

#[test]
fn what_kubernetes_puts_beside_our_variables_is_left_alone() {
    let links = ["vestibule", "vestibule-listen", "vestibule-client-id"].map(|service| {
        let name = service.replace('-', "_").to_ascii_uppercase();
        [
            (format!("{name}_SERVICE_HOST"), "10.0.0.1"),
            (format!("{name}_SERVICE_PORT"), "80"),
            (format!("{name}_SERVICE_PORT_HTTP"), "80"),
            (format!("{name}_PORT"), "tcp://10.0.0.1:80"),
            (format!("{name}_PORT_80_TCP"), "tcp://10.0.0.1:80"),
            (format!("{name}_PORT_80_TCP_PROTO"), "tcp"),
            (format!("{name}_PORT_80_TCP_PORT"), "80"),
            (format!("{name}_PORT_80_TCP_ADDR"), "10.0.0.1"),
        ]
    });
    let links = links.as_flattened();
    let start = Start::one_app().flag("store-url", "memory:");
    let start = links.iter().fold(start, |start, (name, value)| start.variable(name, value));
    let start = Start {
        environment: [start.environment.clone(), vec![("VESTIBULE_THEME".into(), OsString::from_vec(vec![0xff]))]]
            .concat(),
        ..start
    };
    let config = start.accepted();
    assert_eq!(config.warnings, Vec::<String>::new());
    // And none of ours can be one of theirs, whatever a service is called.
    for variable in SETTINGS.iter().map(Setting::variable).chain([FILES_VARIABLE.to_owned()]) {
        assert!(!is_service_link(&variable), "{variable}");
    }
}

#[test]
fn a_variable_that_looks_like_a_slip_is_a_warning() {
    let start = Start::one_app().flag("store-url", "memory:").variable("VESTIBULE_TRUSTED_PROXIES", "10.0.0.0/8");
    assert_eq!(
        start.accepted().warnings,
        ["nothing reads the environment variable `VESTIBULE_TRUSTED_PROXIES`: did you mean `VESTIBULE_TRUSTED_PROXY`?"]
    );
}

#[test]
fn a_variable_that_is_no_text_is_a_fault_only_where_it_would_be_read() {
    let not_text = |name: &str| vec![(name.into(), OsString::from_vec(b"http://\xff".to_vec()))];
    let start = Start { environment: not_text("VESTIBULE_UPSTREAM"), ..Start::one_app() };
    assert!(start.again().read().is_ok(), "the flag has won already");
    let start = Start { flags: start.flags.into_iter().filter(|flag| flag.0 != "upstream").collect(), ..start };
    assert!(start.refused().starts_with("error: the environment variable `VESTIBULE_UPSTREAM` is not UTF-8"));
}

#[test]
fn a_secret_that_is_empty_or_given_twice_is_a_fault() {
    let both = Start::one_app().variable("VESTIBULE_CLIENT_SECRET", "x").variable("VESTIBULE_CLIENT_SECRET_FILE", "y");
    assert!(both.refused().starts_with("error: `client_secret` and `client_secret_file` are both set\n"));
    let faults = Start::one_app().variable("VESTIBULE_CLIENT_SECRET", "").refused();
    assert!(faults.starts_with("error: `client_secret` is empty\n"), "{faults}");
}

#[test]
fn a_secret_is_in_no_message() {
    for (name, value) in [("VESTIBULE_CLIENT_SECRET", "hunter2 "), ("VESTIBULE_KEYS_SECRET", "hunter2\nhunter2")] {
        let faults = Start::one_app().variable(name, value).refused();
        assert!(faults.contains(name) && !faults.contains("hunter2"), "{faults}");
    }
    let faults = Start::one_app().variable("VESTIBULE_STORE_URL", "mysql://u:hunter2@db/x").refused();
    assert!(faults.contains("VESTIBULE_STORE_URL=mysql://") && !faults.contains("hunter2"), "{faults}");
    let start = Start::one_app().variable("VESTIBULE_CLIENT_SECRET", "hunter2");
    let (_, settings) = Settings::gather(|_| Vec::new(), start.environment.clone());
    assert!(!format!("{settings:?} {:?}", start.accepted()).contains("hunter2"));
}

#[test]
fn the_environment_names_files_where_no_flag_does() {
    let environment = || [("VESTIBULE_CONFIG".into(), "/etc/x.toml".into())];
    let named = Origin::of(Vec::new(), |_| Vec::new(), environment());
    assert_eq!(named.files, [PathBuf::from("/etc/x.toml")]);
    let by_flag = Origin::of(vec![PathBuf::from("y.toml")], |_| Vec::new(), environment());
    assert_eq!(by_flag.files, [PathBuf::from("y.toml")]);
    let empty = Origin::of(Vec::new(), |_| Vec::new(), [("VESTIBULE_CONFIG".into(), OsString::new())]);
    assert_eq!(empty.files, Vec::<PathBuf>::new(), "no default lies in this folder");
}

#[test]
fn a_level_that_the_log_filter_would_stumble_over_is_a_fault() {
    // Found by the test below: tracing-subscriber 0.3.23 slices it within a character.
    let faults = Start::one_app().flag("log-level", "\tΣ=").refused();
    assert!(faults.starts_with("error: `level` must be one line of ASCII\n"), "{faults}");
}

proptest! {
    /// Nothing that can be typed or set makes the reader or the renderer panic, and each fault can be shown.
    #[test]
    fn any_value_is_answered(
        values in proptest::collection::vec((0..SETTINGS.len(), "[\\PC\n\t ,é\u{85}\u{2003}]{0,12}"), 1..6),
    ) {
        let environment = values.iter().map(|(setting, value)| (SETTINGS[*setting].variable().into(), value.into()));
        let start = Start { environment: environment.collect(), ..Start::with_flags(&[]) };
        if let Err(faults) = start.read() {
            prop_assert!(faults.contains("the configuration has"));
        }
    }
}
