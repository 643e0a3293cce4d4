use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A new pair for a name: the certificate and the key, in PEM.
fn pair(name: &str) -> (String, String) {
    let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

/// A folder with a pair in it, and what was read from it.
fn stage() -> (TempDir, Certificates) {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "tls", &pair("wiki.test"));
    let certificates = Certificates::read(&tls(&folder), []).expect("a pair");
    (folder, certificates)
}

fn tls(folder: &TempDir) -> Tls {
    Tls { identity: identity(folder, "tls"), client_ca: None }
}

fn identity(folder: &TempDir, name: &str) -> TlsIdentity {
    let file = |ending| folder.path().join(format!("{name}.{ending}"));
    TlsIdentity { certificate: file("crt"), private_key: file("key") }
}

fn write(folder: &TempDir, name: &str, (certificate, key): &(String, String)) {
    let TlsIdentity { certificate: certificate_file, private_key } = identity(folder, name);
    fs::write(certificate_file, certificate).expect("a file");
    fs::write(private_key, key).expect("a file");
}

/// Looks again, and says what came of it and whether handshakes are made otherwise from now on.
fn look_again(certificates: &Certificates) -> (Refreshed, bool) {
    let current = || Arc::clone(&certificates.current.read().expect("no test panics with it"));
    let before = current();
    let refreshed = certificates.refresh();
    (refreshed, !Arc::ptr_eq(&before, &current()))
}

#[test]
fn a_pair_is_taken_when_both_halves_fit_and_a_half_is_told_of_once() {
    let (folder, certificates) = stage();
    assert_eq!(look_again(&certificates), (Refreshed::Same, false));
    let (certificate, key) = pair("wiki.test");
    let files = identity(&folder, "tls");
    for (what, file, content) in [
        ("one half is new", &files.certificate, certificate.as_str()),
        ("written to the middle", &files.private_key, &key[..key.len() / 2]),
        ("emptied", &files.private_key, ""),
    ] {
        fs::write(file, content).expect("a file");
        assert_eq!(look_again(&certificates), (Refreshed::Refused, false), "{what}");
        assert_eq!(look_again(&certificates), (Refreshed::Same, false), "{what}");
    }
    fs::remove_file(&files.private_key).expect("a file");
    assert_eq!(look_again(&certificates), (Refreshed::Refused, false), "removed");
    fs::write(&files.private_key, &key).expect("a file");
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true));
}

#[test]
fn a_rename_of_an_editor_and_the_link_that_kubernetes_swaps_are_seen() {
    let (folder, certificates) = stage();
    let files = identity(&folder, "tls");
    write(&folder, "next", &pair("wiki.test"));
    let next = identity(&folder, "next");
    fs::rename(next.certificate, &files.certificate).expect("a file");
    fs::rename(next.private_key, &files.private_key).expect("a file");
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true));

    // tls.crt -> ..data/tls.crt, ..data -> ..1; then ..data is swapped to ..2, whole.
    let at = |name: &str| folder.path().join(name);
    for version in ["..1", "..2"] {
        let (certificate, key) = pair("wiki.test");
        fs::create_dir(at(version)).expect("a folder");
        fs::write(at(version).join("tls.crt"), certificate).expect("a file");
        fs::write(at(version).join("tls.key"), key).expect("a file");
    }
    symlink("..1", at("..data")).expect("a link");
    for file in ["tls.crt", "tls.key"] {
        fs::remove_file(at(file)).expect("a file");
        symlink(format!("..data/{file}"), at(file)).expect("a link");
    }
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true));
    assert_eq!(look_again(&certificates), (Refreshed::Same, false));
    symlink("..2", at("..data_tmp")).expect("a link");
    fs::rename(at("..data_tmp"), at("..data")).expect("a link");
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true));
}

#[test]
fn one_faulty_pair_does_not_keep_the_others_from_being_renewed() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tls", "app"] {
        write(&folder, name, &pair("wiki.test"));
    }
    fs::write(folder.path().join("ca.pem"), pair("ca.test").0).expect("a file");
    let text = r#"
        [server.tls]
        certificate = "tls.crt"
        private_key = "tls.key"
        client_ca = "ca.pem"
        [[provider]]
        id = "company"
        issuer = "https://id.example.com"
        client_id = "wiki"
        [[app]]
        id = "wiki"
        public_url = "https://wiki.test"
        upstream = "http://127.0.0.1:8080"
        tls = { certificate = "app.crt", private_key = "app.key" }
        access = { policy = "anyone" }
    "#;
    let config = crate::config::Config::parse(&folder.path().join("vestibule.toml").display().to_string(), text);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let tls = config.server.tls.as_ref().expect("a table of TLS");
    let certificates = Certificates::read(tls, config.apps.iter().map(AsRef::as_ref)).expect("two pairs");
    fs::write(folder.path().join("tls.crt"), "half a certificate").expect("a file");
    write(&folder, "app", &pair("wiki.test"));
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true), "the app's");
    fs::write(folder.path().join("ca.pem"), "").expect("a file");
    assert_eq!(look_again(&certificates), (Refreshed::Refused, false), "nobody would be let in by no authority");
    fs::write(folder.path().join("ca.pem"), pair("ca.test").0).expect("a file");
    assert_eq!(look_again(&certificates), (Refreshed::Taken, true), "the authority");
}
