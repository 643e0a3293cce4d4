//! What the provider has given out and must recognise when it comes back:
//! sessions, codes, access tokens and ID tokens, in memory.
//!
//! An ID token that returns as a hint is recognised, not verified: what is not in
//! the table was not issued here, and one signed by a key that has been rotated
//! away (or bent by a lie) still names its session.

use std::{collections::HashMap, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use vestibule::{
    clock::{Clock, Timestamp},
    random::Random,
};

use super::people::Person;

const CODE_LIFETIME: Duration = Duration::from_mins(1);
pub(super) const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How long a spent code or an ID token is remembered.
const MEMORY: Duration = Duration::from_hours(24);

/// A browser's signed-in state at the provider.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) person: &'static Person,
    pub(super) auth_time: Timestamp,
    /// `sid`: names the session to clients, and opens nothing.
    pub(super) sid: String,
}

/// What an authorization code stands for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) session: Session,
}

/// A code is good once; when it comes again, the token it gave is withdrawn (RFC 6749 §4.1.2).
enum Code {
    Waiting { grant: Box<Grant>, issued_at: Timestamp },
    Spent { access_token: Option<String>, at: Timestamp },
}

/// Whom an access token speaks for.
#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) person: &'static Person,
    pub(super) scopes: Vec<String>,
    issued_at: Timestamp,
}

/// Whom an ID token was made for.
#[derive(Clone)]
pub(super) struct IssuedIdToken {
    pub(super) client_id: String,
    pub(super) sid: String,
    issued_at: Timestamp,
}

/// All of it.
pub(super) struct Issued {
    clock: Clock,
    random: Random,
    sessions: HashMap<String, Session>,
    codes: HashMap<String, Code>,
    access_tokens: HashMap<String, AccessToken>,
    id_tokens: HashMap<String, IssuedIdToken>,
}

impl Issued {
    pub(super) fn new(clock: Clock, random: Random) -> Self {
        Self {
            clock,
            random,
            sessions: HashMap::new(),
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            id_tokens: HashMap::new(),
        }
    }

    fn unguessable(&self) -> String {
        BASE64URL_NOPAD.encode(&self.random.bytes::<32>())
    }

    /// Begins a session; the first value is for the cookie.
    pub(super) fn open_session(&mut self, person: &'static Person) -> (String, Session) {
        let session = Session { person, auth_time: self.clock.now(), sid: self.unguessable() };
        let cookie = self.unguessable();
        self.sessions.insert(cookie.clone(), session.clone());
        (cookie, session)
    }

    pub(super) fn session(&self, cookie: &str) -> Option<&Session> {
        self.sessions.get(cookie)
    }

    pub(super) fn end_session(&mut self, cookie: &str) {
        self.sessions.remove(cookie);
    }

    pub(super) fn issue_code(&mut self, grant: Grant) -> String {
        let now = self.clock.now();
        self.codes.retain(|_, code| match code {
            Code::Waiting { issued_at, .. } => now.since(*issued_at) <= CODE_LIFETIME,
            Code::Spent { at, .. } => now.since(*at) <= MEMORY,
        });
        let code = self.unguessable();
        self.codes.insert(code.clone(), Code::Waiting { grant: Box::new(grant), issued_at: now });
        code
    }

    /// What a code stands for, the first time it is shown and within its time.
    pub(super) fn redeem(&mut self, code: &str) -> Option<Grant> {
        let now = self.clock.now();
        let spent = Code::Spent { access_token: None, at: now };
        match std::mem::replace(self.codes.get_mut(code)?, spent) {
            Code::Waiting { grant, issued_at } => (now.since(issued_at) <= CODE_LIFETIME).then_some(*grant),
            Code::Spent { access_token, .. } => {
                access_token.map(|token| self.access_tokens.remove(&token));
                None
            }
        }
    }

    /// The access token for a grant, withdrawn should its code ever come again.
    pub(super) fn issue_access_token(&mut self, code: &str, grant: &Grant) -> String {
        let now = self.clock.now();
        self.access_tokens.retain(|_, token| now.since(token.issued_at) <= ACCESS_TOKEN_LIFETIME);
        let token = self.unguessable();
        let access = AccessToken { person: grant.session.person, scopes: grant.scopes.clone(), issued_at: now };
        self.access_tokens.insert(token.clone(), access);
        self.codes.insert(code.to_owned(), Code::Spent { access_token: Some(token.clone()), at: now });
        token
    }

    pub(super) fn access_token(&self, token: &str) -> Option<&AccessToken> {
        let now = self.clock.now();
        self.access_tokens.get(token).filter(|access| now.since(access.issued_at) <= ACCESS_TOKEN_LIFETIME)
    }

    pub(super) fn remember_id_token(&mut self, token: String, grant: &Grant) {
        let now = self.clock.now();
        self.id_tokens.retain(|_, token| now.since(token.issued_at) <= MEMORY);
        let issued =
            IssuedIdToken { client_id: grant.client_id.clone(), sid: grant.session.sid.clone(), issued_at: now };
        self.id_tokens.insert(token, issued);
    }

    pub(super) fn id_token(&self, token: &str) -> Option<&IssuedIdToken> {
        self.id_tokens.get(token)
    }
}
