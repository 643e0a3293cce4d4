//! `[session]`, `[store]` and `[keys]`.

use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding};

use crate::{
    config::section::{Reading, Section, Wrong, show_duration},
    secret::Secret,
};

mod cookie;

pub use cookie::{CookieReach, Persistence, SameSite};
pub(super) use cookie::{CookieSection, DEFAULT_NAME, read_persistence, read_same_site};

/// The fewest bytes of a key: what AES-256 and HMAC-SHA-256 want.
const MIN_KEY_BYTES: usize = 32;

/// The longest any session may be made to live.
const MAX_LIFETIME: Duration = Duration::from_hours(24 * 3650);

/// `[session]`, as far as it is about all apps together.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Where sessions are kept.
    pub store: SessionStore,
    /// The longest times of any app: what the store's rows are kept for.
    pub longest: SessionTimes,
}

/// How long the sessions of an app live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// Without use.
    pub idle_timeout: Duration,
    /// At all.
    pub lifetime: Duration,
}

impl SessionTimes {
    /// The longer of each.
    #[must_use]
    pub fn longest(self, other: Self) -> Self {
        Self { idle_timeout: self.idle_timeout.max(other.idle_timeout), lifetime: self.lifetime.max(other.lifetime) }
    }
}

/// `session.store` resolved through `store.url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStore {
    /// `memory:`: gone with the process.
    Memory,
}

/// What holds where neither `[session]` nor `[app.session]` says anything.
const DEFAULT_TIMES: SessionTimes =
    SessionTimes { idle_timeout: Duration::from_hours(8), lifetime: Duration::from_hours(24) };

/// One key of the ring: 32 bytes or more, decoded.
pub type KeyMaterial = Secret<Vec<u8>>;

/// Checks `[store]`: this version has memory only.
pub(super) fn read_store(section: &Section<'_>) -> Reading<()> {
    let url = section.optional("url", |text| parse_memory(text, "url"))?;
    if url.is_none() {
        section.report().warn(
            None,
            "this version keeps sessions in memory, so that a restart signs everybody out: `store.url` (or --store-url) \
             set to memory: says that this is meant",
        );
    }
    Ok(())
}

/// What `[session]` says: the store, and what holds at each app whose `[app.session]` says nothing else.
#[derive(Debug)]
pub(super) struct SessionSection {
    pub(super) store: SessionStore,
    pub(super) times: SessionTimes,
    pub(super) cookie: CookieSection,
}

pub(super) fn read_session(section: &Section<'_>) -> Reading<SessionSection> {
    let store = section.optional("store", |text| if text == "store" { Ok(()) } else { parse_memory(text, "store") });
    let times = read_times(section, Ok(DEFAULT_TIMES));
    let cookie = CookieSection::read(section);
    store?;
    Ok(SessionSection { store: SessionStore::Memory, times: times?, cookie: cookie? })
}

/// The times of `[session]` or `[app.session]`; `defaults` are what a missing key stands for.
pub(super) fn read_times(section: &Section<'_>, defaults: Reading<SessionTimes>) -> Reading<SessionTimes> {
    let missing = defaults.unwrap_or(DEFAULT_TIMES);
    let range = Duration::from_secs(1)..=MAX_LIFETIME;
    let idle_timeout = section.duration("idle_timeout", missing.idle_timeout, range.clone());
    let lifetime = section.duration("lifetime", missing.lifetime, range);
    let (idle_timeout, lifetime) = (idle_timeout?, lifetime?);
    defaults?;
    if idle_timeout > lifetime {
        let (idle, life) = (show_duration(idle_timeout), show_duration(lifetime));
        let (idle_default, life_default) = (show_duration(missing.idle_timeout), show_duration(missing.lifetime));
        return Err(section.report().add(
            section
                .fault(
                    &["lifetime", "idle_timeout"],
                    format!("`lifetime` ({life}) is shorter than `idle_timeout` ({idle})"),
                )
                .why("a session ends at its lifetime, used or not, so the time without use would never count")
                .help(format!("without the keys, idle_timeout is {idle_default} and lifetime {life_default}")),
        ));
    }
    warn_of_short(section, "idle_timeout", idle_timeout, "whoever reads a page for that long signs in again");
    warn_of_short(section, "lifetime", lifetime, "everybody signs in again that often");
    Ok(SessionTimes { idle_timeout, lifetime })
}

/// A session shorter than this is a slip of the unit rather than a decision.
const SHORT: Duration = Duration::from_mins(5);

fn warn_of_short(section: &Section<'_>, key: &str, duration: Duration, what: &str) {
    if let Some(place) = section.place_of(key).filter(|_| duration < SHORT) {
        section.report().warn(Some(place), format_args!("`{key}` is {}: {what}", show_duration(duration)));
    }
}

fn parse_memory(text: &str, key: &str) -> Result<(), Wrong> {
    let kinds =
        ["sqlite:", "postgres:", "postgresql:", "redis:", "rediss:", "redis+cluster:", "redis+sentinel:", "cookie:"];
    if text == "memory:" {
        Ok(())
    } else if let Some(kind) = kinds.iter().find(|kind| text.starts_with(**kind)) {
        Err(Wrong::new(format_args!("= \"{kind}…\" is not in this version")).help(format!("write {key} = \"memory:\"")))
    } else {
        Err(Wrong::new("must be \"memory:\""))
    }
}

/// `[keys]`: the ring, the first key seals and all open. Empty where nothing is set.
pub(super) fn read_keys(section: &Section<'_>) -> Reading<Vec<KeyMaterial>> {
    Ok(section.secret("secret", "secret_file", parse_keys)?.map(|keys| keys.value).unwrap_or_default())
}

fn parse_keys(text: &str) -> Result<Vec<KeyMaterial>, Wrong> {
    let help = "make one with: openssl rand -base64 32";
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() {
            continue;
        }
        let key = decode_key(line).ok_or_else(|| {
            Wrong::new(format_args!("must be one key a line in base64, and line {index} is not")).help(help)
        })?;
        if key.expose().len() < MIN_KEY_BYTES {
            let length = key.expose().len();
            return Err(Wrong::new(format_args!(
                "has a key of {length} bytes in line {index}; {MIN_KEY_BYTES} are the least"
            ))
            .help(help));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(Wrong::new("holds no key").help(help)) } else { Ok(keys) }
}

/// Any of the spellings that key generators print (RFC 4648 §4 and §5).
fn decode_key(line: &str) -> Option<KeyMaterial> {
    const ENCODINGS: [&Encoding; 4] = [&BASE64, &BASE64_NOPAD, &BASE64URL, &BASE64URL_NOPAD];
    ENCODINGS.iter().find_map(|encoding| encoding.decode(line.as_bytes()).ok()).map(Secret::new)
}
