//! Thousands of requests, each a little wrong: what the app records is what was accepted, and nothing else.
//!
//! For each connection the strict reader foretells which requests a server could at most
//! read; hyper may refuse any of them, and must not see others. Then every answer of the
//! app that came back must belong to one recorded request with the foretold method,
//! target, fields and body, every recorded request to one such answer, and each is in
//! the access log.
//!
//! `SMUGGLING_SEED` and `SMUGGLING_CASES` in the environment make another or a longer
//! run of it; a failure names the seed, the case, and its bytes.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use http::Uri;
use tokio::{task::JoinSet, time::timeout};
use vestibule::request::Target;

use super::{
    record::App,
    strict::{self, Message, Rest},
};
use crate::harness::{RawClient, Stage, patiently};

const SEED: u64 = 0x5eed_0004;
const CASES: u64 = 4_000;
/// Longer than any limit of the configuration and shorter than the patience of the harness, which cannot name the case.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many connections at once.
const ABREAST: usize = 24;

#[tokio::test]
async fn requests_that_the_app_records_are_exactly_those_accepted_whatever_is_sent() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (seed, cases) = (number("SMUGGLING_SEED").unwrap_or(SEED), number("SMUGGLING_CASES").unwrap_or(CASES));
    let limits = "header_timeout = \"1s\"\nkeepalive = \"1s\"";
    let stage = Stage::builder().public("/**").limits(limits).start().await;
    let app = App::start(&stage);
    let (address, host) = (stage.door_address(), Arc::<str>::from(stage.authority()));
    let mut lanes = JoinSet::new();
    for lane in 0..ABREAST as u64 {
        let host = Arc::clone(&host);
        lanes.spawn(async move {
            let mut heard = Vec::new();
            for number in (lane..cases).step_by(ABREAST) {
                heard.push(Case::of(seed, number, &host).send(address).await);
            }
            heard
        });
    }
    let cases: Vec<Heard> = lanes.join_all().await.into_iter().flatten().collect();
    let echoes: HashSet<_> = cases.iter().flat_map(|case| &case.answers).filter_map(|a| a.echo.clone()).collect();
    let logged = access_log(&stage, echoes.len()).await;
    let record = app.record(stage).await;

    let recorded: HashMap<_, _> =
        record.requests.iter().map(|request| (request.all("x-request-id")[0], request)).collect();
    assert_eq!(recorded.len(), record.requests.len(), "seed {seed:#x}: an id twice");
    let mut accepted = 0;
    for case in &cases {
        let what = format!("seed {seed:#x}, case {}: {:?}", case.number, String::from_utf8_lossy(&case.sent));
        accepted += case.judge(&recorded, &what);
    }
    assert_eq!(accepted, record.requests.len(), "seed {seed:#x}: the app has seen requests that nobody was answered");
    assert_eq!(logged, echoes, "seed {seed:#x}: the access log");
    // The mutations are of some use: neither is all refused nor all accepted.
    let refused = cases.iter().flat_map(|case| &case.answers).filter(|answer| answer.echo.is_none()).count();
    assert!(accepted > cases.len() / 4 && refused > cases.len() / 4, "{accepted} accepted, {refused} refused");
}

/// The ids of all lines that say that the app answered, when there are so many.
async fn access_log(stage: &Stage, count: usize) -> HashSet<String> {
    let ids = RefCell::new(HashSet::new());
    let all = stage.door.access_line("a line for each request", |line| {
        let mut ids = ids.borrow_mut();
        if line["message"] == "request" && line["status"] == 200 {
            ids.insert(line["request_id"].as_str()?.to_owned());
        }
        (ids.len() == count).then_some(())
    });
    all.await;
    ids.into_inner()
}

/// What is sent on one connection, and what a server may at most read of it.
struct Case {
    number: u64,
    sent: Vec<u8>,
    foretold: Vec<Message>,
    rest: Rest,
}

/// What came back.
struct Heard {
    number: u64,
    sent: Vec<u8>,
    foretold: Vec<Message>,
    answers: Vec<Answer>,
}

struct Answer {
    status: u16,
    /// The id of the app's answer; none where Vestibule answered.
    echo: Option<String>,
}

