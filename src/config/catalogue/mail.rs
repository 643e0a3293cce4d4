//! `[mail]`

use super::{
    Form, Key,
    Kind::{Path, Secret, Text},
    Section,
    Without::{Fault, Nothing},
};

pub(super) const MAIL: Section = Section {
    name: "mail",
    form: Form::Table,
    about: "How invitations are sent; without it, they are links to hand over.",
    keys: &[
        Key::now("smtp_url", Text, Fault, "smtp:// (STARTTLS) or smtps://.")
            .example(r#""smtps://user@mail.example.com:465""#),
        Key::now("password_file", Path, Nothing, "The password of the mail account.").example(r#""mail-password""#),
        Key::now("password", Secret, Nothing, "The same, written here."),
        Key::now("from", Text, Fault, "The sender.").example(r#""Wiki <wiki@example.com>""#),
    ],
};
