//! `config/reference.toml`, written from the catalogue.
//!
//! Every key of this version with its default, in the order in which a person reads
//! them. Only tests write it, so it is not part of the program.

use std::fmt::Write as _;

use crate::config::catalogue::{self, Form, Key, Kind, SECTIONS, Section, Version, Without, brackets};

/// The longest line.
const WIDTH: usize = 120;

/// Where what is said of a key begins, as long as the keys of its section leave room.
const COLUMN: usize = 44;

const HEAD: &str = "\
#:schema ./vestibule.schema.json

# Every key of this version, with its default where it has one. This file is written
# from the program's own list; docs/configuration.md says how configurations are read.
#
# A line that begins with `#` and no space is a key without a default, or a table that
# means something by being there. Durations are a number with ms, s, m, h or d, sizes
# one with B, KiB, MiB or GiB. Paths start at the folder of this file. In every string,
# ${NAME} and ${NAME:-default} are taken from the environment, and $${ is a literal ${.
# A key that is not here is an error; so is one that is set twice.
";

/// The file.
pub(super) fn reference() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS.iter().filter(|section| has_header(section)) {
        let off = if is_switch(section) { "#" } else { "" };
        let header = match section.form {
            Form::Tables => format!("{off}[[{}]]", section.name),
            Form::Table | Form::Braces(_) => format!("{off}[{}]", section.name),
        };
        text.push('\n');
        let keys: Vec<_> = section.keys.iter().filter(|key| key.version == Version::This).collect();
        let assignments: Vec<_> = keys.iter().filter_map(|key| assignment(key, off)).collect();
        let longest = assignments.iter().map(|line| line.chars().count() + 1).filter(|length| *length <= COLUMN).max();
        let column = longest.unwrap_or(0).max(header.chars().count() + 1);
        write_line(&mut text, &header, section.about, column);
        for key in keys {
            let Some(assignment) = assignment(key, off) else { continue };
            write_line(&mut text, &assignment, key.about, column);
            write_members(&mut text, key);
        }
    }
    text
}

/// Whether a section is written below a header of its own.
fn has_header(section: &Section) -> bool {
    let is_plain = !matches!(section.form, Form::Braces(_)) || is_header_too(section.name);
    is_plain && !section.name.is_empty() && catalogue::is_reachable(section.name)
}

/// A table in braces may have a header as well, if it stands for itself: only lists of them and names have no place.
fn is_header_too(name: &str) -> bool {
    let opens = |key: &Key| matches!(key.takes, Kind::Table(below) if below == name);
    SECTIONS.iter().any(|above| !matches!(above.form, Form::Braces(_)) && above.keys.iter().any(opens))
}

/// Whether a table means something by being there, so that the reference must not have it.
fn is_switch(section: &Section) -> bool {
    let (parent, name) = section.name.rsplit_once('.').unwrap_or(("", section.name));
    let is_optional = catalogue::key(parent, name).is_some_and(|key| key.without == Without::Nothing);
    is_optional
        && (matches!(section.form, Form::Braces(_)) || section.keys.iter().any(|key| key.without == Without::Fault))
}

/// `key = value`; nothing for a table that has its own header.
fn assignment(key: &Key, off: &str) -> Option<String> {
    let has_own_header = |name| catalogue::section(name).is_some_and(has_header);
    if let Kind::Table(name) | Kind::Tables(name) = key.takes
        && has_own_header(name)
    {
        return None;
    }
    let (off, value) = match (key.without, key.example) {
        (Without::Default(default), _) => (off, default),
        (Without::Fault | Without::Usual, example) => (off, example.unwrap_or("\"…\"")),
        (Without::Nothing, example) => ("#", example.unwrap_or("\"…\"")),
    };
    Some(format!("{off}{} = {value}", key.name))
}

/// A line with what is said of it: behind it where there is room, else above it.
fn write_line(text: &mut String, line: &str, about: &str, column: usize) {
    let about = about.trim_end_matches('.');
    let length = line.chars().count();
    let gap = column.saturating_sub(length).max(1);
    if length + gap + 2 + about.chars().count() <= WIDTH {
        writeln!(text, "{line}{:gap$}# {about}", "").expect("a string takes all");
        return;
    }
    let mut comment = "#".to_owned();
    for word in about.split(' ') {
        if comment.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(text, "{comment}").expect("a string takes all");
            comment = "#".to_owned();
        }
        comment = format!("{comment} {word}");
    }
    writeln!(text, "{comment}\n{line}").expect("a string takes all");
}

/// What stands in the braces of a key, once for each sort of them.
fn write_members(text: &mut String, key: &Key) {
    if matches!(key.takes, Kind::Table(_)) {
        return;
    }
    let section = key.takes.below().and_then(catalogue::section);
    let Some(section) = section.filter(|section| matches!(section.form, Form::Braces(_))) else { return };
    let heading = format!("#   The keys of {}. {}", brackets(section.name), section.about);
    if text.contains(&heading) {
        return;
    }
    writeln!(text, "{heading}").expect("a string takes all");
    for member in section.keys.iter().filter(|member| member.version == Version::This) {
        let value = member.example.or(match member.without {
            Without::Default(default) => Some(default),
            _ => None,
        });
        let line = format!("#     {} = {}", member.name, value.unwrap_or("\"…\""));
        writeln!(text, "{line:COLUMN$} # {}", member.about.trim_end_matches('.')).expect("a string takes all");
    }
}
