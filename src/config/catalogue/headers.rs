//! `[app.headers]`: what the app is told about visitors.

use super::{
    Form, Key,
    Kind::{Flag, List, Names, Path, Secret, Table, Text, Words},
    Section,
    Without::{Default, Fault, Nothing},
};

pub(super) const HEADERS: Section = Section {
    name: "app.headers",
    form: Form::Table,
    about: "What the app is told about visitors.",
    keys: &[
        Key::now(
            "preset",
            Words(&super::Words { now: &["forwarded", "auth_request", "remote", "none"], later: &[] }),
            Default(r#""forwarded""#),
            "X-Forwarded-User and the like, X-Auth-Request-User, Remote-User, or none.",
        ),
        Key::now("drop", List(&Text), Default("[]"), "Further request headers that never reach the upstream."),
        Key::now("set", Names(&Table("app.headers.set")), Nothing, "Headers of your own names.")
            .example(r#"{ "X-WEBAUTH-USER" = { claim = "preferred_username" } }"#),
        Key::now(
            "encoding",
            Words(&super::Words { now: &["percent", "utf8", "latin1"], later: &[] }),
            Default(r#""percent""#),
            "How bytes beyond printable ASCII are written.",
        ),
        Key::now("pass_groups", List(&Text), Default("[]"), "Groups that are passed on, \"wiki-*\"; empty is all."),
        Key::now("assertion", Flag, Default("false"), "X-Vestibule-Assertion: the same as a signed token."),
        Key::now("access_token", Flag, Default("false"), "X-Forwarded-Access-Token: the provider's access token."),
        Key::now(
            "authorization",
            Words(&super::Words { now: &["none", "id_token", "access_token"], later: &[] }),
            Default(r#""none""#),
            "What the upstream gets as `Authorization: Bearer`.",
        ),
    ],
};

pub(super) const VALUE: Section = Section {
    name: "app.headers.set",
    form: Form::Braces("a header of `set`"),
    about: "What a header says: exactly one of these.",
    keys: &[
        Key::now("claim", Text, Nothing, "A claim of the visitor.").example(r#""preferred_username""#),
        Key::now("value", Text, Nothing, "The same for everybody.").example(r#""wiki""#),
        Key::now("basic", Table("app.headers.set.basic"), Nothing, "HTTP Basic, the same for everybody."),
    ],
};

pub(super) const BASIC: Section = Section {
    name: "app.headers.set.basic",
    form: Form::Braces("`basic`"),
    about: "HTTP Basic, the same for everybody.",
    keys: &[
        Key::now("username", Text, Fault, "The account.").example(r#""svc""#),
        Key::now("password_file", Path, Nothing, "Its password.").example(r#""basic-password""#),
        Key::now("password", Secret, Nothing, "The same, written here."),
    ],
};
