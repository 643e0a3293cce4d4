//! A file to take home, whole or in ranges (RFC 9110 §14).

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

const LINES: usize = 1000;
const ETAG: HeaderValue = HeaderValue::from_static("\"attendance-1\"");

/// The file, or the part of it that one `Range` asks for; several parts at once are the whole (§14.2 allows it).
pub(super) fn answer(headers: &HeaderMap) -> Response<Bytes> {
    let file = file();
    let unchanged = headers.get(header::IF_RANGE).is_none_or(|known| *known == ETAG);
    let wanted = headers.get(header::RANGE).filter(|_| unchanged).and_then(|value| value.to_str().ok());
    let mut response = match wanted.map(|range| parse(range, file.len())) {
        None | Some(Wanted::Everything) => Response::new(file),
        Some(Wanted::Part(part)) => {
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, file.len());
            with_content_range(StatusCode::PARTIAL_CONTENT, &range, file.slice(part))
        }
        Some(Wanted::Nothing) => {
            with_content_range(StatusCode::RANGE_NOT_SATISFIABLE, &format!("bytes */{}", file.len()), Bytes::new())
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, ETAG);
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static(
            "attachment; filename=\"attendance.csv\"; filename*=UTF-8''attendance%20%E2%9C%93.csv",
        ),
    );
    response
}

fn with_content_range(status: StatusCode, range: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let range = HeaderValue::from_str(range).expect("digits and punctuation are header text");
    response.headers_mut().insert(header::CONTENT_RANGE, range);
    response
}

fn file() -> Bytes {
    let line = |n| format!("visitor-{n:04},{:02}:{:02},vestibule\n", n / 60 % 24, n % 60);
    let lines = std::iter::once("visitor,hour,room\n".to_owned()).chain((0..LINES).map(line));
    lines.collect::<String>().into()
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// No range that is understood.
    Everything,
    /// These bytes.
    Part(Range<usize>),
    /// A range that lies behind the end.
    Nothing,
}

/// `bytes=0-99`, `bytes=100-`, `bytes=-100`
fn parse(range: &str, length: usize) -> Wanted {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Everything;
    };
    let part = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (Ok(first), _) if last.is_empty() => first..length,
        (_, Ok(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::Everything,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_file_and_anything_odd_is_the_whole() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("bytes=90-500", Wanted::Part(90..100)),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
            ("bytes=95-", Wanted::Part(95..100)),
            ("bytes=-5", Wanted::Part(95..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-1", Wanted::Everything),
            ("bytes=0-1,5-6", Wanted::Everything),
            ("bytes=-", Wanted::Everything),
            ("pages=1-2", Wanted::Everything),
            ("bytes", Wanted::Everything),
        ] {
            assert_eq!(parse(range, 100), wanted, "{range}");
        }
    }
}
