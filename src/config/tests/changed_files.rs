//! Which changes of files make another configuration, however they come about.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::{super::*, MINIMAL, folder, write};

/// Whether anything is other than when the configuration was read.
fn has_changed(files: &FilesRead) -> bool {
    files.look_again() != *files
}

#[test]
fn every_file_that_a_configuration_names_is_part_of_it() {
    let folder = folder();
    let text = format!(
        "keys.secret_file = \"keys\"\n[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n\
         client_ca = \"ca.pem\"\n{}\n[app.tls]\ncertificate = \"app.crt\"\nprivate_key = \"app.key\"\n",
        MINIMAL
            .replace("client_id", "ca_file = \"metrics.crt\"\nclient_secret_file = \"client-secret\"\nclient_id")
            .replace("upstream = \"http:", "upstream_tls = { ca_file = \"metrics.crt\" }\nupstream = \"https:")
    );
    let file = write(&folder, "vestibule.toml", &text);
    for name in
        ["vestibule.toml", "keys", "tls.crt", "tls.key", "ca.pem", "app.crt", "app.key", "metrics.crt", "client-secret"]
    {
        let config = Config::load(std::slice::from_ref(&file)).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(!has_changed(&config.files), "{name}");
        let before = fs::read(folder.path().join(name)).expect("a file");
        write(&folder, name, "another text");
        assert!(has_changed(&config.files), "{name}");
        fs::write(folder.path().join(name), before).expect("a file");
        assert!(!has_changed(&config.files), "{name} is again as it was");
    }
    write(&folder, "partners-secret", "nothing that it names");
    let config = Config::load(&[file]).unwrap_or_else(|faults| panic!("{faults}"));
    write(&folder, "metrics.key", "nor this");
    assert!(!has_changed(&config.files));
}

/// What somebody does to a file, given its folder.
type Deed = fn(&Path);

#[test]
fn a_change_is_seen_however_it_comes_about() {
    let deeds: [(&str, Deed, bool); 8] = [
        ("nothing", |_| {}, false),
        ("a rewrite of the same", |at| drop(fs::copy(at.join("copy"), at.join("vestibule.toml"))), false),
        ("a rewrite of the same size", |at| rewrite(at, &MINIMAL.replace("wiki", "tiki")), true),
        ("half of a text", |at| rewrite(at, &MINIMAL[..40]), true),
        ("an emptied file", |at| rewrite(at, ""), true),
        ("a removed file", |at| fs::remove_file(at.join("vestibule.toml")).expect("a file"), true),
        (
            "an editor's rename",
            |at| {
                fs::write(at.join("next"), MINIMAL.replace("wiki", "docs")).expect("a file");
                fs::rename(at.join("next"), at.join("vestibule.toml")).expect("a file");
            },
            true,
        ),
        (
            "a folder in its place",
            |at| {
                fs::remove_file(at.join("vestibule.toml")).expect("a file");
                fs::create_dir(at.join("vestibule.toml")).expect("a folder");
            },
            true,
        ),
    ];
    for (what, deed, is_seen) in deeds {
        let folder = tempfile::tempdir().expect("a folder");
        let file = write(&folder, "vestibule.toml", MINIMAL);
        write(&folder, "copy", MINIMAL);
        let config = Config::load(&[file]).unwrap_or_else(|faults| panic!("{faults}"));
        deed(folder.path());
        assert_eq!(has_changed(&config.files), is_seen, "{what}");
    }
}

fn rewrite(at: &Path, text: &str) {
    fs::write(at.join("vestibule.toml"), text).expect("a file");
}

#[test]
fn the_link_that_kubernetes_swaps_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", MINIMAL.to_owned()), ("..2", MINIMAL.replace("wiki", "docs"))] {
        fs::create_dir(at(version)).expect("a folder");
        fs::write(at(version).join("vestibule.toml"), text).expect("a file");
    }
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/vestibule.toml", at("vestibule.toml")).expect("a link");
    // As a mounted folder, and as a file in it.
    let configs = [folder.path().to_owned(), at("vestibule.toml")].map(|path| Config::load(&[path]).expect("a file"));
    assert!(configs.iter().all(|config| !has_changed(&config.files)));
    symlink("..2", at("..data_tmp")).expect("a link");
    fs::rename(at("..data_tmp"), at("..data")).expect("a link");
    assert!(configs.iter().all(|config| has_changed(&config.files)));
}

#[test]
fn files_that_come_into_a_folder_or_leave_it_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "10.toml", MINIMAL);
    let load = || Config::load(&[folder.path().to_owned()]).unwrap_or_else(|faults| panic!("{faults}"));
    let config = load();
    write(&folder, "notes.txt", "no part of it");
    write(&folder, ".20.toml.swp", "nor this");
    assert!(!has_changed(&config.files));
    write(&folder, "20.toml", "server.workers = 1");
    assert!(has_changed(&config.files));
    let config = load();
    fs::remove_file(folder.path().join("20.toml")).expect("a file");
    assert!(has_changed(&config.files));
}

#[test]
fn a_faulty_configuration_is_looked_at_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = MINIMAL.replace("client_id", "client_secret_file = \"secret\"\nclient_id");
    let file = write(&folder, "vestibule.toml", &secret);
    let faults = Config::load(std::slice::from_ref(&file)).expect_err("there is no secret");
    assert!(!has_changed(faults.files()), "the same faults come of the same files");
    write(&folder, "secret", "s3cr3t");
    assert!(has_changed(faults.files()), "what was missing is there");
    fs::remove_file(&file).expect("a file");
    let faults = Config::load(std::slice::from_ref(&file)).expect_err("there is no file");
    assert!(!has_changed(faults.files()));
    write(&folder, "vestibule.toml", &secret);
    assert!(has_changed(faults.files()));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    let mut files = FilesRead::default();
    let path = Path::new("secret");
    files.note_content(path, 10, &Ok(b"one".to_vec()));
    let whole = files.clone();
    files.note_content(path, 10, &Ok(b"two".to_vec()));
    assert_ne!(files, whole);
    files.note_content(path, 10, &Ok(b"one".to_vec()));
    assert_ne!(files, whole, "no later look finds what was found here");
    assert_eq!(format!("{files:?}"), "FilesRead(1)", "no fingerprint of a secret");
}
