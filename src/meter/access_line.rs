//! The line that each request leaves.
//!
//! Without the query, which may carry codes, tokens and whatever the app puts
//! there, and without any header.

use std::{net::IpAddr, time::Duration};

use http::Version;
use tracing::Level;

use super::{Lane, Line, LineFormat, LogStream, TimeText, line::key};

/// What is written about one request when its answer is done.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    /// When it ended, in milliseconds since 1970-01-01T00:00:00Z.
    pub unix_millis: i64,
    /// The same as on an error page and in `X-Request-Id`.
    pub request_id: &'a str,
    /// The id of the app; empty where none was found.
    pub app: &'a str,
    /// The visitor's address, after trusted proxies.
    pub client: IpAddr,
    /// As the visitor spelled it.
    pub method: &'a str,
    /// The path alone. Whoever fills this in hides the part that is a secret (the token of an invitation).
    pub path: &'a str,
    /// Of the visitor's connection.
    pub protocol: Version,
    /// What was answered.
    pub status: u16,
    /// How much of a body was sent; `None` where nobody counted, as in a tunnel.
    pub bytes: Option<u64>,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// Who was signed in.
    pub user: Option<&'a str>,
}

impl AccessLine<'_> {
    /// Writes the line; the fields stand in the order in which eyes look for them.
    fn encode(&self, out: &mut Vec<u8>, time: &mut TimeText, format: LineFormat) {
        let mut line = Line::begin(out, format, time, self.unix_millis, Level::INFO, "request");
        line.text(key!("method"), self.method);
        line.text(key!("path"), self.path);
        line.number(key!("status"), self.status.into());
        line.millis(key!("duration_ms"), self.duration);
        if let Some(bytes) = self.bytes {
            line.number(key!("bytes"), bytes);
        }
        if !self.app.is_empty() {
            line.text(key!("app"), self.app);
        }
        if let Some(user) = self.user {
            line.text(key!("user"), user);
        }
        line.address(key!("client"), self.client);
        line.text(key!("protocol"), protocol_name(self.protocol));
        line.text(key!("request_id"), self.request_id);
        line.end();
    }
}

/// The access log: where workers get their lanes.
#[derive(Clone, Debug)]
pub struct AccessLog {
    stream: LogStream,
    format: LineFormat,
}

impl AccessLog {
    /// A log that writes to `stream`, between the events.
    pub fn new(format: LineFormat, stream: &LogStream) -> Self {
        Self { stream: stream.clone(), format }
    }

    /// A log of one worker's own, so that workers never wait for each other.
    pub fn worker(&self) -> WorkerLog {
        WorkerLog { lane: self.stream.lane(), format: self.format }
    }
}

/// One worker's access log.
#[derive(Clone, Debug)]
pub struct WorkerLog {
    lane: Lane,
    format: LineFormat,
}

impl WorkerLog {
    /// Adds a line; it never waits for the output once [`LogStream::run`] is there.
    pub fn record(&self, line: &AccessLine<'_>) {
        self.lane.append(|out, time| line.encode(out, time, self.format));
    }
}

fn protocol_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: AccessLine<'_> = AccessLine {
        unix_millis: 1_795_254_962_007,
        request_id: "0f8a",
        app: "wiki",
        client: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)),
        method: "GET",
        path: "/pages/start",
        protocol: Version::HTTP_11,
        status: 200,
        bytes: Some(5_120),
        duration: Duration::from_micros(1_250),
        user: Some("ann@example.com"),
    };

    fn written(line: &AccessLine<'_>, format: LineFormat) -> String {
        let mut out = Vec::new();
        line.encode(&mut out, &mut TimeText::default(), format);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_one_json_object() {
        assert_eq!(
            written(&LINE, LineFormat::Json),
            concat!(
                r#"{"time":"2026-11-21T09:56:02.007Z","level":"info","message":"request","method":"GET","#,
                r#""path":"/pages/start","status":200,"duration_ms":1.250,"bytes":5120,"app":"wiki","#,
                r#""user":"ann@example.com","client":"203.0.113.7","protocol":"HTTP/1.1","request_id":"0f8a"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_request_is_one_line_for_eyes() {
        assert_eq!(
            written(&LINE, LineFormat::Human),
            concat!(
                "2026-11-21T09:56:02.007Z  INFO request method=GET path=/pages/start status=200 duration_ms=1.250 ",
                "bytes=5120 app=wiki user=ann@example.com client=203.0.113.7 protocol=HTTP/1.1 request_id=0f8a\n"
            )
        );
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let line = written(&AccessLine { app: "", bytes: None, user: None, ..LINE }, LineFormat::Json);
        for key in ["app", "bytes", "user"] {
            assert!(!line.contains(&format!("\"{key}\"")), "{line}");
        }
    }

    #[test]
    fn threat_126_hostile_fields_make_one_line_and_no_field() {
        let hostile = "x\r\n{\"level\":\"error\"}\x1b[2J\",\"status\":1,\"ü\u{202e}";
        let line = AccessLine {
            request_id: hostile,
            app: hostile,
            method: hostile,
            path: hostile,
            user: Some(hostile),
            ..LINE
        };
        for format in [LineFormat::Json, LineFormat::Human] {
            let written = written(&line, format);
            assert_eq!(written.lines().count(), 1, "{written}");
            assert!(!written.contains('\x1b') && !written.contains('\u{202e}'), "{written}");
        }
        let read: serde_json::Value = serde_json::from_str(&written(&line, LineFormat::Json)).unwrap();
        for key in ["request_id", "app", "method", "path", "user"] {
            assert_eq!(read[key], hostile);
        }
        assert_eq!(read["status"], 200);
    }
}
