//! Texts that nobody should have to survive, and secrets that no fault may show.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use proptest::prelude::*;

use super::{super::*, MINIMAL, accepted, folder, parse, write};
use crate::clock;

/// What the slowest of our machines has for the worst file. On a fast one it is far less.
const SOON: Duration = Duration::from_secs(5);

/// Does something and holds it to its time.
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = clock::instant();
    let done = work();
    let took = start.elapsed();
    assert!(took < SOON, "{what} took {took:?}");
    done
}

/// The only fault of paths, without the folder's own name.
fn refused(folder: &Path, paths: &[PathBuf]) -> String {
    let faults = soon("reading what is no configuration", || Config::load(paths));
    let faults = faults.expect_err("a fault").to_string();
    assert!(faults.len() < 64 << 10, "{} bytes of faults", faults.len());
    faults.replace(&folder.display().to_string(), "DIR")
}

#[test]
fn hostile_texts_are_answered() {
    for text in [
        "\0".to_owned(),
        "\r\r".to_owned(),
        "\u{feff}".to_owned(),
        format!("{MINIMAL}\0"),
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
fn threat_119_nesting_of_a_hundred_thousand_levels_is_a_fault() {
    const DEEP: usize = 100_000;
    for text in [
        "[".repeat(DEEP),
        format!("[{}a]", "a.".repeat(DEEP)),
        format!("[[{}a]]", "a.".repeat(DEEP)),
        format!("a{} = 1", ".a".repeat(DEEP)),
        format!("a = {}", "[".repeat(DEEP)),
        format!("a = {}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
        format!("a = {}", "{a=".repeat(DEEP)),
        format!("a = {}1{}", "{a=".repeat(DEEP), "}".repeat(DEEP)),
        format!("server.listen = {}{}\n{MINIMAL}", "[".repeat(70), "]".repeat(70)),
    ] {
        let faults = soon("a deep text", || parse(&text)).expect_err("a fault").to_string();
        assert!(faults.len() < 64 << 10, "{} bytes", faults.len());
    }
}

#[test]
fn one_line_of_four_megabytes_is_shown_in_part() {
    for text in [
        format!("server.lisen = [{}]\n{MINIMAL}", "\"127.0.0.1:1\", ".repeat(300_000)),
        format!("{MINIMAL}\n[server]\nprefix = \"{}\"\n", "/x/".repeat(1_000_000)),
        format!("{MINIMAL}\n[server]\n{} = 1\n", "x".repeat(3_000_000)),
        format!("[server]\nlisten = [{}\n", "\"x\",".repeat(300_000)),
    ] {
        let faults = soon("a long line", || parse(&text).map_err(|faults| faults.to_string())).expect_err("a fault");
        assert!(faults.len() < 64 << 10, "{} bytes", faults.len());
    }
}

#[test]
fn ten_thousand_routes_are_read_soon() {
    let route = |n: usize| format!("[[app.route]]\npath = \"/a{n}/*/b/**\"\naccess = \"public\"\n");
    let text = format!("{MINIMAL}\n{}", (0..10_000).map(route).collect::<Vec<_>>().concat());
    let config = soon("10,000 routes", || Config::parse("vestibule.toml", &text)).expect("a configuration");
    assert_eq!(config.apps[0].routes.len(), 10_000);
    let text = format!("{MINIMAL}\n{}", "[[app.route]]\npath = \"/a\"\naccess = \"public\"\n".repeat(10_000));
    let config = soon("10,000 warnings", || Config::parse("vestibule.toml", &text)).expect("a configuration");
    assert_eq!(config.warnings.len(), 101);
    assert_eq!(config.warnings.last().map(String::as_str), Some("and 9900 more warnings"));
    let conditions: Vec<_> = (0..10_000).map(|n| format!("{{ email = \"p{n}@example.com\" }}")).collect();
    let access = format!("policy = \"listed\"\nallow = [{}]", conditions.join(", "));
    let text = MINIMAL.replace("policy = \"anyone\"", &access);
    let config = soon("10,000 conditions", || Config::parse("vestibule.toml", &text)).expect("a configuration");
    assert_eq!(config.apps[0].access.allow.len(), 10_000);
}

#[test]
fn what_editors_of_other_systems_save_is_read() {
    let crlf = MINIMAL.replace('\n', "\r\n");
    for text in [crlf.clone(), format!("\u{feff}{MINIMAL}"), format!("\u{feff}{crlf}")] {
        Config::parse("vestibule.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        let faulty = text.replace("client_id", "clientid");
        let faults = Config::parse("vestibule.toml", &faulty).expect_err("a fault").to_string();
        assert!(faults.contains(" --> vestibule.toml:5:1\n"), "{faults}");
        assert!(faults.contains("5 | clientid = \"wiki\"\n  | ^^^^^^^^ did you mean `client_id`?"), "{faults}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (text, start) in [("\u{feff}[server]", [0xff, 0xfe]), ("[server]", [0xfe, 0xff])] {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        let path = folder.path().join("vestibule.toml");
        fs::write(&path, start.into_iter().chain(units).collect::<Vec<_>>()).expect("a file");
        let faults = refused(folder.path(), &[path]);
        assert!(
            faults.starts_with("error: cannot read the configuration `DIR/vestibule.toml`: it is UTF-16"),
            "{faults}"
        );
    }
}

#[test]
fn a_configuration_that_is_no_file_is_a_fault_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    symlink(at("b.toml"), at("a.toml")).expect("a link");
    symlink(at("a.toml"), at("b.toml")).expect("a link");
    symlink("/dev/zero", at("zero.toml")).expect("a link");
    for (path, expected) in [
        (at("a.toml"), "it is a symbolic link that leads back to itself"),
        (folder.path().to_owned(), "it is a symbolic link that leads back to itself"),
        (PathBuf::from("/dev/zero"), "it is no regular file"),
        (PathBuf::from("/dev/null"), "it is no regular file"),
        (at("zero.toml"), "it is no regular file"),
        (PathBuf::from("/dev/stdin/x"), "cannot read the configuration"),
        (at(&"x".repeat(5000)), "cannot read the configuration"),
        (PathBuf::new(), "there is no such file"),
    ] {
        let faults = refused(folder.path(), &[path]);
        assert!(faults.contains(expected), "{faults}");
    }
}

#[test]
fn the_same_file_given_twice_is_one_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(&folder, "vestibule.toml", MINIMAL);
    symlink(&file, folder.path().join("link")).expect("a link");
    let expected = "error: the configuration `DIR/vestibule.toml` is given twice\n |\n = note: everything in it would be set \
                    twice\n = help: name each file once, or the folder that it is in\n\nthe configuration has 1 fault";
    for paths in [vec![file.clone(), file.clone()], vec![file.clone(), folder.path().to_owned()]] {
        assert_eq!(refused(folder.path(), &paths), expected);
    }
    let faults = refused(folder.path(), &[file.clone(), folder.path().join("link")]);
    assert!(faults.contains("the configuration `DIR/link` is given twice"), "{faults}");
    // Kubernetes mounts a folder of links to files of a hidden folder.
    Config::load(&[file]).expect("a configuration");
}

#[test]
fn a_secret_file_that_holds_no_secret_is_a_fault_at_once() {
    let folder = folder();
    let text = MINIMAL.replace("client_id", "client_secret_file = \"secret\"\nclient_id");
    let config = write(&folder, "vestibule.toml", &text);
    let secret = folder.path().join("secret");
    let huge = || fs::File::create(&secret).and_then(|file| file.set_len(100 << 20));
    let link = || symlink("/dev/urandom", &secret);
    for (make, expected) in [
        (&(|| fs::write(&secret, "")) as &dyn Fn() -> std::io::Result<()>, "the file of `client_secret_file` is empty"),
        (&|| fs::write(&secret, "\n"), "the file of `client_secret_file` is empty"),
        (&|| fs::write(&secret, " \t \r\n\n"), "the file of `client_secret_file` is empty"),
        (&|| fs::write(&secret, "a\nb\n"), "the file of `client_secret_file` must be one line"),
        (&|| fs::write(&secret, b"\xff\xff"), "cannot read the file of `client_secret_file`: it is not UTF-8"),
        (&|| fs::write(&secret, "a\0b"), "the file of `client_secret_file` must be one line"),
        (&huge, "cannot read the file of `client_secret_file`: it has more than 1024 KiB"),
        (&link, "cannot read the file of `client_secret_file`: it is no regular file"),
        (&|| fs::create_dir(&secret), "cannot read the file of `client_secret_file`: it is a folder"),
    ] {
        make().expect("a file that is no secret");
        let faults = refused(folder.path(), std::slice::from_ref(&config));
        assert!(faults.starts_with(&format!("error: {expected}")), "{faults}");
        assert!(faults.ends_with("the configuration has 1 fault"), "{faults}");
        fs::remove_file(&secret).or_else(|_| fs::remove_dir(&secret)).expect("it is there");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(&folder, "vestibule.toml", MINIMAL);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // As an editor does that writes in place: there are moments at which half of it is there.
                for text in [MINIMAL.to_owned(), format!("{}{MINIMAL}", "# a remark\n".repeat(10_000))] {
                    fs::write(&file, text).expect("a file is written");
                }
            }
        });
        for _ in 0..50 {
            match soon("a file that changes", || Config::load(std::slice::from_ref(&file))) {
                Ok(config) => assert_eq!(config.apps[0].id.as_str(), "wiki"),
                Err(faults) => assert!(faults.to_string().contains("the configuration has"), "{faults}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn ten_thousand_faults_are_not_a_wall_of_text() {
    let text = (0..10_000).map(|n| format!("[server.k{n}]\n")).collect::<Vec<_>>().concat();
    let text = format!("{text}{MINIMAL}");
    let faults = soon("10,000 faults", || parse(&text).map_err(|faults| faults.to_string())).expect_err("faults");
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
        "client_secret_file = \"\"\"\nhunter2\n\"\"\"",
        "client_secret = \"hunter2\", client_auth = 1",
        "client_secret = \" ${SECRET}\"",
        "client_secret = \"hunter2\"\nclient_auth = \"none\"",
        "client_auth = { client_secret = \"hunter2\" }",
        "discovery_url = \"https://me:hunter2@id.example.com\"",
        "discovery_url = \"https://me:${SECRET}@id.example.com\"",
        "preset = \"${SECRET}\"",
        "client_secret = [\n\"hunter2\",\n]",
        "client_secret = {\nvalue = \"hunter2\" }",
        "client_secret_file = [\n\"hunter2\"]",
    ] {
        let text = MINIMAL.replace("id = \"company\"", &format!("{provider}\nid = \"company\""));
        let faults = parse(&text).expect_err(provider);
        assert!(!format!("{faults}{faults:?}").contains("hunter2"), "{provider}: {faults}");
    }
    for setting in [
        "Authorization = { basic = \"svc:hunter2\" }",
        "Authorization = { basic = \"${CREW}\" }",
        "Authorization = { basic = [\n\"hunter2\"\n] }",
        "Authorization = \"Bearer hunter2\"",
        "Authorization = \"Bearer ${CREW}\"",
        "X-Api-Key = { value = \"hunter2ü\" }",
        "X-Api-Key = { value = \"${CREW}ü\" }",
        "X-Api-Key = { value = \"hunter2\", claim = \"sub\" }",
        "X-Api-Key = { vaule = \"hunter2\" }",
        "X-Api-Key.value = \"hunter2ü\"",
    ] {
        for text in [
            format!("{MINIMAL}\n[app.headers.set]\n{setting}\n"),
            format!("{MINIMAL}\n[app.headers]\nset.{setting}\n"),
            format!("{MINIMAL}\n[app.headers]\nset = {{\n{setting}\n}}\n"),
        ] {
            let faults = parse(&text).expect_err(&text);
            assert!(!format!("{faults}{faults:?}").contains("hunter2"), "{text}: {faults}");
        }
    }
    let keys = format!("{MINIMAL}\n[keys]\nsecret = [\n  \"hunter2\",\n  \"hunter2\",\n]\n");
    let faults = parse(&keys).expect_err("a ring is one text").to_string();
    assert!(!faults.contains("hunter2"), "{faults}");
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
