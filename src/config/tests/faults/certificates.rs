//! Certificates, keys and authorities: files that the configuration names.

use std::fs;

use super::{
    super::{MINIMAL, folder, write},
    Config,
};

/// The faults of something in front of what every file needs, with files beside it.
fn beside_files(text: &str) -> String {
    let folder = folder();
    write(&folder, "empty.pem", "");
    write(&folder, "odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write(&folder, "damaged.pem", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
    write(&folder, "locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    fs::write(folder.path().join("binary.key"), b"\x30\x82\xff").expect("a file");
    let file = write(&folder, "vestibule.toml", &format!("{}\n{MINIMAL}", text.trim_start()));
    let faults = Config::load(&[file]).expect_err("the file is faulty").to_string();
    faults.replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn faults_of_certificates_and_keys() {
    insta::assert_snapshot!(beside_files(
        r#"
[server.tls]
certificate = "tls.crt"
private_key = "app.key"
"#
    ), @r#"
    error: `private_key` does not belong to the certificate
     --> DIR/vestibule.toml:3:15
      |
    2 | certificate = "tls.crt"
      |               --------- this certificate has another public key
    3 | private_key = "app.key"
      |               ^^^^^^^^^
      |
      = help: the certificate's file begins with the leaf, which must be the one made for this key

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(beside_files(
        r#"
[server.tls]
certificate = "tls.key"
private_key = "tls.crt"
client_ca = "odd.pem"
"#
    ), @r#"
    error: the file of `certificate` holds no certificate in PEM
     --> DIR/vestibule.toml:2:15
      |
    2 | certificate = "tls.key"
      |               ^^^^^^^^^ read as `DIR/tls.key`
      |
      = help: it must have blocks that begin with -----BEGIN CERTIFICATE-----

    error: the file of `private_key` holds no private key in PEM
     --> DIR/vestibule.toml:3:15
      |
    3 | private_key = "tls.crt"
      |               ^^^^^^^^^ read as `DIR/tls.crt`
      |
      = help: it must have one block: PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY

    error: the file of `client_ca` holds a certificate that cannot be used: invalid peer certificate: BadEncoding
     --> DIR/vestibule.toml:4:13
      |
    4 | client_ca = "odd.pem"
      |             ^^^^^^^^^ read as `DIR/odd.pem`

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(beside_files(
        r#"
[server.tls]
certificate = "damaged.pem"
private_key = "locked.key"
client_ca = "empty.pem"
"#
    ), @r#"
    error: the file of `certificate` is damaged PEM
     --> DIR/vestibule.toml:2:15
      |
    2 | certificate = "damaged.pem"
      |               ^^^^^^^^^^^^^ read as `DIR/damaged.pem`
      |
      = help: it must have blocks that begin with -----BEGIN CERTIFICATE-----

    error: the file of `private_key` holds an encrypted key, and nobody is there to type its passphrase at start
     --> DIR/vestibule.toml:3:15
      |
    3 | private_key = "locked.key"
      |               ^^^^^^^^^^^^ read as `DIR/locked.key`
      |
      = help: it must have one block: PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY

    error: the file of `client_ca` holds no certificate in PEM
     --> DIR/vestibule.toml:4:13
      |
    4 | client_ca = "empty.pem"
      |             ^^^^^^^^^^^ read as `DIR/empty.pem`
      |
      = help: it must have blocks that begin with -----BEGIN CERTIFICATE-----

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(beside_files(
        r#"
[server.tls]
certificate = "no-such-file.crt"
private_key = "binary.key"
"#
    ), @r#"
    error: cannot read the file of `certificate`: there is no such file
     --> DIR/vestibule.toml:2:15
      |
    2 | certificate = "no-such-file.crt"
      |               ^^^^^^^^^^^^^^^^^^ read as `DIR/no-such-file.crt`

    error: cannot read the file of `private_key`: it is not UTF-8: the first bad byte is in line 1
     --> DIR/vestibule.toml:3:15
      |
    3 | private_key = "binary.key"
      |               ^^^^^^^^^^^^ read as `DIR/binary.key`

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(beside_files(
        r#"
[server.tls]
certificate = """
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
"""
"#
    ), @r#"
    error: `private_key` is missing
     --> DIR/vestibule.toml:1:1
      |
    1 | [server.tls]
      | ^^^^^^^^^^^^
      |
      = help: TLS needs `certificate` and `private_key`, both PEM files

    error: `certificate` must be the path of a file
     --> DIR/vestibule.toml:2:15
      |
    2 |   certificate = """
      |  _______________^
    3 | | ***************************
    4 | | ****
    5 | | *************************
    6 | | """
      | |___^
      |
      = help: the file's content does not belong here

    the configuration has 2 faults
    "#);
}
