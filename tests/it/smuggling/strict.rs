//! A second reader of HTTP/1.1 requests (RFC 9112), as strict as the specification lets a server be.
//!
//! Written from the grammar and from nobody's code: where it and hyper differ, two
//! servers differ. It takes what a recipient *may* take (empty lines before a request,
//! equal lengths, both lengths where the connection ends afterwards) and says so in
//! [`Message::leniencies`]; whatever else departs from the grammar is no message.

/// A request that came to its end.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) minor_version: u8,
    /// Names as they came, values without the space around them; one character is one byte.
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<(String, String)>,
    /// What a sender should not have done and a recipient may still accept.
    pub(super) leniencies: Vec<&'static str>,
    /// Nothing may be read after it (RFC 9112 §6.3 and §9.6).
    pub(super) is_last: bool,
}

impl Message {
    /// All values of a field.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).iter().flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }
}

/// What stands at the beginning of some bytes.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// A request, and how many bytes it took.
    Request(Box<Message>, usize),
    /// The beginning of one, nothing wrong so far.
    Incomplete,
    /// No request, whatever may follow.
    Malformed(&'static str),
}

/// All requests of a connection, and what is left.
///
/// Behind the first one hyper decides alone what ends a line of a head (see `listener::line_ends`).
pub(super) fn read_all(bytes: &[u8]) -> (Vec<Message>, Rest) {
    let (mut messages, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let line_feeds = if messages.is_empty() { LineFeeds::Refused } else { LineFeeds::Taken };
        match read_with(rest, line_feeds) {
            Read::Request(message, taken) => {
                let is_last = message.is_last;
                messages.push(*message);
                rest = &rest[taken..];
                if is_last {
                    return (messages, Rest::Over);
                }
            }
            Read::Incomplete => return (messages, Rest::Incomplete),
            Read::Malformed(why) => return (messages, Rest::Malformed(why)),
        }
    }
    (messages, Rest::Nothing)
}

/// What follows the last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// The last request ends the connection; nobody reads on.
    Over,
    Incomplete,
    Malformed(&'static str),
}

/// Reads one request.
pub(super) fn read(bytes: &[u8]) -> Read {
    read_with(bytes, LineFeeds::Refused)
}

fn read_with(bytes: &[u8], line_feeds: LineFeeds) -> Read {
    match message(&mut Input { bytes, at: 0, line_feeds }) {
        Ok((message, taken)) => Read::Request(Box::new(message), taken),
        Err(Stop::Incomplete) => Read::Incomplete,
        Err(Stop::Malformed(why)) => Read::Malformed(why),
    }
}

enum Stop {
    Incomplete,
    Malformed(&'static str),
}

const fn malformed<T>(why: &'static str) -> Result<T, Stop> {
    Err(Stop::Malformed(why))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    line_feeds: LineFeeds,
}

/// Whether an LF alone ends a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineFeeds {
    Refused,
    Taken,
}

impl<'a> Input<'a> {
    /// A line without its CR LF. A CR or LF alone is never part of one (RFC 9112 §2.2).
    fn line(&mut self, leniencies: &mut Vec<&'static str>) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            return Err(Stop::Incomplete);
        };
        match &rest[end..] {
            [b'\r', b'\n', ..] => {
                self.at += end + 2;
                Ok(&rest[..end])
            }
            [b'\r'] => Err(Stop::Incomplete),
            [b'\n', ..] if self.line_feeds == LineFeeds::Taken => {
                leniencies.push("a line that ends in an LF alone");
                self.at += end + 1;
                Ok(&rest[..end])
            }
            _ => malformed("a CR or LF by itself"),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Stop> {
        let length = usize::try_from(length).map_err(|_| Stop::Incomplete)?;
        let end = self.at.checked_add(length).ok_or(Stop::Incomplete)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::Incomplete)?;
        self.at = end;
        Ok(taken)
    }
}

fn message(input: &mut Input<'_>) -> Result<(Message, usize), Stop> {
    let mut leniencies = Vec::new();
    // RFC 9112 §2.2; hyper takes an LF alone for one as well.
    while let Some(length) = empty_line(&input.bytes[input.at..]) {
        leniencies.push("an empty line before the request");
        input.at += length;
    }
    let (method, target, minor_version) = request_line(input.line(&mut leniencies)?)?;
    let fields = fields(input, &mut leniencies)?;
    input.line_feeds = LineFeeds::Refused;
    let mut message = Message {
        method,
        target,
        minor_version,
        fields,
        body: Vec::new(),
        trailers: Vec::new(),
        leniencies,
        is_last: false,
    };
    read_body(input, &mut message)?;
    let closes = message.lists("connection", "close");
    let keeps = minor_version == 1 || message.lists("connection", "keep-alive");
    message.is_last |= closes || !keeps;
    Ok((message, input.at))
}

fn empty_line(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    }
}

