//! The vocabulary of who is who: no input or output, no decisions.
//!
//! A person is identified by (issuer, subject), never by an e-mail address
//! (OpenID Connect Core §2 and §5.7). An address is a claim about them, and counts
//! for access only where the provider is trusted to have verified it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

mod email;

pub use email::{EmailAddress, EmailDomain, InvalidEmail};

/// Defines an identifier that is cheap to clone and cannot be mixed up with another.
macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a value that has been checked where it was read.
            pub fn new(value: impl Into<Arc<str>>) -> Self {
                Self(value.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// The `id` of an `[[app]]`.
    AppId
    /// The `id` of a `[[provider]]`.
    ProviderId
    /// An issuer identifier exactly as the provider states it: no trailing slash is added or removed.
    Issuer
    /// The `sub` claim: unique and never reassigned within its issuer.
    Subject
    /// The `sid` claim: the provider's name of its own session with the visitor (Front-Channel Logout §3).
    ProviderSessionId
}

/// Who signed in, as the provider stated it and as the session keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visitor {
    /// The provider that authenticated them.
    pub provider: ProviderId,
    /// Its issuer identifier, verified.
    pub issuer: Issuer,
    /// Their `sub` there.
    pub subject: Subject,
    /// What `claims.user` named: the value of `X-Forwarded-User`, never a key.
    pub user: Option<String>,
    /// Their address, if the provider gave one that parses.
    pub email: Option<EmailAddress>,
    /// Whether `trust_email` lets the address count.
    pub email_trust: EmailTrust,
    /// Their display name.
    pub name: Option<String>,
    /// What they like to be called at the provider; mutable, never a key.
    pub preferred_username: Option<String>,
    /// Their groups, in the provider's order.
    pub groups: Vec<String>,
    /// Further claims that the configuration's conditions name, by their dotted path.
    pub claims: Vec<(String, serde_json::Value)>,
}

impl Visitor {
    /// The address, if it counts: the only one that `allow` and the headers may see. (`deny` sees any:
    /// not having verified an address must be no way around it.)
    pub fn trusted_email(&self) -> Option<&EmailAddress> {
        match self.email_trust {
            EmailTrust::Trusted => self.email.as_ref(),
            EmailTrust::Untrusted => None,
        }
    }

    /// What a page calls them: their address (even an unverified one), name, user name or subject.
    pub fn account_label(&self) -> &str {
        self.email
            .as_ref()
            .map(EmailAddress::as_str)
            .or(self.preferred_username.as_deref())
            .or(self.name.as_deref())
            .unwrap_or(self.subject.as_str())
    }
}

/// Whether an address may decide about access (`trust_email`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmailTrust {
    /// The provider verified it, or the operator said that it always does.
    Trusted,
    /// It says nothing about who they are.
    Untrusted,
}

/// Tells whether a session has ended, to whoever works on its behalf: a request
/// in flight, a tunnel, a stream.
///
/// Each request clones one and asks it once or twice, so the answer is an atomic
/// beside the token: the token's own takes a lock.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<Ending>);

#[derive(Debug, Default)]
struct Ending {
    over: AtomicBool,
    wake: CancellationToken,
}

impl Ended {
    /// Whether it is over.
    pub fn is_ended(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }

    /// Ends it, for everyone who holds this handle, at once and for good.
    pub fn end(&self) {
        self.0.over.store(true, Ordering::Release);
        self.0.wake.cancel();
    }

    /// Resolves when it is over; at once if it already is.
    pub fn ended(&self) -> WaitForCancellationFutureOwned {
        self.0.wake.clone().cancelled_owned()
    }
}