impl Case {
    fn of(seed: u64, number: u64, host: &str) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        let mut sent = dice.pick(&BASES).replace("HOST", host).into_bytes();
        for _ in 0..dice.below(4) {
            mutate(&mut sent, &mut dice, host);
        }
        let (foretold, rest) = strict::read_all(&sent);
        Self { number, sent, foretold, rest }
    }

    async fn send(self, address: SocketAddr) -> Heard {
        let Self { number, sent, foretold, rest } = self;
        let mut client = RawClient::connect(address).await;
        // Whoever has heard enough may have closed before all is written; then the answers say so.
        let _ = patiently("bytes to be taken", client.wire.write(&sent)).await;
        let mut answers = Vec::new();
        let mut finished = false;
        loop {
            // Where nothing wrong has been sent, Vestibule waits for more: there is none.
            if !finished && answers.len() >= foretold.len() && matches!(rest, Rest::Nothing | Rest::Incomplete) {
                let _ = client.wire.finish().await;
                finished = true;
            }
            let answer = timeout(PATIENCE, client.response()).await.unwrap_or_else(|_| {
                panic!("case {number} is still open after {PATIENCE:?}, {rest:?}: {:?}", String::from_utf8_lossy(&sent))
            });
            let Some(answer) = answer else { break };
            if answer.status >= 200 {
                answers.push(Answer { status: answer.status, echo: answer.header("x-echo").map(str::to_owned) });
            }
        }
        Heard { number, sent, foretold, answers }
    }
}

impl Heard {
    /// How many of the app's requests were this connection's; panics where it should not have been any of them.
    fn judge(&self, recorded: &HashMap<&str, &Message>, what: &str) -> usize {
        let most = self.foretold.len() + 1;
        assert!(self.answers.len() <= most, "{} answers to {} requests: {what}", self.answers.len(), most - 1);
        let mut accepted = 0;
        for (place, answer) in self.answers.iter().enumerate() {
            let Some(id) = &answer.echo else {
                assert!((400..500).contains(&answer.status), "{}: {what}", answer.status);
                continue;
            };
            let seen = recorded.get(id.as_str()).unwrap_or_else(|| panic!("no record of {id}: {what}"));
            let foretold = self.foretold.get(place).unwrap_or_else(|| panic!("{seen:?} came out of {what}"));
            assert_same(seen, foretold, what);
            accepted += 1;
        }
        accepted
    }
}

/// Fields that are Vestibule's to write, whatever came.
const REWRITTEN: [&str; 9] = [
    "host",
    "transfer-encoding",
    "content-length",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// Whether the app saw what was sent: in its own spelling, but the same.
fn assert_same(seen: &Message, foretold: &Message, what: &str) {
    assert_eq!(seen.method, foretold.method, "{what}");
    let bytes: Vec<_> = foretold.target.chars().map(|c| c as u8).collect();
    let target = Uri::try_from(bytes).map(|uri| Target::parse(&uri).map(|target| target.path_and_query().to_string()));
    let Ok(Ok(target)) = target else { panic!("{:?} was forwarded: {what}", foretold.target) };
    let seen_target: Vec<_> = seen.target.chars().map(|c| c as u8).collect();
    assert_eq!(seen_target, target.as_bytes(), "{what}");
    assert_eq!(seen.body, foretold.body, "{what}");
    for (name, value) in seen.fields.iter().filter(|(name, _)| !REWRITTEN.contains(&name.as_str())) {
        assert!(foretold.all(name).contains(&value.as_str()), "{name}: {value} came out of {what}");
    }
}

/// What everything is made of.
const BASES: [&str; 12] = [
    "GET /a HTTP/1.1\r\nHost: HOST\r\nX-A: b\r\nAccept: */*\r\n\r\n",
    "GET /a/b?c=d&e HTTP/1.1\r\nHost: HOST\r\nCookie: a=b; c=d\r\nX-A: b, c\r\n\r\n",
    "GET http://HOST/abs?x HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "OPTIONS /a HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive, X-A\r\nX-A: b\r\n\r\n",
    "POST /l HTTP/1.1\r\nHost: HOST\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world",
    "POST /l HTTP/1.0\r\nHost: HOST\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    "POST /c HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    "PUT /t HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: u\r\nX-U: v\r\n\r\n",
    "GET /1 HTTP/1.1\r\nHost: HOST\r\n\r\nGET /2 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "POST /1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: HOST\r\nX-A: b\r\n\r\n",
    "POST /1 HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "POST /1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 43\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: evil.example\r\nPUT /2 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nok",
];

/// Whole lines that make a head mean something else.
const LINES: [&str; 22] = [
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 11",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length : 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: x, chunked",
    "Transfer-Encoding : chunked",
    "transfer-encoding:chunked",
    "Transfer_Encoding: chunked",
    "Host: evil.example",
    "Host: HOST",
    "Connection: close",
    "Connection: Host, Content-Length, Transfer-Encoding",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "X-Forwarded-User: mallory",
    " folded",
    "",
    "GET /inner HTTP/1.1",
];

/// Bytes and words that stand where they should not.
const ODDITIES: [&[u8]; 30] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\r\n",
    b"\n\r",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x80",
    b"\xff",
    b":",
    b";",
    b",",
    b"+",
    b"-",
    b"0",
    b"0x",
    b"%00",
    b"#",
    b"?",
    b"/../",
    b"\\",
    b"_",
    b"\"",
    b"@",
];

