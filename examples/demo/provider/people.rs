//! The four people of the demo and of the tests: each stands for one answer of the access rules.

use serde_json::{Map, Value, json};

/// Someone with an account at the provider.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// What they click on; also their `sub` and `preferred_username`.
    pub(crate) username: &'static str,
    /// `given_name`
    pub(crate) given_name: &'static str,
    /// `family_name`
    pub(crate) family_name: &'static str,
    /// `email`
    pub(crate) email: &'static str,
    /// `email_verified`
    pub(crate) email_verified: bool,
    /// `groups`
    pub(crate) groups: &'static [&'static str],
    /// What the sign-in page says about them.
    pub(crate) remark: &'static str,
}

/// An administrator.
pub(crate) static ADA: Person = Person {
    username: "ada",
    given_name: "Ada",
    family_name: "Lovelace",
    email: "ada@example.com",
    email_verified: true,
    groups: &["admins", "staff"],
    remark: "an administrator, in the groups admins and staff",
};

/// A colleague on the allow list.
pub(crate) static GRACE: Person = Person {
    username: "grace",
    given_name: "Grace",
    family_name: "Hopper",
    email: "grace@example.com",
    email_verified: true,
    groups: &["staff"],
    remark: "a colleague: her example.com address is on the allow list",
};

/// An outsider.
pub(crate) static MALLORY: Person = Person {
    username: "mallory",
    given_name: "Mallory",
    family_name: "Marsh",
    email: "mallory@example.net",
    email_verified: true,
    groups: &[],
    remark: "an outsider: nothing lets example.net in",
};

/// Somebody who typed a colleague's domain into the provider's form.
pub(crate) static UMA: Person = Person {
    username: "uma",
    given_name: "Uma",
    family_name: "Underhill",
    email: "uma@example.com",
    email_verified: false,
    groups: &[],
    remark: "claims an example.com address that nobody has verified",
};

/// All four, as the sign-in page lists them.
pub(crate) static PEOPLE: [&Person; 4] = [&ADA, &GRACE, &MALLORY, &UMA];

/// Who has this user name.
pub(crate) fn find(username: &str) -> Option<&'static Person> {
    PEOPLE.into_iter().find(|person| person.username == username)
}

impl Person {
    /// `name`
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    /// The claims that `scopes` ask for (OpenID Connect Core §5.4), `sub` first of all.
    ///
    /// `groups` is in no specification; as most providers do, it comes with `profile`.
    pub(crate) fn claims(&self, scopes: &[String]) -> Map<String, Value> {
        let granted = |scope: &str| scopes.iter().any(|s| s == scope);
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("sub", json!(self.username));
        if granted("profile") {
            say("name", json!(self.name()));
            say("given_name", json!(self.given_name));
            say("family_name", json!(self.family_name));
            say("preferred_username", json!(self.username));
            say("groups", json!(self.groups));
        }
        if granted("email") {
            say("email", json!(self.email));
            say("email_verified", json!(self.email_verified));
        }
        claims
    }
}
