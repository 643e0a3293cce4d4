//! `[pages]`

use super::{
    Form, Key,
    Kind::{List, Path, Text},
    Section,
    Without::Default,
};

pub(super) const PAGES: Section = Section {
    name: "pages",
    form: Form::Table,
    about: "How our own pages look.",
    keys: &[
        Key::now("templates", Path, Default(r#""""#), "A folder with overrides, checked at start."),
        Key::now(
            "languages",
            List(&Text),
            Default(r#"["en", "de", "fr", "es", "it", "ru"]"#),
            "The languages that a visitor's browser may ask for.",
        ),
    ],
};