/// Request lines that are not about a path, or not in HTTP/1.1.
const REQUEST_LINES: [&str; 12] = [
    "GET * HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT HOST HTTP/1.1",
    "TRACE /a HTTP/1.1",
    "GET HOST HTTP/1.1",
    "GET http://evil.example/a HTTP/1.1",
    "GET //evil.example/a HTTP/1.1",
    "get /a HTTP/1.1",
    "GET /a HTTP/1.0",
    "GET /a HTTP/1.2",
    "GET /a HTTP/2.0",
    "GET  /a HTTP/1.1",
];

/// One change.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice, host: &str) {
    let line_ends: Vec<_> = bytes.windows(2).enumerate().filter(|(_, two)| two == b"\r\n").map(|(at, _)| at).collect();
    let at = dice.below(bytes.len() as u64 + 1);
    let line_end = if line_ends.is_empty() { at } else { dice.pick(&line_ends) };
    let replace = |bytes: &mut Vec<u8>, from: usize, length: usize, by: &[u8]| {
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, by.iter().copied());
    };
    match dice.below(12) {
        0 => replace(bytes, at, 1, &[dice.byte()]),
        1 => replace(bytes, at, 1, dice.pick(&ODDITIES)),
        2 => replace(bytes, at, 0, dice.pick(&ODDITIES)),
        3 => replace(bytes, at, 1, b""),
        4 => replace(bytes, at, dice.below(20), b""),
        5 => replace(bytes, line_end, 2, dice.pick(&ODDITIES)),
        6 | 7 => {
            let line = format!("\r\n{}", dice.pick(&LINES).replace("HOST", host));
            replace(bytes, line_end, 0, line.as_bytes());
        }
        8 => {
            // A line twice.
            let end = line_ends.iter().copied().find(|end| *end > line_end).unwrap_or(bytes.len());
            let line = bytes[line_end..end].to_vec();
            replace(bytes, end, 0, &line);
        }
        9 => {
            let line = dice.pick(&REQUEST_LINES).replace("HOST", host);
            let end = line_ends.first().copied().unwrap_or(bytes.len());
            replace(bytes, 0, end, line.as_bytes());
        }
        10 => {
            // Another number where there is one.
            let digits: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
            if !digits.is_empty() {
                let at = dice.pick(&digits);
                replace(
                    bytes,
                    at,
                    1,
                    dice.pick(&[b"0".as_slice(), b"1", b"4", b"6", b"9", b"a", b"00", b"010", b"ffffffffffffffff"]),
                );
            }
        }
        _ => {
            let colons: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b':').collect();
            if !colons.is_empty() {
                let at = dice.pick(&colons);
                replace(
                    bytes,
                    at,
                    1,
                    dice.pick(&[b" :".as_slice(), b"\t:", b"::", b":\r\n ", b"\r\n:", b"", b"=", b":\x0b"]),
                );
            }
        }
    }
}

/// Splitmix64: the same throws for the same seed, on every machine.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.throw() % bound).expect("below a length")
    }

    fn byte(&mut self) -> u8 {
        self.throw().to_le_bytes()[0]
    }

    fn pick<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.below(table.len() as u64)]
    }
}
