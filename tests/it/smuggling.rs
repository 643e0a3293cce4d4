//! No two requests come out of one (contract section 5, RFC 9112 §11.2).
//!
//! Everything here is public, so whatever gets past the framing reaches the app. Each
//! [`Row`] is one connection of a visitor; its paths begin with its own number, and
//! what the app has seen of them is compared to the last byte ([`record`]). Two readers
//! judge: hyper, which forwards, and the strict one of [`strict`], which reads what
//! was forwarded and finds fault with whatever another server could read otherwise.
//!
//! | threats | table |
//! |---|---|
//! | 66–68, 71 | [`lengths`] |
//! | 73, 74 | [`chunks`] |
//! | 60–62, 64, 72 | [`heads`] |
//! | 69, 70, 77, 78 | [`bodies`] |
//! | 76 | [`upgrades`]; 113 to 115 are in `web_sockets` |
//! | all | [`mutations`]: thousands of requests, each a little wrong |

use crate::harness::{Stage, wire::Complete};

mod bodies;
mod chunks;
mod heads;
mod lengths;
mod mutations;
mod record;
mod refusals;
mod strict;
mod upgrades;

use record::App;

/// One connection of a visitor.
struct Row {
    /// The threat or the advisory, and what it is about.
    id: &'static str,
    /// What is sent: `HOST` is the app's, `NEXT` the start of a further request that must never be one.
    sent: String,
    /// The statuses of all answers.
    answers: &'static [u16],
    then: Then,
    /// What the app saw, as [`record::told`] tells it.
    seen: Vec<String>,
    /// The app may have seen the beginning of a request that Vestibule then gave up.
    beginning: Beginning,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Vestibule ends it.
    Closed,
    /// It goes on, exactly behind what was sent: a further request is answered.
    Open,
}

/// Whether the end of a connection in the middle of a request may tell the app that there will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Unseen,
    /// How much it sees depends on how far it had been written.
    PerhapsSeen,
}

/// A further request to a path that no app ever sees.
const NEXT: &str = "GET /N/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n";

impl Row {
    /// Refused: 400, the end of the connection, and nothing at the app.
    fn refused(id: &'static str, sent: impl Into<String>) -> Self {
        Self {
            id,
            sent: sent.into(),
            answers: &[400],
            then: Then::Closed,
            seen: Vec::new(),
            beginning: Beginning::Unseen,
        }
    }

    /// One request, answered by the app, which saw this.
    fn passed(id: &'static str, sent: impl Into<String>, then: Then, seen: &str) -> Self {
        Self { id, sent: sent.into(), answers: &[200], then, seen: vec![seen.to_owned()], beginning: Beginning::Unseen }
    }

    fn answered(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }

    /// It is found out only when the app may know of the beginning.
    fn given_up(self) -> Self {
        Self { beginning: Beginning::PerhapsSeen, ..self }
    }

    /// The number of the row makes its paths its own.
    fn numbered(text: &str, number: usize, stage: &Stage) -> String {
        text.replace("NEXT", NEXT).replace("/N/", &format!("/{number}/")).replace("HOST", stage.authority())
    }
}

/// Sends each row on a connection of its own, and then asks the app.
async fn judge(rows: Vec<Row>) {
    let stage = Stage::builder().public("/**").start().await;
    let app = App::start(&stage);
    for (number, row) in rows.iter().enumerate() {
        let what = format!("row {number}, threat {}: {:?}", row.id, row.sent);
        let mut client = stage.connect().await;
        client.send(latin_1(&Row::numbered(&row.sent, number, &stage))).await;
        let mut answers = Vec::new();
        let read_on = |answers: &Vec<u16>| row.then == Then::Closed || answers.len() < row.answers.len();
        // An answer to HEAD has no body.
        let method = row.sent.trim_ascii_start().split(' ').next().unwrap_or_default();
        while read_on(&answers)
            && let Some(answer) = client.response_to(if answers.is_empty() { method } else { "GET" }).await
        {
            assert_eq!(answer.complete, Complete::Yes, "{what}: {answer:?}");
            answers.push(answer.status);
        }
        assert_eq!(answers, row.answers, "{what}");
        if row.then == Then::Open {
            client.send(Row::numbered("GET /N/after HTTP/1.1\r\nHost: HOST\r\n\r\n", number, &stage)).await;
            assert_eq!(client.response().await.map(|answer| answer.status), Some(200), "{what}: the next request");
        }
    }
    let record = app.record(stage).await;
    for (number, row) in rows.iter().enumerate() {
        let what = format!("row {number}, threat {}: {:?}", row.id, row.sent);
        let own = format!("/{number}/");
        let requests = record.requests.iter().filter(|request| request.target.starts_with(&own));
        let mut seen: Vec<_> = requests.map(|request| record::told(request).replace(&own, "/N/")).collect();
        if row.then == Then::Open {
            let after = seen.iter().position(|seen| seen == "GET /N/after\n\n");
            seen.remove(after.unwrap_or_else(|| panic!("{what}: the app did not see the next request: {seen:?}")));
        }
        assert_eq!(seen, row.seen, "{what}");
        let beginnings = record.broken_off.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let beginnings: Vec<_> = beginnings.filter(|text| text.contains(&own)).collect();
        let most = usize::from(row.beginning == Beginning::PerhapsSeen);
        assert!(beginnings.len() <= most, "{what}: {beginnings:?}");
    }
    let known = record.requests.iter().all(|request| !request.target.contains("/smuggled"));
    assert!(known, "{:?}", record.requests);
}

/// One character is one byte.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("a character of Latin-1")).collect()
}
