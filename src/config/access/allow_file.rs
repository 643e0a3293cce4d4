//! `allow_file`: people who may enter, one a line.
//!
//! ```text
//! # the editors
//! ann@example.com
//! @partner.example     # everybody there; @*.partner.example is what is below it
//! ```
//!
//! Such files are written by other programs as well, so a line that is none is a fault
//! with its number, never a line that is passed over: whoever is meant would be kept
//! out, or, in a list that somebody reads as complete, seem to be let in.

use std::sync::Arc;

use super::{Scope, condition::parse_domain};
use crate::{
    config::{
        Condition, Written,
        fault::Fault,
        section::{Reading, Section, show_path},
    },
    identity::EmailAddress,
};

/// The conditions that the file stands for; `None` where there is no file.
pub(super) fn read_allow_file(section: &Section<'_>, scope: Scope<'_>) -> Reading<Option<Vec<Condition>>> {
    let Some(path) = section.path("allow_file")? else { return Ok(None) };
    let text = section.read_file("allow_file", &path)?;
    if scope.own?.iter().all(|id| scope.all.never_trusts_email(id)) {
        return Err(section.report().add(
            Fault::at(path.place, "`allow_file` can admit nobody: the provider has trust_email = \"never\"")
                .help("use a group or a claim in `allow`, or change trust_email"),
        ));
    }
    let file: Arc<str> = path.display().to_string().into();
    let mut conditions = Vec::new();
    let mut outcome = Ok(());
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let written = Written::new(Arc::clone(&file), index + 1);
        match parse_line(line) {
            Ok(None) => {}
            Ok(Some(condition)) => conditions.push(Condition { written, ..condition }),
            Err(what) => {
                // Without the line itself: by a slip of the path, it is that of a secret.
                let title = format!("line {} of the `allow_file` {what}", index + 1);
                let fault = Fault::at(path.place, title).label(format!("read as {}", show_path(&path)));
                outcome = Err(section
                    .report()
                    .add(fault.help("a line is one address, or @ and a domain; # begins a remark")));
            }
        }
    }
    outcome?;
    if conditions.is_empty() {
        section.report().warn(Some(path.place), "the `allow_file` lists nobody");
    }
    Ok(Some(conditions))
}

/// What a line says; `None` where it says nothing.
fn parse_line(line: &str) -> Result<Option<Condition>, String> {
    let line = line.trim();
    // `#` may be part of an address, but not at its start or after a space.
    let (entry, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if entry.is_empty() || entry.starts_with('#') {
        return Ok(None);
    }
    if !matches!(rest.trim_start().chars().next(), None | Some('#')) {
        return Err("has more than one word".to_owned());
    }
    if let Some(domain) = entry.strip_prefix('@') {
        let domain = parse_domain(domain).map_err(|_| "is no domain after its `@`".to_owned())?;
        return Ok(Some(Condition { email_domain: Some(domain), ..Condition::default() }));
    }
    if entry.starts_with("*@") {
        return Err("has a `*`, which stands for nothing (everybody there is @ and the domain)".to_owned());
    }
    let email = EmailAddress::parse(entry).map_err(|error| format!("is no address ({error})"))?;
    Ok(Some(Condition { email: Some(email), ..Condition::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_a_domain_or_a_remark() {
        for (line, condition) in [
            ("ann@example.com", Some("{ email = \"ann@example.com\" }")),
            ("  ann@example.com\r", Some("{ email = \"ann@example.com\" }")),
            ("ann@example.com # Ann", Some("{ email = \"ann@example.com\" }")),
            ("a#b@example.com", Some("{ email = \"a#b@example.com\" }")),
            ("@example.com", Some("{ email_domain = \"example.com\" }")),
            ("@*.example.com", Some("{ email_domain = \"*.example.com\" }")),
            ("", None),
            (" \t", None),
            ("# ann@example.com", None),
            ("#ann@example.com", None),
        ] {
            let read = parse_line(line).unwrap_or_else(|wrong| panic!("{line:?} {wrong}"));
            assert_eq!(read.map(|condition| condition.to_string()).as_deref(), condition, "{line:?}");
        }
        for line in [
            "ann",
            "@",
            "@@example.com",
            "a@b@c",
            "ann@example.com bob@example.com",
            "ann@example.com,",
            "*@example.com",
        ] {
            assert!(parse_line(line).is_err(), "{line:?}");
        }
    }
}
