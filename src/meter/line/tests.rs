use proptest::prelude::*;

use super::*;

fn line(format: LineFormat, fill: impl FnOnce(&mut Line<'_>)) -> String {
    let mut out = Vec::new();
    let mut line =
        Line::begin(&mut out, format, &mut TimeText::default(), 1_795_254_962_007, Level::WARN, "it happened");
    fill(&mut line);
    line.end();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_has_its_fields_at_the_top_level() {
    let fill = |line: &mut Line<'_>| {
        line.text("app", "wiki");
        line.text("empty", "");
        line.number("status", 200);
        line.literal("delta", -3);
        line.literal("ratio", 0.5);
        line.literal("odd", f64::NAN);
        line.literal("done", true);
        line.millis("duration_ms", Duration::from_micros(12_034));
        line.address("client", "2001:db8::1".parse().unwrap());
        line.address("peer", "192.0.2.255".parse().unwrap());
    };
    assert_eq!(
        line(LineFormat::Json, fill),
        concat!(
            r#"{"time":"2026-11-21T09:56:02.007Z","level":"warn","message":"it happened","app":"wiki","empty":"","#,
            r#""status":200,"delta":-3,"ratio":0.5,"odd":"NaN","done":true,"duration_ms":12.034,"#,
            r#""client":"2001:db8::1","peer":"192.0.2.255"}"#,
            "\n"
        )
    );
    assert_eq!(
        line(LineFormat::Human, fill),
        concat!(
            r#"2026-11-21T09:56:02.007Z  WARN it happened app=wiki empty="" status=200 delta=-3 ratio=0.5 odd="NaN""#,
            " done=true duration_ms=12.034 client=2001:db8::1 peer=192.0.2.255\n"
        )
    );
}

#[test]
fn threat_126_a_value_stays_within_its_line_and_reaches_no_terminal() {
    let cases = [
        ("a\r\nlevel=error", r"a\r\nlevel=error", r#""a\r\nlevel=error""#),
        ("\x1b[31m", r"\u001b[31m", r#""\u{1b}[31m""#),
        ("\u{9b}31m", r"\u009b31m", r#""\u{9b}31m""#),
        ("\u{202e}gpj", r"\u202egpj", r#""\u{202e}gpj""#),
        ("a\u{2028}b", r"a\u2028b", r#""a\u{2028}b""#),
        ("\x7f", r"\u007f", r#""\u{7f}""#),
        ("\0", r"\u0000", r#""\0""#),
        (r#"","level":"error"#, r#"\",\"level\":\"error"#, r#""\",\"level\":\"error""#),
        ("a b=c", "a b=c", r#""a b=c""#),
        ("Jürgen", r"J\u00fcrgen", r#""Jürgen""#),
        ("🦀", r"\ud83e\udd80", r#""🦀""#),
    ];
    for (value, json, human) in cases {
        let written = line(LineFormat::Json, |line| line.text("user", value));
        assert!(written.ends_with(&format!("\"user\":\"{json}\"}}\n")), "{value:?}: {written}");
        let written = line(LineFormat::Human, |line| line.text("user", value));
        assert!(written.ends_with(&format!(" user={human}\n")), "{value:?}: {written}");
    }
}

#[test]
fn a_moment_is_written_as_rfc_3339_says() {
    let mut text = TimeText::default();
    for (unix_millis, written) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (951_782_400_010, "2000-02-29T00:00:00.010Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "1970-01-01T00:00:00.000Z"),
        (i64::MAX, "1970-01-01T00:00:00.807Z"),
    ] {
        assert_eq!(text.render(unix_millis), written.as_bytes());
    }
}

proptest! {
    #[test]
    fn a_parser_reads_back_what_was_written(value in any::<String>(), message in any::<String>()) {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, LineFormat::Json, &mut TimeText::default(), 0, Level::INFO, &message);
        line.text("value", &value);
        line.end();
        prop_assert!(out.is_ascii());
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(read["value"].as_str(), Some(value.as_str()));
        prop_assert_eq!(read["message"].as_str(), Some(message.as_str()));
    }

    #[test]
    fn a_line_for_eyes_holds_no_control_character_but_its_end(value in any::<String>(), message in any::<String>()) {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, LineFormat::Human, &mut TimeText::default(), 0, Level::INFO, &message);
        line.text("value", &value);
        line.end();
        let written = String::from_utf8(out).unwrap();
        prop_assert_eq!(written.chars().filter(|char| char.is_control()).count(), 1);
        prop_assert!(written.ends_with('\n'));
    }
}

#[test]
fn what_does_not_stand_for_itself_is_found_wherever_it_stands() {
    for byte in 0..=u8::MAX {
        for length in 1..=20 {
            for place in 0..length {
                let mut text = vec![b'~'; length];
                text[place] = byte;
                let expected = (!is_plain(byte)).then_some(place);
                assert_eq!(first_special(&text), expected, "{byte:#x} at {place} of {length}");
            }
        }
    }
    assert_eq!(first_special(b"12345678\x80\"234567"), Some(8), "the first of several");
}
