use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    clock::{Clock, Timestamp},
    meter::Meter,
};

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `act` leaves in a log of this level and format.
fn logged(level: &str, format: LineFormat, act: impl FnOnce()) -> String {
    let output = Output::default();
    let meter = Meter::new(&Clock::manual(Timestamp::from_unix(0)).0);
    let stream = LogStream::new(output.clone(), &meter);
    let (subscriber, _) = subscriber(level, format, &stream, || 1_795_254_962_007).unwrap();
    subscriber::with_default(subscriber, act);
    let written = output.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

#[test]
fn an_event_is_one_flat_json_object() {
    let line = logged("info", LineFormat::Json, || {
        tracing::warn!(request_id = "0f8a", attempts = 3_u32, delta = -1, late = true, "the store is slow");
    });
    assert_eq!(
        line,
        concat!(
            r#"{"time":"2026-11-21T09:56:02.007Z","level":"warn","message":"the store is slow","#,
            r#""target":"vestibule::telemetry::tests","request_id":"0f8a","attempts":3,"delta":-1,"late":true}"#,
            "\n"
        )
    );
}

#[test]
fn an_event_is_one_line_for_eyes() {
    let line = logged("info", LineFormat::Human, || tracing::info!(listen = %"127.0.0.1:4180", "listening"));
    assert_eq!(
        line,
        "2026-11-21T09:56:02.007Z  INFO listening target=vestibule::telemetry::tests listen=127.0.0.1:4180\n"
    );
}

#[test]
fn fields_of_the_spans_around_an_event_belong_to_it_and_the_nearest_wins() {
    let line = logged("debug", LineFormat::Json, || {
        let outer =
            tracing::info_span!("sign_in", request_id = "outer", provider = "company", app = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("app", "wiki");
        let _inner = tracing::debug_span!("token", request_id = "inner").entered();
        tracing::debug!(provider = "own", "exchanged");
    });
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["request_id"], "inner");
    assert_eq!(read["provider"], "own");
    assert_eq!(read["app"], "wiki");
    assert_eq!(line.matches("\"request_id\"").count(), 1);
    assert_eq!(line.matches("\"provider\"").count(), 1);
}

#[test]
fn a_field_does_not_take_the_place_of_what_every_line_has() {
    let line = logged("info", LineFormat::Json, || {
        tracing::info!(time = "never", level = 9, target = "elsewhere", "here");
    });
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["level"], "info");
    assert_eq!(read["field_level"], 9);
    assert_eq!(read["field_time"], "never");
    for name in ["\"time\"", "\"level\"", "\"message\"", "\"target\""] {
        assert_eq!(line.matches(name).count(), 1, "{name} in {line}");
    }
}

#[test]
fn an_error_is_written_with_its_causes() {
    #[derive(Debug, Error)]
    #[error("the token endpoint did not answer")]
    struct Outer(#[source] io::Error);

    let error = Outer(io::Error::other("connection reset"));
    let line = logged("info", LineFormat::Json, || {
        tracing::error!(error = &error as &(dyn std::error::Error + 'static), "sign-in failed");
    });
    assert!(line.contains(r#""error":"the token endpoint did not answer: connection reset""#), "{line}");
}

#[test]
fn levels_are_set_by_module() {
    let line = logged("warn,vestibule::telemetry=debug", LineFormat::Json, || {
        tracing::debug!("wanted");
        tracing::info!(target: "hyper", "not wanted");
    });
    assert_eq!(line.lines().count(), 1);
    assert!(line.contains("\"wanted\""));
}

#[test]
fn a_level_that_makes_no_sense_is_named() {
    let meter = Meter::new(&Clock::manual(Timestamp::from_unix(0)).0);
    let stream = LogStream::new(io::sink(), &meter);
    let Err(error) = subscriber("vestibule=loud", LineFormat::Json, &stream, || 0) else {
        panic!("a level called loud was accepted");
    };
    assert!(error.to_string().starts_with("log.level: \"vestibule=loud\" is not a list like"), "{error}");
}

#[test]
fn threat_126_and_cve_2025_58160_nothing_in_an_event_ends_its_line_or_reaches_the_terminal() {
    let hostile = "x\r\n{\"level\":\"error\"}\x1b]0;owned\x07\u{9b}31m\u{202e}";
    for format in [LineFormat::Human, LineFormat::Json] {
        let line = logged("info", format, || {
            let _span = tracing::info_span!("request", path = hostile).entered();
            tracing::info!(display = %hostile, debug = ?hostile, text = hostile, "{hostile}");
        });
        assert_eq!(line.lines().count(), 1, "{line}");
        assert_eq!(line.chars().filter(|char| char.is_control()).count(), 1, "{line}");
        assert!(!line.contains('\u{202e}'), "{line}");
    }
}

#[test]
fn threat_125_a_panic_is_one_line_that_names_the_place_and_not_the_value() {
    for format in [LineFormat::Human, LineFormat::Json] {
        let line = logged("info", format, || {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(report_panic));
            let outcome = panic::catch_unwind(|| panic!("canary {}", 42));
            panic::set_hook(previous);
            assert!(outcome.is_err());
        });
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("src/telemetry/tests.rs:"), "{line}");
        assert!(!line.contains("canary"), "{line}");
    }
}

#[test]
fn lines_are_for_eyes_on_a_terminal_only() {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(line_format(LogFormat::Auto, &file), LineFormat::Json);
    assert_eq!(line_format(LogFormat::Json, &file), LineFormat::Json);
    assert_eq!(line_format(LogFormat::Human, &file), LineFormat::Human);
}

#[test]
fn threat_125_a_library_that_shows_what_visitors_send_is_heard_only_by_its_name() {
    let act = || tracing::warn!(target: "h2::server", "malformed path: /x?canary");
    for (level, heard) in [("info", false), ("trace", false), ("trace,h2=warn", true), ("h2=debug", true)] {
        assert_eq!(!logged(level, LineFormat::Json, act).is_empty(), heard, "{level}");
    }
}
