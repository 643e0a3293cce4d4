//! Where configurations come from and what they name: several files, folders, certificates, and what is no file.

use std::{fs, os::unix::net::UnixListener, path::Path, process::Command, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tempfile::TempDir;

use super::{super::*, MINIMAL, accepted, folder, upstream_of, write};

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
    insta::assert_snapshot!(faults.replace(folder.path().to_str().expect("a path"), "DIR"), @r#"
    error: `workers` is set twice
     --> DIR/second.toml:1:8
      |
    1 | server.workers = 2
      |        ^^^^^^^
      |
     ::: DIR/first.toml:1:8
      |
    1 | server.workers = 1
      |        ------- it is set here as well
      |
      = note: no file overrides another
      = help: keep one of the two

    error: unknown key `lisen` in `[server]`
     --> DIR/second.toml:2:8
      |
    2 | server.lisen = []
      |        ^^^^^ did you mean `listen`?

    error: the id `company` is given twice
     --> DIR/second.toml:5:6
      |
    5 | id = "company"
      |      ^^^^^^^^^
      |
     ::: DIR/first.toml:4:6
      |
    4 | id = "company"
      |      --------- it is given here as well

    error: the id `wiki` is given twice
      --> DIR/second.toml:10:6
       |
    10 | id = "wiki"
       |      ^^^^^^
       |
      ::: DIR/first.toml:9:6
       |
     9 | id = "wiki"
       |      ------ it is given here as well

    error: the host `wiki.example.com` is given twice
      --> DIR/second.toml:11:14
       |
    11 | public_url = "https://wiki.example.com"
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
      ::: DIR/first.toml:10:14
       |
    10 | public_url = "https://wiki.example.com"
       |              -------------------------- it is given here as well

    the configuration has 5 faults
    "#);
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

/// What a file of the folder holds.
fn certificates(folder: &TempDir, name: &str) -> Vec<CertificateDer<'static>> {
    let file = CertificateDer::pem_file_iter(folder.path().join(name)).expect("a file");
    file.collect::<Result<_, _>>().expect("certificates")
}

#[test]
fn a_certificate_comes_with_its_own_key_or_not_at_all() {
    let folder = folder();
    write(
        &folder,
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    write(&folder, "damaged.crt", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
    fs::write(folder.path().join("binary.key"), b"\x30\x82\xff").expect("a file");
    let tls = |certificate: &str, private_key: &str| {
        let tls =
            format!("server.tls = {{ certificate = \"{certificate}\", private_key = \"{private_key}\" }}\n{MINIMAL}");
        Config::load(&[write(&folder, "vestibule.toml", &tls)])
    };
    let config = tls("tls.crt", "tls.key").expect("a pair");
    let tls_of = |config: &Config| config.server.tls.clone().expect("a table of TLS");
    assert_eq!(tls_of(&config).identity.pair().cert, certificates(&folder, "tls.crt"));
    assert_eq!(tls_of(&config), tls_of(&tls("tls.crt", "tls.key").expect("the same pair")));
    assert_ne!(tls_of(&config), tls_of(&tls("app.crt", "app.key").expect("another pair")));
    for (certificate, private_key, expected) in [
        ("tls.crt", "app.key", "`private_key` does not belong to the certificate"),
        ("tls.key", "tls.crt", "the file of `certificate` holds no certificate in PEM"),
        ("tls.key", "tls.crt", "the file of `private_key` holds no private key in PEM"),
        ("damaged.crt", "tls.key", "the file of `certificate` is damaged PEM"),
        ("tls.crt", "encrypted.key", "the file of `private_key` holds an encrypted key"),
        ("tls.crt", "binary.key", "cannot read the file of `private_key`: it is not UTF-8"),
        ("tls.crt", "missing.key", "cannot read the file of `private_key`: there is no such file"),
        ("tls.crt", ".", "cannot read the file of `private_key`: it is a folder, and a file is needed"),
        ("tls.crt", "", "`private_key` is missing"),
    ] {
        let faults = tls(certificate, private_key).expect_err("no pair").to_string();
        assert!(faults.contains(expected), "{certificate} {private_key}: {faults}");
        assert!(!faults.contains("BEGIN PRIVATE"), "{faults}");
    }
}

#[test]
fn whoever_vouches_for_clients_must_be_an_authority() {
    let folder = folder();
    write(&folder, "empty.pem", "");
    write(&folder, "odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let tls = |client_ca: &str| {
        let tls = format!(
            "server.tls = {{ certificate = \"tls.crt\", private_key = \"tls.key\", client_ca = \"{client_ca}\" }}\n{MINIMAL}"
        );
        Config::load(&[write(&folder, "vestibule.toml", &tls)])
    };
    let config = tls("ca.pem").expect("an authority");
    assert_eq!(config.server.tls.as_ref().and_then(|tls| tls.client_ca.clone()), Some(certificates(&folder, "ca.pem")));
    for (client_ca, expected) in [
        ("empty.pem", "the file of `client_ca` holds no certificate in PEM"),
        ("tls.key", "the file of `client_ca` holds no certificate in PEM"),
        ("odd.pem", "the file of `client_ca` holds a certificate that cannot be used"),
        ("missing.pem", "cannot read the file of `client_ca`: there is no such file"),
    ] {
        let faults = tls(client_ca).expect_err("no authority").to_string();
        assert!(faults.contains(expected), "{client_ca}: {faults}");
    }
}

#[test]
fn an_app_has_a_certificate_of_its_own_only_behind_tls() {
    let folder = folder();
    let app = format!("{MINIMAL}\n[app.tls]\ncertificate = \"app.crt\"\nprivate_key = \"app.key\"\n");
    let faults = Config::load(&[write(&folder, "vestibule.toml", &app)]).expect_err("a fault").to_string();
    assert!(faults.contains("`[app.tls]` means nothing without `[server.tls]`"), "{faults}");
    let both = format!("{app}\n[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n");
    let config = Config::load(&[write(&folder, "vestibule.toml", &both)]).expect("a configuration");
    assert_eq!(
        config.apps[0].tls.as_ref().map(|tls| &tls.pair().cert),
        Some(&certificates(&folder, "app.crt")),
        "and not the server's"
    );
}

#[test]
fn certificates_of_a_private_authority_are_read() {
    let folder = folder();
    let text = MINIMAL
        .replace("client_id", "ca_file = \"ca.pem\"\nclient_id")
        .replace("upstream = \"http:", "upstream_tls = { ca_file = \"ca.pem\" }\nupstream = \"https:");
    let config = Config::load(&[write(&folder, "vestibule.toml", &text)]).expect("a configuration");
    let upstream::UpstreamUrl::Https(_, tls) = upstream_of(&config.apps[0]) else { panic!("it is https") };
    assert_eq!((config.providers[0].extra_roots.len(), tls.extra_roots.len()), (1, 1));
}

#[test]
fn an_allow_file_lists_people_one_a_line() {
    let folder = folder();
    let text = MINIMAL.replace("policy = \"anyone\"", "policy = \"listed\"\nallow_file = \"people\"");
    let load = |people: &str| {
        write(&folder, "people", people);
        Config::load(&[write(&folder, "vestibule.toml", &text)])
    };
    let many = (0..20_000).map(|n| format!("user{n}@example.com")).collect::<Vec<_>>().join("\n");
    let config = load(&format!("\u{feff}# editors\r\n\r\nann@example.com # since May\r\n@partner.example\r\n{many}"))
        .unwrap_or_else(|faults| panic!("{faults}"));
    let allow = &config.apps[0].access.allow;
    assert_eq!((allow.len(), config.warnings.len()), (20_002, accepted(MINIMAL).warnings.len()));
    assert_eq!(allow[0].to_string(), "{ email = \"ann@example.com\" }");
    assert_eq!(allow[1].to_string(), "{ email_domain = \"partner.example\" }");
    assert_eq!(allow[1].written.to_string(), format!("{}:4", folder.path().join("people").display()));

    let empty = load("# nobody yet\n").unwrap_or_else(|faults| panic!("{faults}"));
    assert!(empty.apps[0].access.allow.is_empty(), "who is taken off the list is off, also the last");
    assert!(empty.warnings.iter().any(|line| line.ends_with("the `allow_file` lists nobody")), "{:?}", empty.warnings);

    let faults = load("ann@example.com\nann, bob\n*@example.com\nbob@\n").expect_err("faults").to_string();
    let faults = faults.replace(folder.path().to_str().expect("a path"), "DIR");
    insta::assert_snapshot!(faults, @r#"
    error: line 2 of the `allow_file` has more than one word
      --> DIR/vestibule.toml:14:14
       |
    14 | allow_file = "people"
       |              ^^^^^^^^ read as `DIR/people`
       |
       = help: a line is one address, or @ and a domain; # begins a remark

    error: line 3 of the `allow_file` has a `*`, which stands for nothing (everybody there is @ and the domain)
      --> DIR/vestibule.toml:14:14
       |
    14 | allow_file = "people"
       |              ^^^^^^^^ read as `DIR/people`
       |
       = help: a line is one address, or @ and a domain; # begins a remark

    error: line 4 of the `allow_file` is no address (the part after `@` must be a domain name in ASCII (xn--… for others))
      --> DIR/vestibule.toml:14:14
       |
    14 | allow_file = "people"
       |              ^^^^^^^^ read as `DIR/people`
       |
       = help: a line is one address, or @ and a domain; # begins a remark

    the configuration has 3 faults
    "#);
}

#[test]
fn a_certificate_out_of_its_days_is_a_warning() {
    let folder = folder();
    let make = |from: (i32, u8, u8), until: (i32, u8, u8)| {
        let mut parameters = rcgen::CertificateParams::new(["wiki.example.com".to_owned()]).expect("a name");
        parameters.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        parameters.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().expect("a key");
        write(&folder, "old.crt", &parameters.self_signed(&key).expect("a certificate").pem());
        write(&folder, "old.key", &key.serialize_pem());
        let tls = "server.tls = { certificate = \"old.crt\", private_key = \"old.key\" }\nstore.url = \"memory:\"\n";
        let file = write(&folder, "vestibule.toml", &format!("{tls}{MINIMAL}"));
        let config = Config::load(&[file]).expect("a configuration");
        config.warnings.join("\n").replace(&folder.path().display().to_string(), "DIR")
    };
    let told = "DIR/vestibule.toml:1: the certificate ended on 2024-03-05: whoever is shown it refuses it";
    assert_eq!(make((2023, 3, 5), (2024, 3, 5)), told);
    let told = "DIR/vestibule.toml:1: the certificate begins on 2199-01-01: whoever is shown it refuses it";
    assert_eq!(make((2199, 1, 1), (2199, 12, 31)), told);
    assert_eq!(make((2023, 3, 5), (2199, 1, 1)), "");
}
