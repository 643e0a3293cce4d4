//! Texts that nobody should have to survive, and secrets that no fault may show.

use proptest::prelude::*;

use super::{MINIMAL, accepted, parse};

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
    let text = (0..10_000).map(|n| format!("[server.k{n}]\n")).collect::<Vec<_>>().concat();
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
        "client_secret = \" ${SECRET}\"",
        "client_secret = \"hunter2\"\nclient_auth = \"none\"",
        "client_auth = { client_secret = \"hunter2\" }",
        "discovery_url = \"https://me:hunter2@id.example.com\"",
        "discovery_url = \"https://me:${SECRET}@id.example.com\"",
        "preset = \"${SECRET}\"",
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
