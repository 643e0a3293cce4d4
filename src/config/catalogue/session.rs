//! `[session]` and `[app.session]`, which overrides its times.

use super::{
    Form, Key,
    Kind::{Flag, Text, Time, Words},
    Section,
    Without::{Default, Nothing},
};

pub(super) const SESSION: Section = Section {
    name: "session",
    form: Form::Table,
    about: "How long people stay signed in.",
    keys: &[
        Key::now(
            "store",
            Words(&super::Words { now: &["store", "memory:"], later: &["cookie:"] }),
            Default(r#""store""#),
            "Where [store] is, or \"memory:\".",
        ),
        Key::now("idle_timeout", Time("1s", "3650d"), Default(r#""8h""#), "Without use."),
        Key::now("lifetime", Time("1s", "3650d"), Default(r#""24h""#), "At all."),
        Key::later("recheck", Text, Default(r#""""#), "How often claims and groups are read again."),
        Key::later(
            "max_staleness",
            Time("0s", "1h"),
            Default(r#""5s""#),
            "The longest a replica trusts its cache when the feed of endings cannot be read.",
        ),
        Key::later(
            "outage_grace",
            Time("0s", "1d"),
            Default(r#""0s""#),
            "How much longer, knowingly, when the store is down.",
        ),
        Key::later("persistent", Flag, Default("false"), "Whether the cookie survives the browser's end."),
        Key::later(
            "same_site",
            Words(&super::Words { now: &["lax", "none"], later: &[] }),
            Default(r#""lax""#),
            "lax, or none for apps in frames of other sites.",
        ),
        Key::later(
            "cookie_name",
            Text,
            Default(r#""vestibule""#),
            "The cookie's name; over https, __Host- or __Secure- stands before it.",
        ),
        Key::later("cookie_domain", Text, Default(r#""""#), "One sign-in for sibling hosts below this domain."),
    ],
};

pub(super) const APP_SESSION: Section = Section {
    name: "app.session",
    form: Form::Table,
    about: "Times of this app's sessions, in place of those of [session].",
    keys: &[
        Key::now("idle_timeout", Time("1s", "3650d"), Nothing, "Without use.").example(r#""30m""#),
        Key::now("lifetime", Time("1s", "3650d"), Nothing, "At all.").example(r#""8h""#),
    ],
};
