//! `[app.headers]`: what the app is told about visitors.

use super::{
    Form, Key,
    Kind::{Flag, List, Names, Path, Secret, Table, Text, Words},
    Section,
    Without::{Default, Fault, Nothing, Usual},
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
            "X-Forwarded-User, -Email …; auth_request: X-Auth-Request-User …; remote: Remote-User …; none.",
        ),
        Key::now("drop", List(&Text), Default("[]"), "Further headers of visitors that never reach the app."),
        Key::now(
            "set",
            Names(&Table("app.headers.set")),
            Nothing,
            "A header each: a claim of the visitor, or a value for every request, public routes too.",
        )
        .example(r#"{ "X-WEBAUTH-USER" = { claim = "preferred_username" } }"#),
        Key::now(
            "encoding",
            Words(&super::Words { now: &["percent", "utf8", "latin1"], later: &[] }),
            Default(r#""percent""#),
            "Of what is no printable ASCII; or utf8, latin1: as it is, as far as they can write it.",
        ),
        Key::now(
            "pass_groups",
            List(&Text),
            Default("[]"),
            "The groups that the app hears of, \"*\" for any text; [] for all.",
        ),
        Key::now(
            "assertion",
            Flag,
            Default("false"),
            "true: X-Vestibule-Assertion, a signed JWT; its keys are at PREFIX/jwks.json.",
        ),
        Key::now(
            "access_token",
            Flag,
            Default("false"),
            "true: the provider's access token in X-Forwarded-Access-Token, until it expires.",
        ),
        Key::now(
            "authorization",
            Words(&super::Words { now: &["none", "id_token", "access_token"], later: &[] }),
            Default(r#""none""#),
            "Authorization: Bearer with the id_token or the access_token, instead of the visitor's own.",
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
        Key::now("password_file", Path, Usual, "Its password.").example(r#""client-secret""#),
        Key::now("password", Secret, Nothing, "The same, written here."),
    ],
};