/// RFC 9112 §3: exactly one space on each side of the target.
fn request_line(line: &[u8]) -> Result<(String, String, u8), Stop> {
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return malformed("a request line of other than three parts");
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return malformed("a method that is no token");
    }
    if target.is_empty() || !target.iter().all(|byte| (0x21..=0x7e).contains(byte) || *byte >= 0x80) {
        return malformed("a target with a control byte, or none");
    }
    match version {
        b"HTTP/1.1" => Ok((latin_1(method), latin_1(target), 1)),
        b"HTTP/1.0" => Ok((latin_1(method), latin_1(target), 0)),
        _ => malformed("another version than HTTP/1.0 and HTTP/1.1"),
    }
}

/// RFC 9112 §5: no folds, no space before the colon.
fn fields(input: &mut Input<'_>, leniencies: &mut Vec<&'static str>) -> Result<Vec<(String, String)>, Stop> {
    let mut fields = Vec::new();
    loop {
        let line = input.line(leniencies)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return malformed("a field without a colon");
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return malformed("a field's name that is no token");
        }
        if !value.iter().all(|byte| *byte == b'\t' || (0x20..=0x7e).contains(byte) || *byte >= 0x80) {
            return malformed("a field's value with a control byte");
        }
        let trimmed = value.trim_ascii();
        if value.strip_prefix(b" ").unwrap_or(value) != trimmed {
            leniencies.push("more space around a value than one");
        }
        fields.push((latin_1(name), latin_1(trimmed)));
    }
}

/// RFC 9112 §6.3
fn read_body(input: &mut Input<'_>, message: &mut Message) -> Result<(), Stop> {
    let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (lengths, codings) = (owned(message.all("content-length")), owned(message.all("transfer-encoding")));
    match codings.as_slice() {
        [] => {
            if let Some(length) = length(&lengths, message)? {
                message.body = input.take(length)?.to_vec();
            }
        }
        [coding] if message.minor_version == 1 && coding.eq_ignore_ascii_case("chunked") => {
            if !lengths.is_empty() {
                message.leniencies.push("both lengths");
                message.is_last = true;
            }
            read_chunks(input, message)?;
        }
        _ => return malformed("another transfer coding than one `chunked`"),
    }
    Ok(())
}

fn length(lengths: &[String], message: &mut Message) -> Result<Option<u64>, Stop> {
    let Some((length, others)) = lengths.split_first() else { return Ok(None) };
    // Zeros in front are in the grammar, and octal to some.
    if !length.bytes().all(|byte| byte.is_ascii_digit()) || (length.len() > 1 && length.starts_with('0')) {
        return malformed("a length that is no decimal number");
    }
    if !others.is_empty() {
        message.leniencies.push("a length twice");
    }
    match length.parse() {
        Ok(_) if others.iter().any(|other| other != length) => malformed("two lengths"),
        Ok(length) => Ok(Some(length)),
        Err(_) => malformed("a length that is none in 64 bits"),
    }
}

/// RFC 9112 §7.1
fn read_chunks(input: &mut Input<'_>, message: &mut Message) -> Result<(), Stop> {
    loop {
        let line = input.line(&mut message.leniencies)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let after = line[digits..].trim_ascii_start();
        if !(after.is_empty() || after.starts_with(b";")) {
            return malformed("a chunk's size with something behind it");
        }
        if digits < line.len() {
            message.leniencies.push("a chunk's extension");
        }
        let Some(size) = std::str::from_utf8(&line[..digits]).ok().and_then(|size| u64::from_str_radix(size, 16).ok())
        else {
            return malformed("a chunk without a size in 64 bits");
        };
        if size == 0 {
            break;
        }
        message.body.extend_from_slice(input.take(size)?);
        match input.bytes.get(input.at..(input.at + 2).min(input.bytes.len())) {
            Some(b"\r\n") => input.at += 2,
            Some(b"" | b"\r") => return Err(Stop::Incomplete),
            _ => return malformed("a chunk longer than its size"),
        }
    }
    read_trailers(input, message)
}

/// RFC 9112 §7.1.2. hyper reads on to the next empty line that ends in CR LF, whatever LFs stand
/// before it. That is harmless only because nothing of it goes on, so it is told apart.
fn read_trailers(input: &mut Input<'_>, message: &mut Message) -> Result<(), Stop> {
    let start = input.at;
    match fields(input, &mut message.leniencies) {
        Err(Stop::Malformed(_)) => {
            let section = &input.bytes[start - 2..];
            let end = section.windows(4).position(|four| four == b"\r\n\r\n").ok_or(Stop::Incomplete)?;
            if section[..end].windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n') {
                return malformed("a CR by itself");
            }
            message.leniencies.push("trailers that are none");
            input.at = start + 2 + end;
            Ok(())
        }
        trailers => {
            message.trailers = trailers?;
            Ok(())
        }
    }
}

/// RFC 9110 §5.6.2
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
