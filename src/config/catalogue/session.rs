//! `[session]` and `[app.session]`, which overrides its times.

use super::{
    Form, Key,
    Kind::{self, Flag, Text, Time, Words},
    Section,
    Without::{Default, Nothing},
};

/// Which sites' pages send the cookie.
const SAME_SITE: Kind = Words(&super::Words { now: &["lax", "none"], later: &[] });

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
        Key::now(
            "persistent",
            Flag,
            Default("false"),
            "true: the cookie survives the browser's end, for the session's lifetime.",
        ),
        Key::now(
            "same_site",
            SAME_SITE,
            Default(r#""lax""#),
            "none: for frames on other sites; whatever is no GET, HEAD or OPTIONS must then come from the app's own pages.",
        ),
        Key::now("cookie_name", Text, Default(r#""vestibule""#), "Goes out with a prefix, __Host- where it can."),
        Key::now(
            "cookie_domain",
            Text,
            Default(r#""""#),
            "\"example.com\": one sign-in for all apps on or below it; hands the session to every host there.",
        ),
    ],
};

pub(super) const APP_SESSION: Section = Section {
    name: "app.session",
    form: Form::Table,
    about: "Where this app differs from [session].",
    keys: &[
        Key::now("idle_timeout", Time("1s", "3650d"), Nothing, "As in [session].").example(r#""30m""#),
        Key::now("lifetime", Time("1s", "3650d"), Nothing, "As in [session].").example(r#""8h""#),
        Key::later("recheck", Text, Nothing, "As in [session].").example(r#""15m""#),
        Key::later("max_staleness", Time("0s", "1h"), Nothing, "As in [session].").example(r#""5s""#),
        Key::later("outage_grace", Time("0s", "1d"), Nothing, "As in [session].").example(r#""1h""#),
        Key::now("persistent", Flag, Nothing, "As in [session].").example("true"),
        Key::now("same_site", SAME_SITE, Nothing, "As in [session].").example(r#""none""#),
    ],
};
