//! `[log]`

use super::{
    Form, Key,
    Kind::{Flag, Text, Words},
    Section,
    Without::Default,
};

pub(super) const LOG: Section = Section {
    name: "log",
    form: Form::Table,
    about: "What is written to standard output.",
    keys: &[
        Key::now("level", Text, Default(r#""info""#), "Or by module: \"info,vestibule::session=debug\".")
            .example(r#""info,vestibule::session=debug""#),
        Key::now(
            "format",
            Words(&super::Words { now: &["auto", "human", "json"], later: &[] }),
            Default(r#""auto""#),
            "auto (human on a terminal, json elsewhere), human or json.",
        ),
        Key::now("access", Flag, Default("true"), "One line a request, without the query."),
    ],
};
